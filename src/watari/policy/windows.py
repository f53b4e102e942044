"""Daily windows in a policy: `11:45-12:45`, or a mapping with its zones and, for a peak, what it allows."""

from collections.abc import Mapping
from datetime import time
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator

from watari.policy import kinds, units
from watari.policy.kinds import Json, Key, Kind
from watari.policy.values import Peak, Window

DAY = 24 * 60

_SPAN_SCHEMA: Json = {"type": "string", "pattern": r"^ *[0-9]{1,2}:[0-9]{2} *[-–] *[0-9]{1,2}:[0-9]{2} *$"}


def quiet_windows() -> Kind:
    """`[01:00-05:00, {from: 13:00, to: 14:00, zones: [az1]}]`, read as Windows."""
    return _windows("windows", QUIET_KEYS, _window, show_window)


def peak_windows() -> Kind:
    """The same with `moves` and `bandwidth`, read as Peaks."""
    return _windows("peak windows", PEAK_KEYS, _peak, show_peak)


def minutes(window: Window) -> frozenset[int]:
    """The minutes of the day in `window`."""
    start, end = _minute(window.start), _minute(window.end)
    return frozenset(range(start, end)) if start < end else frozenset((*range(start, DAY), *range(end)))


def show_window(window: Window) -> str:
    zones = f" in {', '.join(sorted(window.zones))}" if window.zones else ""
    return f"{window}{zones}"


def show_peak(peak: Peak) -> str:
    return f"{show_window(peak.window)} (moves {peak.moves}, bandwidth {units.show_share(peak.bandwidth)})"


def _start(text: str) -> int:
    minute = units.minute_of_day(text)
    if minute == DAY:
        raise ValueError(f"{text} is the end of a day; write 00:00")
    return minute


_CLOCK_SCHEMA: Json = {"type": "string", "pattern": r"^[0-9]{1,2}:[0-9]{2}$"}

QUIET_KEYS: Mapping[str, Key] = {
    "from": Key(kinds.scalar("time of day", "11:45", _start, str, _CLOCK_SCHEMA), "start", "Local time it begins."),
    "to": Key(
        kinds.scalar("time of day", "12:45", units.minute_of_day, str, _CLOCK_SCHEMA),
        "end",
        "Local time it ends; earlier than `from`: on the next day. 24:00 is midnight.",
    ),
    "zones": Key(kinds.texts("az1", empty=False), "zones", "Availability zones it holds for; without it, every zone."),
}
PEAK_KEYS: Mapping[str, Key] = {
    **QUIET_KEYS,
    "moves": Key(kinds.whole(), "moves", "Moves at once in total while it lasts; 0, the default: none starts."),
    "bandwidth": Key(
        kinds.share(above=0.0), "bandwidth", "Share of `link` and `total_bandwidth` while it lasts; default 100 %."
    ),
}
_DEFAULTS: Mapping[str, Any] = {"from": ..., "to": ..., "zones": (), "moves": 0, "bandwidth": 1.0}


def _windows(unit: str, keys: Mapping[str, Key], build: Any, show: Any) -> Kind:
    model = kinds.strict_model("Window", {name: (key.kind.type, _DEFAULTS[name]) for name, key in keys.items()})
    item: Any = Annotated[model, BeforeValidator(_spread), AfterValidator(build)]

    type_: Any = Annotated[
        tuple[item, ...],
        BeforeValidator(kinds.listed('["11:45-12:45"]')),
    ]
    properties = {name: key.kind.schema | {"description": key.why} for name, key in keys.items()}
    mapping = {"type": "object", "additionalProperties": False, "required": ["from", "to"], "properties": properties}
    schema = {"type": "array", "items": {"anyOf": [_SPAN_SCHEMA, mapping]}}
    return Kind(unit, type_, lambda items: kinds.show_list(show(one) for one in items), schema)


def _spread(value: object) -> object:
    """`11:45-12:45` as the mapping it is short for."""
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, str):
        raise ValueError(f'is {kinds.named(value)}; write a window such as "11:45-12:45"')
    start, end = units.span(value)
    return {"from": start, "to": end}


def _window(model: BaseModel) -> Window:
    keys = model.model_dump()
    start, end = keys["from"], keys["to"]
    if start == end:
        raise ValueError(f"{_clock(start):%H:%M}-{_clock(end):%H:%M} has no length; write a later end")
    if end - start == DAY:
        raise ValueError("covers the whole day; write a shorter window, or change the budgets themselves")
    return Window(_clock(start), _clock(end), frozenset(keys["zones"]))


def _peak(model: BaseModel) -> Peak:
    keys = model.model_dump()
    return Peak(_window(model), keys["moves"], keys["bandwidth"])


def _clock(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute
