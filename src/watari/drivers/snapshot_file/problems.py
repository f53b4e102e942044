"""Everything that is wrong with one snapshot file, collected into one error that says where and what would be right."""

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from functools import partial
from typing import Any

from pydantic_core import ErrorDetails

from watari.drivers.snapshot_file.schema import FORMAT, MARKER, ROWS, FileLoad, SnapshotFile
from watari.errors import BadInput

SHOWN = 20
_COMPARED = 20_000

# What people write who come from Nova, libvirt or another tool; closer than spelling can guess.
_ALSO_CALLED = {
    "az": "zone",
    "availability_zone": "zone",
    "pcpu": "cpus",
    "threads": "cpus",
    "mem": "memory_mib",
    "memory": "memory_mib",
    "memory_mb": "memory_mib",
    "ram": "memory_mib",
    "disk": "disk_gib",
    "disk_gb": "disk_gib",
    "uuid": "id",
    "vcpu": "vcpus",
    "hypervisors": "hosts",
    "vms": "servers",
    "instances": "servers",
    "loads": "load",
    "demand": "cpu_demand",
}


@dataclass(slots=True)
class Problems:
    """Collects problems of `file`; the first 20 are worded, the rest only counted.

    `numbers` says for each section where its rows stand in the file, when broken rows were left out before.
    """

    file: str
    numbers: Mapping[str, list[int]] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, where: str, text: str | Callable[[], str]) -> None:
        """Note one problem. `text` is only called while its words would be shown."""
        self.count += 1
        if self.count <= SHOWN:
            words = text if isinstance(text, str) else text()
            self.lines.append(f"{where}: {words}" if where else words)

    def row(self, section: str, index: int, label: str, key: str, text: str | Callable[[], str]) -> None:
        """Note a problem of one row, `index` as read; `label` is the row's name."""
        if self.count >= SHOWN:
            self.count += 1
            return
        if section in self.numbers:
            index = self.numbers[section][index]
        self.add(f"{section}[{index}] {quoted(label)} {key}".rstrip(), text)

    def raise_if_any(self) -> None:
        """Raises BadInput that holds them all."""
        if self.count == 1:
            raise BadInput(f"{self.file}: {self.lines[0]}")
        if self.count:
            more = [f"and {self.count - SHOWN:,} more"] if self.count > SHOWN else []
            raise BadInput("\n  ".join([f"{self.file} cannot be used, {self.count:,} problems:", *self.lines, *more]))


def quoted(text: object) -> str:
    """A name as JSON has it, control characters escaped and overlong ones cut."""
    words = str(text)
    return json.dumps(words if len(words) <= 60 else words[:57] + "...", ensure_ascii=not words.isprintable())


def counted(n: int, noun: str) -> str:
    """`1 server`, `2 servers`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def some(names: Sequence[str]) -> str:
    """The first few: `web-1, web-2, web-3 and 4 more`."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def did_you_mean(wrong: str, known: Collection[str]) -> str:
    """`; did you mean "h07"?`, or nothing when no name is close, or when there are too many to compare in a moment."""
    near = get_close_matches(wrong, known, n=1, cutoff=0.6) if len(known) <= _COMPARED else []
    return f"; did you mean {quoted(near[0])}?" if near else ""


def add_schema_errors(problems: Problems, errors: list[ErrorDetails], raw: Mapping[str, Any]) -> None:
    """Word what pydantic found. A missing key whose misspelling stands in the same row is said once."""
    renamed = {(*e["loc"][:-1], _meant(e["loc"])) for e in errors if e["type"] == "unexpected_keyword_argument"}
    for error in errors:
        if error["type"] == "missing" and error["loc"] in renamed:
            continue
        problems.add(_where(error["loc"], raw), partial(_words, error))


def label_of(row: object) -> str | None:
    """The name by which a person knows a raw row."""
    if isinstance(row, dict):
        for key in ("name", "id", "server"):
            if isinstance(row.get(key), str) and row[key]:
                return str(row[key])
    return None


def _where(loc: tuple[int | str, ...], raw: Mapping[str, Any]) -> str:
    """`servers[17] "web-3" load.steal` for ("servers", 17, "load", "steal")."""
    if len(loc) < 2 or not isinstance(loc[1], int):
        return _dotted(loc)
    label = label_of(raw[str(loc[0])][loc[1]])
    name = f" {quoted(label)}" if label else ""
    rest = _dotted(loc[2:])
    return f"{loc[0]}[{loc[1]}]{name}" + (f" {rest}" if rest else "")


def _dotted(loc: tuple[int | str, ...]) -> str:
    names = (key if isinstance(key, int) or key.isprintable() else quoted(key) for key in loc)
    path = "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in names)
    return path.removeprefix(".")


def _known_keys(loc: tuple[int | str, ...]) -> list[str]:
    """The keys that are right where the key at the end of `loc` stands."""
    if len(loc) == 1:
        return [f.name for f in fields(SnapshotFile)]
    return [f.name for f in fields(FileLoad if loc[-2] == "load" else ROWS[str(loc[0])])]


def _meant(loc: tuple[int | str, ...]) -> str | None:
    """The key that was probably meant by an unknown one."""
    known = _known_keys(loc)
    wrong = str(loc[-1])
    if (also := _ALSO_CALLED.get(wrong.lower())) in known:
        return also
    near = get_close_matches(wrong.lower(), known, n=1, cutoff=0.6)
    return near[0] if near else None


def _words(error: ErrorDetails) -> str:
    """One sentence: what is wrong and what would be right."""
    key = error["loc"][-1] if error["loc"] else ""
    value = error["input"]
    match error["type"]:
        case "missing":
            return _missing(str(key))
        case "unexpected_keyword_argument":
            meant = _meant(error["loc"])
            cure = f"did you mean {quoted(meant)}?" if meant else "it can be " + ", ".join(_known_keys(error["loc"]))
            return f"is not a key of this format; {cure}"
        case "finite_number":
            cure = "; leave the load out if it is unknown" if key in ("steal", "load_per_vcpu", "cpu_demand") else ""
            return f"is {_number(value)}, must be a finite number{cure}"
        case "timezone_aware":
            return f"has no time zone; write {value}Z if it is UTC, or the offset, such as {value}+09:00"
        case "greater_than_equal" | "less_than_equal" | "greater_than":
            return f"is {_shown(value)}, {_range(str(key), error)}"
        case "string_too_short":
            return "is empty; give it a name"
        case "literal_error":
            expected = error["ctx"]["expected"]
            near = did_you_mean(str(value), re.findall(r"'([^']*)'", expected))
            return f"is {_shown(value)}, must be {expected}{near}"
    return f"is {_shown(value)}, must be {_KINDS.get(error['type']) or _time(error)}"


_KINDS = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "frozen_set_type": "a list of names",
    "dict_type": "an object",
    "dataclass_type": "an object",
}


def _time(error: ErrorDetails) -> str:
    if error["type"].startswith("datetime") or error["type"].startswith("time"):
        return "a time with its zone, such as 2024-05-01T12:00:00+09:00"
    return f"different: {error['msg']}"


def _missing(key: str) -> str:
    match key:
        case "servers" | "hosts":
            return f'is missing; write "{key}": [] if there are none'
        case "taken_at":
            return 'is missing; say when the cloud was read: "taken_at": "2024-05-01T12:00:00+09:00"'
    return "is missing; add it"


def _range(key: str, error: ErrorDetails) -> str:
    if key == "steal":
        return "must be 0 to 1: it is a share of one vCPU's time, 12 % is 0.12"
    limit, what = next((error["ctx"][kind], words) for kind, words in _LIMITS.items() if kind in error["ctx"])
    return f"must be {what.format(int(limit) if limit == int(limit) else limit)}"


_LIMITS = {"ge": "{} or more", "gt": "more than {}", "le": "{} or less"}


def _number(value: object) -> str:
    return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(str(value), str(value))


def _shown(value: object) -> str:
    """A wrong value as JSON, cut to what fits in a line."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value) if isinstance(value, str | bool | int | float) or value is None else str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def not_this_format(raw: object) -> str | None:
    """Why a JSON document is no snapshot file of this format at all; None if it claims to be one."""
    if not isinstance(raw, dict):
        return "is not a snapshot file: it holds no JSON object; export one with `watari snapshot`"
    if "watari_plan" in raw:
        return (
            "is a plan, not a snapshot; carry it out with `watari apply`, or export a snapshot with `watari snapshot`"
        )
    if MARKER not in raw:
        return (
            f'has no "{MARKER}"; export it with `watari snapshot`, or add "{MARKER}": {FORMAT} if you wrote it by hand'
        )
    if type(raw[MARKER]) is not int or raw[MARKER] != FORMAT:
        return (
            f'has "{MARKER}": {_shown(raw[MARKER])}, this Watari reads format {FORMAT}; '
            "export it again with the `watari snapshot` of this version"
        )
    return None
