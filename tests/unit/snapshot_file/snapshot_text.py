"""Small snapshot files for the tests, as a person would write them."""

import json
from pathlib import Path
from typing import Any

import pytest

from watari.drivers.snapshot_file import read_snapshot
from watari.errors import BadInput
from watari.model.compute import ComputeSnapshot
from watari.model.reasons import Finding

TAKEN = "2024-05-01T12:00:00+09:00"


def host(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "zone": "az1", "cpus": 8, "memory_mib": 65536, **more}


def server(id: str, host: str = "h01", **more: Any) -> dict[str, Any]:
    return {"id": id, "host": host, "vcpus": 4, "memory_mib": 8192, **more}


def cloud(**more: Any) -> dict[str, Any]:
    """Two hosts and two servers, all that a file needs."""
    base = {"watari_snapshot": 1, "taken_at": TAKEN, "hosts": [host("h01"), host("h02")]}
    return {**base, "servers": [server("id-1", name="web-1"), server("db-1", "h02")], **more}


def read(tmp_path: Path, value: object) -> tuple[ComputeSnapshot, tuple[Finding, ...]]:
    path = tmp_path / "cluster.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return read_snapshot(path)


def refused(tmp_path: Path, value: object) -> str:
    """What the one error says, after the file's name."""
    with pytest.raises(BadInput) as error:
        read(tmp_path, value)
    words = str(error.value)
    name = str(tmp_path / "cluster.json")
    assert words.startswith(name)
    return words.removeprefix(name)
