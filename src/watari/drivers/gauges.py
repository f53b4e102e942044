"""From the `meters:` list of a cloud's section to gauges; kinds of others come as plugins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field
from pydantic.dataclasses import dataclass as section

from watari.drivers.config import CLOSED, Seconds, read_section
from watari.drivers.plugins import opener
from watari.errors import BadInput
from watari.model.compute import Server, ServerId
from watari.model.readings import Rule, Wins
from watari.ports import Clock, Gauge

NAMESPACE: Final = "watari.meters"  # entry points: kind = package.module:function
BUILT_IN: Final[Mapping[str, str]] = {
    "libvirt": "watari.drivers.libvirt.meter:open_gauge",
    "mackerel": "watari.drivers.mackerel:open_gauge",
    "prometheus": "watari.drivers.prometheus.meter:open_gauge",
}
EXAMPLE: Final = "- prometheus: {url: https://prometheus.example.org}"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a gauge may need of where it is opened.

    `servers`: the cloud's, as they were last read. `hosts`: the connections of a cloud of plain libvirt hosts.
    """

    clock: Clock
    where: str  # for messages: which file, which section
    servers: Callable[[], Mapping[ServerId, Server]]
    hosts: Any = None


# Opens one: its name, its section, and where it is. Raises BadInput for what is wrong in it.
Open = Callable[[str, Mapping[str, Any], Surroundings], Gauge]


@section(frozen=True, slots=True, config=CLOSED)
class RuleSettings:
    """Whose value counts when meters disagree; see `watari.model.readings.Rule`."""

    tolerance: Annotated[float, Field(ge=0, le=1)] = 0.1
    load_tolerance: Annotated[float, Field(ge=0)] = 1.0
    stale_after: Annotated[Seconds, Field(ge=10)] = 300
    wins: Wins = "larger"


def read_rule(mapping: object, where: str) -> Rule:
    """The rule of `meters_rule`; the default without one. Raises BadInput that names every wrong key."""
    if mapping is None:
        return Rule()
    s = read_section(RuleSettings, mapping, where, "one key, such as tolerance: 0.1")
    return Rule(s.tolerance, s.load_tolerance, float(s.stale_after), s.wins)


def open_gauges(sections: object, around: Surroundings) -> list[Gauge]:
    """All of a list, in its order. Nothing is asked of them yet.

    Raises BadInput for a section that is wrong, an unknown kind, a name that is given twice.
    """
    where = f"{around.where}.meters"
    if not isinstance(sections, Sequence) or isinstance(sections, str) or not sections:
        raise BadInput(f"{where}: write a list of at least one, such as {EXAMPLE}")
    found: dict[str, Gauge] = {}
    for at, item in enumerate(sections):
        here = f"{where}[{at}]"
        kind, name, settings = _parts(item, here)
        open_: Open = opener(kind, BUILT_IN, NAMESPACE, "meter", here)
        if name in found:
            raise BadInput(f"{here}: there are two meters called {name}; give one another `name`, beside its kind")
        around_it = Surroundings(around.clock, f"{here}.{kind}", around.servers, around.hosts)
        found[name] = open_(name, settings, around_it)
    return list(found.values())


def _parts(item: object, where: str) -> tuple[str, str, Mapping[str, Any]]:
    """Kind, name and settings of one row: a kind with its settings, and `name` if it is called otherwise."""
    if not isinstance(item, Mapping):
        raise BadInput(f"{where}: write a kind and its settings, such as {EXAMPLE}")
    kinds = [str(key) for key in item if key != "name"]
    if len(kinds) != 1:
        what = f"not {', '.join(kinds)}" if kinds else "such as prometheus"
        raise BadInput(f"{where}: write one kind of meter for each row of the list, {what}")
    kind = kinds[0]
    name, settings = item.get("name", kind), item[kind]
    if not isinstance(name, str) or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise BadInput(f"{where}.name: write letters, digits, - _ and . only, such as guests")
    if settings is not None and not isinstance(settings, Mapping):
        raise BadInput(f"{where}.{kind}: write a mapping with its settings")
    return kind, name, {str(key): value for key, value in (settings or {}).items()}
