"""Read a snapshot file, all of it or nothing: one error names everything that is wrong with it."""

import gc
import gzip
import json
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json

from watari.drivers.snapshot_file.assemble import Unreadable, assemble
from watari.drivers.snapshot_file.problems import Problems, add_schema_errors, label_of, not_this_format, quoted
from watari.drivers.snapshot_file.schema import ADAPTER, ROWS, SnapshotFile
from watari.errors import BadInput
from watari.model.compute import ComputeSnapshot
from watari.model.reasons import Finding

_GZIP = b"\x1f\x8b"
_AGAIN = "export it again with `watari snapshot`"


def read_snapshot(path: Path | str) -> tuple[ComputeSnapshot, tuple[Finding, ...]]:
    """The snapshot in a file ("-": standard input), gzipped or not, and what a person should know about it.

    Raises BadInput, with all problems of the file, for anything after which a plan would rest on wrong data. What can
    be left out safely is left out and told as a finding. 10,000 hosts with 100,000 servers take about two seconds.
    """
    file = "standard input" if str(path) == "-" else str(path)
    with _collector_paused():
        return _read(_content(path, file), file)


def _read(content: bytes, file: str) -> tuple[ComputeSnapshot, tuple[Finding, ...]]:
    problems = Problems(file)
    try:
        rows = ADAPTER.validate_json(content)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        if errors[0]["type"] == "json_invalid":
            raise BadInput(f"{file} {_not_json(str(errors[0]['ctx']['error']), content)}") from None
        _raise_all(problems, errors, from_json(content))
    _check_repeated_keys(content, problems)
    snapshot, findings = assemble(rows, problems)
    problems.raise_if_any()
    return snapshot, findings


def _content(path: Path | str, file: str) -> bytes:
    """The file's bytes, unpacked. Content decides about gzip, so that a pipe needs no name."""
    try:
        content = sys.stdin.buffer.read() if str(path) == "-" else Path(path).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadInput(f"{file} cannot be read: {_os_words(error)}") from None
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except EOFError:
            raise BadInput(f"{file} ends early, after {len(content):,} compressed bytes: {_AGAIN}") from None
        except (OSError, zlib.error) as error:
            raise BadInput(f"{file} is damaged ({error}): {_AGAIN}") from None
    content = content.removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise BadInput(f"{file} is empty: {_AGAIN}")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            raise BadInput(f"{file} {_not_json('EOF while parsing a character', content)}") from None
        raise BadInput(f"{file} is not JSON: byte {error.start:,} is not UTF-8 text; {_AGAIN}") from None
    return content


def _os_words(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "there is no such file; check the name, or export one with `watari snapshot`"
        case IsADirectoryError():
            return "it is a directory; name the file in it"
        case PermissionError():
            return "permission denied; make it readable for the user who runs this command"
        case OSError():
            return str(error.strerror or error)
    return str(error)


def _not_json(words: str, content: bytes) -> str:
    """What the JSON parser said, told apart: cut off, or never was JSON."""
    if words.startswith("EOF"):
        line = content.rstrip().count(b"\n") + 1
        return f"ends early, at byte {len(content):,} (line {line:,}): {_AGAIN}"
    return f"is not JSON: {words}; {_AGAIN}, or correct it there"


def _raise_all(problems: Problems, errors: list[ErrorDetails], raw: Any) -> None:
    """Raise the schema's errors together with the wrong references of the rows that are sound."""
    if why := not_this_format(raw):
        raise BadInput(f"{problems.file} {why}")
    add_schema_errors(problems, errors, raw)
    sound, numbers, unreadable = _sound_part(errors, raw)
    if sound is not None:
        rest = Problems(problems.file, numbers)
        assemble(sound, rest, unreadable)
        for line in rest.lines:
            problems.add("", line)
        problems.count += rest.count - len(rest.lines)
    problems.raise_if_any()


def _sound_part(
    errors: list[ErrorDetails], raw: dict[str, Any]
) -> tuple[SnapshotFile | None, dict[str, list[int]], Unreadable]:
    """The file without its broken rows, where the others stand, and the broken ones' names; None: broken as a whole."""
    broken: dict[str, set[int]] = {section: set() for section in ROWS}
    for error in errors:
        loc = error["loc"]
        if len(loc) < 2 or not isinstance(loc[1], int):
            return None, {}, Unreadable()
        broken[str(loc[0])].add(loc[1])
    numbers: dict[str, list[int]] = {}
    for section, rows in broken.items():
        numbers[section] = [i for i in range(len(raw.get(section, []))) if i not in rows]
    kept = {section: [raw[section][i] for i in numbers[section]] for section in ROWS if section in raw}
    lost_hosts = frozenset(filter(None, (label_of(raw["hosts"][i]) for i in broken["hosts"])))
    lost_servers = (raw["servers"][i] for i in broken["servers"])
    ids = frozenset(str(row["id"]) for row in lost_servers if isinstance(row, dict) and "id" in row)
    return ADAPTER.validate_json(json.dumps({**raw, **kept})), numbers, Unreadable(lost_hosts, ids)


def _check_repeated_keys(content: bytes, problems: Problems) -> None:
    """A key that stands twice in an object: JSON readers keep the last and silently forget the other."""

    def look(pairs: list[tuple[str, Any]]) -> None:
        if len(dict(pairs)) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = ", ".join(quoted(key) for key in dict.fromkeys(keys) if keys.count(key) > 1)
            label = label_of(dict(pairs))
            problems.add(
                f"in {quoted(label)}" if label else "", f"{twice} stands twice in one object; keep one of them"
            )

    json.loads(content, object_pairs_hook=look)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Hundreds of thousands of small values at once make the cyclic collector search in vain, for half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
