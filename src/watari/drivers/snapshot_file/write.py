"""Write a snapshot file: whole or not at all, one row per line, defaults left out."""

import gzip
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watari.drivers.snapshot_file.schema import (
    FORMAT,
    MARKER,
    FileFlight,
    FileGroup,
    FileHost,
    FileLoad,
    FilePastMove,
    FileServer,
)
from watari.errors import BadInput
from watari.model.compute import ComputeSnapshot, Server, ServerGroup


def write_snapshot(snapshot: ComputeSnapshot, path: Path | str) -> None:
    """Write a file that `read_snapshot` reads back to an equal snapshot; gzipped when its name ends in .gz.

    A regular file appears complete, by rename, or stays as it was. "-" is standard output; other things that are no
    files (a pipe, /dev/null) are written to in place. Raises BadInput when the place cannot be written to or a load
    is not a finite number.
    """
    content = snapshot_bytes(snapshot)
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    if str(path).endswith(".gz"):
        content = gzip.compress(content, compresslevel=6, mtime=0)  # mtime 0: equal snapshots give equal files
    try:
        target = Path(path).resolve()  # through a symbolic link, not over it
        if target.exists() and not stat.S_ISREG(target.stat().st_mode):
            target.write_bytes(content)  # rename would replace the device or pipe itself
        else:
            _replace(target, content)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be written: {_os_words(error)}") from None


def snapshot_bytes(snapshot: ComputeSnapshot) -> bytes:
    """The snapshot as JSON. Rows keep their order; equal snapshots with equal order give equal bytes."""
    head = {MARKER: FORMAT, "taken_at": snapshot.taken_at, **({"cloud": snapshot.cloud} if snapshot.cloud else {})}
    lines = [f"{_encode(key)}: {_encoded(value, key)}" for key, value in head.items()]
    lines.append(_section("hosts", (_row(host, _HOST) for host in snapshot.hosts.values())))
    lines.append(_section("servers", (_server(s, snapshot) for s in snapshot.servers.values())))
    for name, rows in (
        ("groups", [_group(group) for group in snapshot.groups.values()]),
        ("flights", [_row(flight, _FLIGHT) for flight in snapshot.flights]),
        ("past", [_row(move, _PAST) for move in snapshot.past]),
    ):
        if rows:
            lines.append(_section(name, rows))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _replace(target: Path, content: bytes) -> None:
    temporary = target.with_name(f".{target.name[:200]}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            if target.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)  # the rename itself survives a power cut
    finally:
        os.close(directory)


def _os_words(error: Exception) -> str:
    match error:
        case FileNotFoundError():
            return "its directory does not exist; make it first"
        case IsADirectoryError():
            return "it is a directory; name a file in it"
        case PermissionError():
            return "permission denied; choose a place that the user who runs this command may write to"
        case OSError():
            return str(error.strerror or error)
    return str(error)


def _optional(row: type) -> dict[str, Any]:
    """Every key of a row with its default; MISSING where the key must stand."""
    defaults = {}
    for f in fields(row):
        default = f.default_factory() if f.default_factory is not MISSING else f.default
        defaults[f.name] = frozenset(default) if isinstance(default, list) else default
    return defaults


_HOST = _optional(FileHost)
_LOAD = _optional(FileLoad)
_SERVER = {key: default for key, default in _optional(FileServer).items() if key not in ("name", "load", "member_of")}
_GROUP = {key: default for key, default in _optional(FileGroup).items() if key != "name"}
_FLIGHT = _optional(FileFlight)
_PAST = _optional(FilePastMove)


def _row(value: object, keys: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of `value` that differ from their defaults."""
    row = {}
    for key, default in keys.items():
        attribute = getattr(value, key)
        if default is MISSING or attribute != default:
            row[key] = attribute
    return row


def _server(server: Server, snapshot: ComputeSnapshot) -> dict[str, Any]:
    row, load, taken_at = _row(server, _SERVER), snapshot.loads.get(server.id), snapshot.taken_at
    if server.name != server.id:
        row["name"] = server.name
    if load is not None:
        row["load"] = _row(load, _LOAD)
        if load.at == taken_at:
            del row["load"]["at"]
    if member_of := snapshot.memberships.get(server.id):
        row["member_of"] = [{"orchestrator": m.orchestrator, "member": m.member} for m in member_of]
    return row


def _group(group: ServerGroup) -> dict[str, Any]:
    row = _row(group, _GROUP)
    return row if group.name == group.id else {**row, "name": group.name}


def _section(name: str, rows: Iterable[Mapping[str, Any]]) -> str:
    body = ",\n".join(f"  {_encoded(row, f'{name}[{i}]')}" for i, row in enumerate(rows))
    return f'"{name}": [\n{body}\n]' if body else f'"{name}": []'


def _encoded(value: Any, where: str) -> str:
    try:
        return _encode(value)
    except ValueError as error:
        label = next((value[key] for key in ("name", "id", "server") if key in value), "") if where[-1] == "]" else ""
        words = f"{where} {label}".rstrip()
        raise BadInput(f"the snapshot cannot be written: {words}: {error}; its driver has to leave that out") from None


def _iso(at: datetime) -> str:
    """ISO 8601 with offset; UTC where the offset has seconds, which the format does not know (local mean times)."""
    offset = at.utcoffset()
    if offset is None:
        raise ValueError(f"{at.isoformat()} has no time zone")
    return (at.astimezone(UTC) if offset.seconds % 60 or offset.microseconds else at).isoformat()


def _other(value: object) -> object:
    match value:
        case datetime():
            return _iso(value)
        case frozenset():
            return sorted(value)
        case Mapping():
            return dict(value)
    raise ValueError(f"{value!r} has no JSON form")


_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_other).encode
