"""A plan as JSON and back, exactly: what is written by one process is carried out by another."""

import json
import math
import types
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from typing import Any, Final, Literal, NewType, Union, get_args, get_origin, get_type_hints

from watari.errors import BadInput
from watari.plan.plan import Plan
from watari.plan.steps import STEPS, VERBS

FORMAT: Final = 1
MARKER: Final = "watari_plan"
_MAKE = "make one with `watari plan balance -o plan.json`"
_AGAIN = "make the plan again, for example with `watari plan balance -o plan.json`"

Encode = Callable[[Any], Any]
Decode = Callable[[Any], Any]


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """The plan as JSON values; times are ISO 8601 with offset. Raises ValueError for a time without zone, or NaN."""
    body: dict[str, Any] = _encoder(Plan)(plan)
    return {MARKER: FORMAT, **body}


def plan_from_dict(value: object, source: str = "plan") -> Plan:
    """The plan that `plan_to_dict` wrote. Raises BadInput that names `source`, the place and what would be right."""
    if not isinstance(value, dict) or MARKER not in value:
        if isinstance(value, dict) and "watari_snapshot" in value:
            raise BadInput(
                f"{source} is a snapshot, not a plan; plan for it: `watari plan balance --snapshot {source}`"
            )
        raise BadInput(f"{source} is not a plan file; {_MAKE}")
    if type(value[MARKER]) is not int or value[MARKER] != FORMAT:
        raise BadInput(f"{source} is of plan format {value[MARKER]!r}, this Watari reads format {FORMAT}; {_AGAIN}")
    try:
        plan: Plan = _decoder(Plan)({key: item for key, item in value.items() if key != MARKER})
    except _Wrong as wrong:
        raise BadInput(f"{source}: {wrong}; {_AGAIN}") from None
    return plan


def dumps(plan: Plan) -> str:
    """The plan as a JSON text that ends with a line feed; an operation, refusal or finding per line."""
    lines = []
    for key, value in plan_to_dict(plan).items():
        if value and isinstance(value, list):
            rows = ",\n".join(f"  {_text(row)}" for row in value)
            lines.append(f"{_text(key)}: [\n{rows}\n]")
        else:
            lines.append(f"{_text(key)}: {_text(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def loads(text: str, source: str = "plan") -> Plan:
    """The plan in a JSON text. Raises BadInput that names `source` (a file's name), the place and the cure."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if _ends_early(text, error):
            raise BadInput(f"{source} ends early, in line {len(text.splitlines())}: it was cut off; {_AGAIN}") from None
        where = f"line {error.lineno} column {error.colno}"
        raise BadInput(f"{source} is not a plan file: {error.msg} at {where} is no JSON; {_MAKE}") from None
    except (RecursionError, ValueError) as error:  # nested thousands deep; an integer of thousands of digits
        raise BadInput(f"{source} is not a plan file ({error}); {_MAKE}") from None
    return plan_from_dict(value, source)


def to_json(hint: Any, value: object) -> Any:
    """A value of a dataclass (or of a hint such as `tuple[Step, ...]`) as JSON values, by the same rules as a plan."""
    return _encoder(hint)(value)


def from_json(hint: Any, value: object, source: str) -> Any:
    """What `to_json` wrote. Raises BadInput that names `source`, the place and what would be right."""
    try:
        return _decoder(hint)(value)
    except _Wrong as wrong:
        raise BadInput(f"{source}: {wrong}") from None


def content_id(plan: Plan) -> str:
    """`p-` and 8 hex digits of SHA-256 over what the plan was made of and what it does.

    Snapshot, policy, times, and per operation its subject, steps and wave; not its reasons, which follow from these.
    """
    times = (plan.made_at.astimezone(UTC).isoformat(), plan.expires_at.astimezone(UTC).isoformat())
    parts = [plan.job, plan.cloud, plan.snapshot_digest, plan.policy_digest, *times]
    parts += [f"{op.subject} {op.wave} {'; '.join(map(str, op.steps))}" for op in plan.operations]
    parts += [f"{refusal.subject} {refusal.code}" for refusal in plan.refusals]
    return f"p-{sha256(chr(10).join(parts).encode()).hexdigest()[:8]}"


_text = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


def _ends_early(text: str, error: json.JSONDecodeError) -> bool:
    body = text.rstrip()
    if not body.startswith("{"):
        return not body
    return error.pos >= len(body) or not body.endswith("}") or error.msg.startswith("Unterminated string")


class _Wrong(Exception):
    """A value that does not fit its type; on its way up it learns where it stands."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words
        self.path: list[str | int] = []

    def __str__(self) -> str:
        path = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in reversed(self.path))
        return f"{path.removeprefix('.')} {self.words}".lstrip()


@cache
def _encoder(hint: Any) -> Encode:
    """The function that turns a value of this type into JSON values.

    Numbers are made plain (a NumPy float, an int where a float belongs), so that a plan that was read back has the same
    text, and so the same id, as the one that was written.
    """
    if isinstance(hint, NewType):
        return _encoder(hint.__supertype__)
    if _is_step(hint):
        return _encode_step
    if is_dataclass(hint) and isinstance(hint, type):
        return _encoder_of_fields(hint)
    if (inner := _optional(hint)) is not None:
        encode_some = _encoder(inner)
        return lambda value: None if value is None else encode_some(value)
    if get_origin(hint) is tuple:
        encode_item = _encoder(_item(hint))
        return lambda value: [encode_item(item) for item in value]
    if get_origin(hint) is Literal:
        return str
    plain: Mapping[Any, Encode] = {str: str, int: int, bool: bool, float: _encode_float, datetime: _encode_time}
    return plain[hint]


@cache
def _encoder_of_fields(cls: type) -> Encode:
    parts = [(name, _encoder(hint)) for name, hint in _hints(cls).items()]
    return lambda value: {name: encode(getattr(value, name)) for name, encode in parts}


def _encode_step(step: Any) -> dict[str, Any]:
    cls: Any = type(step)
    return {"verb": VERBS[cls], **_encoder_of_fields(cls)(step)}


def _encode_float(value: float) -> float:
    plain = float(value)
    if not math.isfinite(plain):
        raise ValueError(f"{plain} has no JSON form")
    return plain


def _encode_time(value: datetime) -> str:
    if value.utcoffset() is None:
        raise ValueError(f"{value.isoformat()} has no time zone")
    return value.isoformat()


@cache
def _decoder(hint: Any) -> Decode:
    """The function that turns JSON values back; it raises _Wrong."""
    if isinstance(hint, NewType):
        return _decoder(hint.__supertype__)
    if _is_step(hint):
        return _decode_step
    if is_dataclass(hint) and isinstance(hint, type):
        return _decoder_of_fields(hint)
    if (inner := _optional(hint)) is not None:
        decode_some = _decoder(inner)
        return lambda value: None if value is None else decode_some(value)
    if get_origin(hint) is tuple:
        return _decoder_of_items(_decoder(_item(hint)))
    if get_origin(hint) is Literal:
        return _decoder_of_choice(get_args(hint))
    plain: Mapping[Any, Decode] = {
        str: _decoder_of_plain(str, "text"),
        int: _decoder_of_plain(int, "a whole number"),
        bool: _decoder_of_plain(bool, "true or false"),
        float: _decode_float,
        datetime: _decode_time,
    }
    return plain[hint]


@cache
def _decoder_of_fields(cls: type) -> Decode:
    parts = {name: _decoder(hint) for name, hint in _hints(cls).items()}

    def decode(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _Wrong(f"is {_shown(value)}, must be an object")
        if value.keys() != parts.keys():
            raise _wrong_keys(value.keys() - parts.keys(), [key for key in parts if key not in value], list(parts))
        made = {}
        name = ""
        try:
            for name, part in parts.items():
                made[name] = part(value[name])
        except _Wrong as wrong:
            wrong.path.append(name)
            raise
        return cls(**made)

    return decode


def _decoder_of_items(decode_item: Decode) -> Decode:
    def decode_at(place: int, item: Any) -> Any:
        try:
            return decode_item(item)
        except _Wrong as wrong:
            wrong.path.append(place)
            raise

    def decode(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise _Wrong(f"is {_shown(value)}, must be a list")
        return tuple(decode_at(place, item) for place, item in enumerate(value))

    return decode


def _decoder_of_choice(choices: tuple[Any, ...]) -> Decode:
    def decode(value: Any) -> Any:
        if not isinstance(value, str) or value not in choices:
            raise _Wrong(f"is {_shown(value)}, must be one of {', '.join(choices)}")
        return value

    return decode


def _decoder_of_plain(cls: type, noun: str) -> Decode:
    def decode(value: Any) -> Any:
        if type(value) is not cls:  # a bool is an int for isinstance
            raise _Wrong(f"is {_shown(value)}, must be {noun}")
        return value

    return decode


def _decode_float(value: Any) -> float:
    if type(value) not in (int, float):
        raise _Wrong(f"is {_shown(value)}, must be a number")
    try:
        plain = float(value)
    except OverflowError:
        plain = math.inf
    if not math.isfinite(plain):
        raise _Wrong(f"is {value}, must be a finite number")
    return plain


def _decode_time(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise _Wrong(f"is {_shown(value)}, must be a time such as 2024-05-01T12:00:00+09:00") from None
    if at.utcoffset() is None:
        raise _Wrong(f"is {_shown(value)}, which has no time zone; it must end in an offset such as +09:00")
    return at


def _decode_step(value: Any) -> Any:
    if not isinstance(value, dict):
        raise _Wrong(f"is {_shown(value)}, must be an object")
    verb = value.get("verb")
    if not isinstance(verb, str) or verb not in STEPS:
        wrong = _Wrong(f"is {_shown(verb)}, must be one of {', '.join(STEPS)}")
        wrong.path.append("verb")
        raise wrong
    cls: Any = STEPS[verb]
    return _decoder_of_fields(cls)({key: item for key, item in value.items() if key != "verb"})


def _wrong_keys(unknown: set[str], missing: list[str], known: list[str]) -> _Wrong:
    words = []
    if unknown:
        words.append(f"has unknown keys {', '.join(sorted(unknown))} (known: {', '.join(known)})")
    if missing:
        words.append(f"lacks {', '.join(missing)}")
    return _Wrong(" and ".join(words))


@cache
def _hints(cls: type) -> dict[str, Any]:
    hints = get_type_hints(cls)
    return {f.name: hints[f.name] for f in fields(cls)}


def _is_step(hint: Any) -> bool:
    """Step is one class, or a union once there are several."""
    members = get_args(hint) if _is_union(hint) else (hint,)
    return all(member in VERBS for member in members)


def _is_union(hint: Any) -> bool:
    return get_origin(hint) in (Union, types.UnionType)


def _optional(hint: Any) -> Any | None:
    """The X of `X | None`."""
    if not _is_union(hint):
        return None
    inner = [member for member in get_args(hint) if member is not types.NoneType]
    if len(inner) != 1:
        raise TypeError(f"{hint} has no JSON form here")
    return inner[0]


def _item(hint: Any) -> Any:
    item, rest = get_args(hint)
    if rest is not Ellipsis:
        raise TypeError(f"{hint} has no JSON form here")
    return item


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
