"""Sections of clouds.yaml that drivers read: closed, checked as a whole, and what is wrong said without any secret.

A section is a pydantic dataclass whose fields use the types below. No message shows a value: it may be a password.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from watari.errors import BadInput

CLOSED: Final = ConfigDict(extra="forbid")
_UNIT_S: Final = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600}
_TIME: Final = re.compile(r"(\d+)\s*(sec|s|min|m|h)\s*")
T = TypeVar("T")


def _seconds(value: object) -> int:
    """`2m`, `90s`, `1m30s`, `2 min`; Prometheus' way of writing times, and the policy's."""
    text = value.strip() if isinstance(value, str) else ""
    if not text or _TIME.sub("", text):
        raise ValueError("write a time with its unit, such as 2m, 90s or 1m30s")
    return sum(int(number) * _UNIT_S[unit] for number, unit in _TIME.findall(text))


def _address(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("write an address such as https://prometheus.example.org:9090 or https://mimir/prometheus")
    if parts.username or parts.password:
        raise ValueError("put the user and the password into basic_auth, where they are not shown")
    if parts.query or parts.fragment:
        raise ValueError("write it without ? and #; what it needs beyond a path goes into headers")
    return text.rstrip("/")


Seconds = Annotated[int, BeforeValidator(_seconds)]
Address = Annotated[str, AfterValidator(_address)]
File = Annotated[str, Field(min_length=1), AfterValidator(lambda text: str(Path(text).expanduser()))]
Secret = Annotated[str, Field(min_length=1)]
Word = Annotated[str, Field(min_length=1)]


def read_section(cls: Callable[..., T], mapping: object, where: str, least: str) -> T:
    """The section written in `mapping`. Raises BadInput that names every wrong key; `least` shows a right section."""
    if not isinstance(mapping, Mapping):
        raise BadInput(f"{where}: write a mapping with at least {least}")
    adapter: TypeAdapter[T] = _adapter(cls)
    try:
        return adapter.validate_python(dict(mapping))
    except ValidationError as e:
        # Without the input: it may hold a password.
        found = [_words(cls, error) for error in e.errors(include_url=False, include_input=False)]
        raise BadInput("\n".join(dict.fromkeys(f"{where}{words}" for words in found))) from None


def secret_of(plain: str | None, file: str | None, what: str) -> str | None:
    """A secret that stands in the section or in a file of its own, read anew each time: it may have been changed.

    Raises BadInput for a file that cannot be read.
    """
    if file is None:
        return plain
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise BadInput(f"{what}: {file} cannot be read: {getattr(e, 'strerror', None) or e}") from e


@cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def _words(cls: Any, error: ErrorDetails) -> str:
    path = [str(part) for part in error["loc"] if part != "[key]"]
    at = "".join(f".{part}" for part in path)
    match error["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return f"{at}: there is no such key{_nearest(cls, path)}"
        case "missing":
            return f"{at} is needed"
        case "literal_error":
            return f"{at}: {_lower(error['msg'])}{_nearest(cls, path)}"
        case "value_error":
            return f"{at}: {error['msg'].removeprefix('Value error, ')}"
        case _:
            return f"{at}: {_lower(error['msg'])}"


def _nearest(cls: Any, path: Sequence[str]) -> str:
    known = _keys(cls, path[:-1]) if path else ()
    near = get_close_matches(path[-1], known, 1) if path else []
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}" if known else ""


def _keys(cls: Any, path: Sequence[str]) -> tuple[str, ...]:
    """The keys of the section at that path below `cls`; none if it is no section."""
    names = iter(path)
    for name in names:
        hint = get_type_hints(cls).get(name) if is_dataclass(cls) else None
        inner = [one for one in (hint, *get_args(hint)) if is_dataclass(one)]
        if not inner:
            return ()
        cls = inner[0]
        if get_origin(hint) is dict:  # of sections, each under a name of its own
            next(names, None)
    return tuple(f.name for f in fields(cls)) if is_dataclass(cls) else ()


def _lower(text: Any) -> str:
    return str(text)[:1].lower() + str(text)[1:]
