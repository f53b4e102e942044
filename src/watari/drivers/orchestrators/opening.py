"""From the `orchestrators:` list of a cloud's section to objects behind the port; kinds of others come as plugins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from watari.drivers.plugins import opener
from watari.errors import BadInput
from watari.ports import Clock, Orchestrator

NAMESPACE: Final = "watari.orchestrators"  # entry points: kind = package.module:function
_HERE: Final = "watari.drivers.orchestrators"
BUILT_IN: Final[Mapping[str, str]] = {
    kind: f"{_HERE}.{kind}:open_orchestrator"
    for kind in ("consul", "haproxy", "hook", "kubernetes", "nomad", "octavia")
}


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an orchestrator may need of where it is opened. `session`: keystoneauth's, of an OpenStack cloud."""

    clock: Clock
    where: str  # for messages: which file, which section
    session: Any = None
    region: str | None = None


# Opens one: its name, its section without `kind` and `name`, and where it is. Raises BadInput for what is wrong in it.
Open = Callable[[str, Mapping[str, Any], Surroundings], Orchestrator]


def open_orchestrators(sections: object, around: Surroundings) -> dict[str, Orchestrator]:
    """All of a list, by name, in its order: the order in which servers leave them. Nothing is asked of them yet.

    Raises BadInput for a section that is wrong, an unknown kind, a name that is given twice.
    """
    where = f"{around.where}.orchestrators"
    if sections is None:
        return {}
    if not isinstance(sections, Sequence) or isinstance(sections, str):
        raise BadInput(f"{where}: write a list, such as - {{kind: kubernetes, name: prod}}")
    found: dict[str, Orchestrator] = {}
    for at, section in enumerate(sections):
        here = f"{where}[{at}]"
        if not isinstance(section, Mapping):
            raise BadInput(f"{here}: write a mapping, such as {{kind: kubernetes, name: prod}}")
        kind, name = section.get("kind"), section.get("name", section.get("kind"))
        if not isinstance(name, str) or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise BadInput(f"{here}.name: write letters, digits, - _ and . only, such as prod-k8s")
        if name in found:
            raise BadInput(f"{here}: there are two orchestrators called {name}; give one another `name`")
        rest = {str(key): value for key, value in section.items() if key not in ("kind", "name")}
        open_: Open = opener(kind, BUILT_IN, NAMESPACE, "orchestrator", f"{here}.kind")
        found[name] = open_(name, rest, Surroundings(around.clock, here, around.session, around.region))
    return found
