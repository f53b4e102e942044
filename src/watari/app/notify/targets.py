"""Where notifications go: read from YAML once, complete or refused with all that is wrong, never showing a secret."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails

from watari.errors import BadInput
from watari.model.reasons import Severity
from watari.policy import kinds
from watari.policy.document import Document, KeyPath, Problem, Words, read_document
from watari.policy.kinds import Key, Kind

About = Literal["trouble", "findings", "plans", "runs"]
ALL: Final[tuple[About, ...]] = ("trouble", "findings", "plans", "runs")
SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "error")
DAY_S: Final = 86400.0
WORDS: Final = Words("a file of targets", "files of targets", "targets: [{name: ops, kind: slack, url_file: ops.url}]")
LONGEST_SECRET: Final = 4096  # bytes of a file that holds one
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True, slots=True)
class Target:
    """One receiver. Its address and its key are secrets: they are read when they are needed, and shown nowhere.

    `clouds` empty: all. `repeat_s` None: nothing is told again while it lasts.
    """

    name: str
    kind: Literal["webhook", "slack"]
    about: frozenset[About] = frozenset(ALL)
    clouds: frozenset[str] = frozenset()
    severity: Severity = "warning"
    repeat_s: float | None = DAY_S
    after_s: float = 0.0
    url: str | None = field(default=None, repr=False)
    url_file: str | None = None
    secret_file: str | None = None

    def looks_at(self, cloud: str) -> bool:
        return not self.clouds or cloud in self.clouds

    def wants(self, about: About, severity: Severity) -> bool:
        """Whether it is told of that; the least severity is one of findings alone."""
        least = SEVERITIES.index(self.severity) if about == "findings" else 0
        return about in self.about and SEVERITIES.index(severity) >= least

    def address(self) -> str:
        """The URL, read anew. Raises BadInput, without the URL, for a file that holds none."""
        if self.url is not None:
            return self.url
        try:
            return _url(_one_line(self.url_file or ""))
        except ValueError as e:
            raise BadInput(f"{self.name}: url_file {self.url_file}: {e}") from None

    def key(self) -> bytes | None:
        """What webhooks are signed with, read anew; None: they are not. Raises BadInput."""
        if self.secret_file is None:
            return None
        try:
            return _one_line(self.secret_file).encode()
        except ValueError as e:
            raise BadInput(f"{self.name}: secret_file {self.secret_file}: {e}") from None


def parse_targets(text: str, source: str) -> tuple[Target, ...]:
    """The targets written in `text`; files named in it lie beside `source`.

    Raises BadInput with one line per problem, each with file, line, key and what would be right.
    """
    document = read_document(text, source, WORDS)
    problems = list(document.problems)
    try:
        found = _MODEL.model_validate(document.values)
    except ValidationError as error:
        problems += [_problem(document, detail) for detail in error.errors(include_url=False, include_input=False)]
        raise BadInput(_report(problems, source)) from None
    targets = tuple(_target(keys, Path(source).parent) for keys in getattr(found, TARGETS))
    problems += _clashes(document, targets)
    if problems:
        raise BadInput(_report(problems, source))
    return targets


def _url(text: str) -> str:
    """Raises ValueError for what is no address, and shows none."""
    try:
        parts = urlsplit(text)
        port_is_right = parts.port != 0
    except ValueError:  # brackets that do not close, a port that is none
        port_is_right = False
    right = port_is_right and parts.scheme in ("http", "https") and parts.hostname and not parts.fragment
    if not right or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("holds no address that can be used; write one such as https://hooks.example.org/watari")
    return text


def _one_line(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            text = file.read(LONGEST_SECRET + 1).decode().strip()
    except OSError as e:
        raise ValueError(f"cannot be read: {e.strerror or e}") from None
    except UnicodeDecodeError:
        text = ""
    if not text or not text.isprintable() or len(text) > LONGEST_SECRET:
        raise ValueError("has to hold one line of text")
    return text


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("is no name; write letters, digits, dots and dashes, at most 60, such as ops")
    return text


def _plain(unit: str, example: str, parse: Any) -> Kind:
    return kinds.scalar(unit, example, parse, str, {"type": "string"})


def _abouts() -> Kind:
    item: Any = kinds.choice(*ALL).type
    example = f"[{', '.join(ALL)}]"
    type_: Any = Annotated[tuple[item, ...], BeforeValidator(kinds.listed(example, empty=False))]
    return Kind("list", type_, kinds.show_list, {"type": "array"})


TARGETS: Final = "targets"
KEYS: Final[Mapping[str, Key]] = {
    "name": Key(_plain("name", "ops", _name), "name", "What Watari calls it; another name is another target."),
    "kind": Key(kinds.choice("webhook", "slack"), "kind", "What it understands."),
    "url": Key(_plain("address", "https://hooks.example.org/watari", _url), "url", "Where it is, http or https."),
    "url_file": Key(kinds.text("ops.url"), "url_file", "The file that holds the address; one of the two."),
    "secret_file": Key(kinds.text("ops.key"), "secret_file", "The file that holds the key to sign webhooks with."),
    "about": Key(_abouts(), "about", "What it is told."),
    "clouds": Key(kinds.texts("prod", empty=False), "clouds", "Of which clouds; without it, of all."),
    "severity": Key(kinds.choice(*SEVERITIES), "severity", "The least severe findings that it is told."),
    "after": Key(kinds.seconds(most=DAY_S), "after_s", "Trouble and findings are told once they have lasted so long."),
    "repeat": Key(
        kinds.or_none(kinds.seconds(least=60.0)), "repeat_s", "How often what lasts is told again; none: never."
    ),
}  # fmt: skip
_MANDATORY: Final = ("name", "kind")


def _make_model() -> type[BaseModel]:
    default = Target("", "webhook")
    keys: dict[str, tuple[Any, Any]] = {
        name: (key.kind.type, ... if name in _MANDATORY else getattr(default, key.field)) for name, key in KEYS.items()
    }
    target: Any = Annotated[kinds.strict_model("Target", keys), BeforeValidator(_is_mapping)]
    return kinds.strict_model("Targets", {TARGETS: (Annotated[tuple[target, ...], BeforeValidator(_is_list)], ...)})


def _is_mapping(value: object) -> object:
    if not isinstance(value, Mapping):
        raise ValueError("is no mapping; write its keys: name, kind, and url or url_file")
    return value


def _is_list(value: object) -> object:
    if value is None or value == "":
        return []
    if not isinstance(value, list):
        raise ValueError("is no list; begin every target with a dash, such as - name: ops")
    return value


def _target(keys: BaseModel, folder: Path) -> Target:
    values = {key.field: getattr(keys, name) for name, key in KEYS.items()}
    for name in ("url_file", "secret_file"):
        if values[name] is not None:
            values[name] = str(folder / Path(values[name]).expanduser())
    return Target(**values | {"about": frozenset(values["about"]), "clouds": frozenset(values["clouds"])})


def _clashes(document: Document, targets: tuple[Target, ...]) -> list[Problem]:
    """Keys that are right one by one and wrong together."""
    found: list[tuple[KeyPath, str]] = []
    for i, one in enumerate(targets):
        path: KeyPath = (TARGETS, i)
        if (one.url is None) == (one.url_file is None):
            found.append((path, "write one of url and url_file"))
        if one.secret_file is not None and one.kind != "webhook":
            found.append(((*path, "secret_file"), f"signs webhooks alone, and this is {one.kind}; remove it"))
        if one.name in [other.name for other in targets[:i]]:
            found.append(((*path, "name"), f"{one.name} is there already; every target needs a name of its own"))
    return [Problem(document.line(path), path, text) for path, text in found]


def _problem(document: Document, detail: ErrorDetails) -> Problem:
    path = detail["loc"]
    match detail["type"]:
        case "extra_forbidden":
            known = (TARGETS,) if len(path) == 1 else tuple(KEYS)
            near = kinds.did_you_mean(str(path[-1]), known) or f"known here: {', '.join(known)}"
            text = f"unknown key; {near}"
        case "missing":
            text = f"is missing; begin with such as {WORDS.such_as}" if len(path) == 1 else "is missing"
        case "value_error":
            text = str(detail["ctx"]["error"])
        case _:
            text = detail["msg"]
    return Problem(document.line(path), path, text)


def _report(problems: list[Problem], source: str) -> str:
    in_order = sorted(problems, key=lambda problem: problem.line)
    return "\n".join(f"{source}:{problem.line}: {problem}" for problem in in_order)


_MODEL: Final = _make_model()
