"""The kinds of value that a policy key can have: how each is read, checked, shown again and described to an editor."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from difflib import get_close_matches
from typing import Annotated, Any
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainValidator, WrapValidator, create_model

from watari.policy import units

Json = dict[str, Any]

_UTC_NAMES = ("UTC", "Etc/UTC")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_DECIMAL = r"[0-9]+(\.[0-9]+)?"
_TIME_PATTERN = rf"^({_DECIMAL} *(s|sec|seconds?|mins?|minutes?|h|hours?|d|days?) *)+$"
_SIZE_PATTERN = rf"^{_DECIMAL} *([kKMGTP]|[KMGTP]i)B$"
_RATE_PATTERN = rf"^{_DECIMAL} *(([kKMGT]|[KMGT]i)?(B|bit)/s|[kKMGT]?bps)$"


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value may be. `unit`: its name in the reference; `type`: for pydantic; `show`: as one would write it."""

    unit: str
    type: Any
    show: Callable[[Any], str]
    schema: Json


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file: its value's kind, what it is for, and the field that holds it ("": checked, then dropped)."""

    kind: Kind
    field: str
    why: str


def strict_model(name: str, keys: Mapping[str, tuple[Any, Any]]) -> type[BaseModel]:
    """A pydantic model of (type, default) per key that refuses every other key."""
    fields: dict[str, Any] = dict(keys)
    return create_model(name, __config__=ConfigDict(extra="forbid", frozen=True), **fields)


def scalar(unit: str, example: str, parse: Callable[[str], Any], show: Callable[[Any], str], schema: Json) -> Kind:
    """A single value; `parse` gets its text and raises ValueError with a sentence."""

    def read(value: object) -> object:
        if isinstance(value, (list, Mapping)):
            raise ValueError(f"is {named(value)}; write a single value such as {example}")
        if value is None:
            raise ValueError(f"cannot be none; write a value such as {example}, or remove the line for the default")
        if value == "":
            raise ValueError(f"has no value; write one such as {example}, or remove the line for the default")
        return parse(str(value))

    return Kind(unit, Annotated[Any, PlainValidator(read)], show, schema)


def or_none(kind: Kind, none: object = None) -> Kind:
    """The same kind, or `none` in the file, which is the value `none` in the policy."""

    def read(value: object, otherwise: Callable[[object], object]) -> object:
        if value == "":
            raise ValueError("has no value; write none if that is meant, or remove the line for the default")
        return none if value is None else otherwise(value)

    def show(value: object) -> str:
        return "none" if value == none else kind.show(value)

    schema = {"anyOf": [kind.schema, {"enum": ["none", None]}]}
    return Kind(f"{kind.unit} or `none`", Annotated[kind.type, WrapValidator(read)], show, schema)


def share(*, above: float | None = None, below: float | None = None, most: float | None = 1.0) -> Kind:
    schema = {"anyOf": [{"type": "string", "pattern": rf"^{_DECIMAL} *%$"}, {"type": "number", "minimum": 0}]}
    parse = _bounded(units.share, units.show_share, above=above, below=below, most=most)
    return scalar("share", "5 %", parse, units.show_share, schema)


def number(*, most: float | None = None) -> Kind:
    schema = {"type": "number", "minimum": 0} | ({} if most is None else {"maximum": most})
    return scalar("number", "1.5", _bounded(units.number, units.show_number, most=most), units.show_number, schema)


def whole(*, least: int = 0, most: int | None = None) -> Kind:
    schema = {"type": "integer", "minimum": least} | ({} if most is None else {"maximum": most})
    return scalar("whole number", "2", _bounded(units.whole, str, least=least, most=most), str, schema)


def seconds(*, above: float | None = None, least: float = 0.0, most: float | None = None) -> Kind:
    parse = _bounded(units.seconds, units.show_seconds, above=above, least=least, most=most)
    return scalar("time", "20 min", parse, units.show_seconds, {"type": "string", "pattern": _TIME_PATTERN})


def slot() -> Kind:
    """A time that cuts the day into equal pieces, a minute or more each."""

    def parse(text: str) -> float:
        value = units.seconds(text)
        if value < 60 or 86400 % value:
            raise ValueError(f"{text} does not cut the day into equal slots; write such as 5 min, 15 min or 1 h")
        return value

    return scalar("time", "15 min", parse, units.show_seconds, {"type": "string", "pattern": _TIME_PATTERN})


def rate() -> Kind:
    parse = _bounded(units.rate_mib_s, units.show_rate, above=0.0)
    return scalar("rate", "400 MiB/s", parse, units.show_rate, {"type": "string", "pattern": _RATE_PATTERN})


def size() -> Kind:
    """An amount of disk, read as GiB."""
    parse = _bounded(units.size_gib, units.show_size, above=0.0)
    return scalar("size", "500 GiB", parse, units.show_size, {"type": "string", "pattern": _SIZE_PATTERN})


def text(example: str) -> Kind:
    return scalar("text", example, str, str, {"type": "string", "minLength": 1})


def regex() -> Kind:
    """A Python regular expression; kept as text."""

    def parse(value: str) -> str:
        try:
            re.compile(value)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f'"{value}" is not a regular expression ({error}); correct it, or write none') from None
        return value

    return scalar("regular expression", r"^(?P<role>[a-z]+)-\d+$", parse, str, {"type": "string", "format": "regex"})


def flag() -> Kind:
    return scalar("true or false", "true", _flag, _show_flag, {"type": "boolean"})


def only_true(reason: str) -> Kind:
    """A promise that cannot be taken back: `reason` says why."""

    def parse(value: str) -> bool:
        if not _flag(value):
            raise ValueError(f"{value} is refused: {reason}; write true or remove the line")
        return True

    return scalar("true", "true", parse, _show_flag, {"const": True})


def choice(*values: str) -> Kind:
    def parse(value: str) -> str:
        if value not in values:
            raise ValueError(f'"{value}" is not known; {did_you_mean(value, values) or "write " + " or ".join(values)}')
        return value

    return scalar(" or ".join(f"`{value}`" for value in values), values[0], parse, str, {"enum": list(values)})


def timezone() -> Kind:
    return scalar("time zone", "Asia/Tokyo", _timezone, str, {"type": "string"})


def texts(example: str, *, empty: bool = True) -> Kind:
    """A list of texts, read as a tuple. Each keeps its own line in complaints."""
    item = text(example)
    element: Any = item.type
    type_: Any = Annotated[tuple[element, ...], BeforeValidator(listed(f"[{example}]", empty=empty))]
    return Kind("list", type_, show_list, {"type": "array", "items": item.schema})


def listed(example: str, *, empty: bool = True) -> Callable[[object], object]:
    """A check that a value is a list at all; a key whose items are all commented out is an empty one."""

    def check(value: object) -> object:
        value = [] if value is None or value == "" else value
        if not isinstance(value, list):
            raise ValueError(f"is {named(value)}; write a list such as {example}")
        if not value and not empty:
            raise ValueError(f"is empty; write a list such as {example}, or remove the line")
        return value

    return check


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """`did you mean "steal"?`, or nothing when nothing is near."""
    names = {name.lower(): name for name in known}
    close = get_close_matches(value.lower(), list(names), n=1, cutoff=0.7)
    return f'did you mean "{names[close[0]]}"?' if close else ""


def named(value: object) -> str:
    match value:
        case list():
            return "a list"
        case Mapping():
            return "a mapping"
        case None:
            return "none"
        case _:
            return f'the single value "{value}"'


def show_list(values: Iterable[object]) -> str:
    return f"[{', '.join(str(value) for value in values)}]"


def _bounded(
    parse: Callable[[str], Any],
    show: Callable[[Any], str],
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> Callable[[str], Any]:
    def check(text: str) -> Any:
        value = parse(text)
        if above is not None and value <= above:
            raise ValueError(f"{text} is too little; write more than {show(above)}")
        if least is not None and value < least:
            raise ValueError(f"{text} is too little; write {show(least)} or more")
        if below is not None and value >= below:
            raise ValueError(f"{text} is too much; write less than {show(below)}")
        if most is not None and value > most:
            raise ValueError(f"{text} is too much; write {show(most)} or less")
        return value

    return check


def _flag(text: str) -> bool:
    if text.lower() not in _FLAGS:
        raise ValueError(f'"{text}" is neither; write true or false')
    return _FLAGS[text.lower()]


def _show_flag(value: bool) -> str:
    return str(value).lower()


def _timezone(name: str) -> tzinfo:
    if name in _UTC_NAMES:  # also without a time zone database, and equal to the default
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise ValueError(
            f"{name} cannot be looked up, this machine has no time zone database; "
            "install tzdata (apt install tzdata, or pip install tzdata), or write UTC"
        )
    close = sorted(zone for zone in known if name.lower() in (zone.lower(), zone.lower().rsplit("/", 1)[-1]))
    close = close or get_close_matches(name, sorted(known), n=3, cutoff=0.7)
    names = " or ".join(f'"{zone}"' for zone in close[:3])
    cure = f"did you mean {names}?" if names else "write one such as Asia/Tokyo"
    raise ValueError(f'"{name}" is not a time zone; {cure}')
