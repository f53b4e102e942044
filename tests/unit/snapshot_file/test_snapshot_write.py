"""What is written is read back equal, and a file appears whole or stays as it was."""

import gzip
import io
import json
import os
import sys
import threading
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings

from strategies import NOON, snapshots
from watari.drivers.snapshot_file import read_snapshot, snapshot_bytes, snapshot_json_schema, write_snapshot
from watari.errors import BadInput
from watari.model.compute import ComputeSnapshot, GroupId, Host, HostName, Load, Server, ServerGroup, ServerId, ZoneName

DOCS = Path(__file__).parents[3] / "docs" / "reference"
HOST = Host(HostName("h01"), ZoneName("az1"), 8.0, 65536, 100)
SERVER = Server(ServerId("a"), "web-1", HostName("h01"), 4, 8192, metadata={"role": "web"})
SNAPSHOT = ComputeSnapshot(NOON, {HOST.name: HOST}, {SERVER.id: SERVER}, {SERVER.id: Load(0.1, 1.0, 2.0, NOON)})


@settings(max_examples=60, deadline=None)
@given(snapshots(min_hosts=0))
def test_a_snapshot_round_trips_exactly(tmp_path_factory: pytest.TempPathFactory, snapshot: ComputeSnapshot) -> None:
    path = tmp_path_factory.getbasetemp() / "round.json.gz"
    write_snapshot(snapshot, path)
    back, findings = read_snapshot(path)
    assert back == snapshot
    assert list(back.servers) == list(snapshot.servers)
    assert {f.code for f in findings} <= {"empty-cloud", "no-servers"}
    assert snapshot_bytes(back) == snapshot_bytes(snapshot)


def test_the_form_is_one_row_per_line_without_defaults() -> None:
    assert snapshot_bytes(replace(SNAPSHOT, cloud="渡り")).decode() == (
        "{\n"
        '"watari_snapshot": 1,\n'
        '"taken_at": "2024-05-01T12:00:00+00:00",\n'
        '"cloud": "渡り",\n'
        '"hosts": [\n'
        '  {"name": "h01", "zone": "az1", "cpus": 8.0, "memory_mib": 65536, "disk_gib": 100}\n'
        "],\n"
        '"servers": [\n'
        '  {"id": "a", "host": "h01", "vcpus": 4, "memory_mib": 8192, "metadata": {"role": "web"}, "name": "web-1", '
        '"load": {"steal": 0.1, "load_per_vcpu": 1.0, "cpu_demand": 2.0}}\n'
        "]\n"
        "}\n"
    )


def test_offsets_are_kept_and_those_with_seconds_become_utc(tmp_path: Path) -> None:
    tokyo, amsterdam_1930 = timezone(timedelta(hours=9)), timezone(timedelta(minutes=19, seconds=32))
    for zone, text in ((tokyo, "2024-05-01T21:00:00+09:00"), (amsterdam_1930, "2024-05-01T12:00:00+00:00")):
        snapshot = replace(SNAPSHOT, taken_at=NOON.astimezone(zone))
        write_snapshot(snapshot, tmp_path / "c.json")
        assert json.loads((tmp_path / "c.json").read_text())["taken_at"] == text
        assert read_snapshot(tmp_path / "c.json")[0] == snapshot


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    broken = replace(SNAPSHOT, loads={SERVER.id: Load(float("nan"), 1.0, 2.0, NOON)})
    with pytest.raises(BadInput, match=r"cannot be written: servers\[0\] web-1: Out of range float values"):
        write_snapshot(broken, path)
    with pytest.raises(BadInput, match=r"cannot be written: taken_at: 2024-05-01T00:00:00 has no time zone"):
        write_snapshot(replace(SNAPSHOT, taken_at=datetime(2024, 5, 1)), path)
    assert not path.exists()


def test_a_file_is_replaced_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "latest.json"
    link.symlink_to(path)
    write_snapshot(SNAPSHOT, link)
    assert link.is_symlink()
    assert read_snapshot(path)[0] == SNAPSHOT
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c.json", "latest.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.json"
    path.write_text("old")

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(BadInput, match=r"c\.json cannot be written: No space left on device"):
        write_snapshot(SNAPSHOT, path)
    assert [p.name for p in tmp_path.iterdir()] == ["c.json"]
    assert path.read_text() == "old"


def test_equal_snapshots_give_equal_packed_files(tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.json.gz"):
        write_snapshot(SNAPSHOT, tmp_path / name)
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.json.gz").read_bytes()) == snapshot_bytes(SNAPSHOT)


def test_a_pipe_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_snapshot(SNAPSHOT, pipe)
    reader.join()
    assert got == [snapshot_bytes(SNAPSHOT)]
    assert pipe.is_fifo()


def test_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out))
    write_snapshot(SNAPSHOT, "-")
    assert out.getvalue() == snapshot_bytes(SNAPSHOT)


def test_places_that_cannot_be_written_to(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written: it is a directory; name a file in it"):
        write_snapshot(SNAPSHOT, tmp_path)
    with pytest.raises(BadInput, match="cannot be written: its directory does not exist; make it first"):
        write_snapshot(SNAPSHOT, tmp_path / "none" / "c.json")


def test_groups_with_a_name_of_their_own(tmp_path: Path) -> None:
    groups = {GroupId("g"): ServerGroup(GroupId("g"), "pair", "affinity", frozenset((SERVER.id,)))}
    write_snapshot(replace(SNAPSHOT, groups=groups), tmp_path / "c.json")
    assert read_snapshot(tmp_path / "c.json")[0].groups == groups


def test_the_published_schema_is_up_to_date() -> None:
    """Renew it with: python -m watari.drivers.snapshot_file > docs/reference/snapshot.schema.json."""
    assert json.loads((DOCS / "snapshot.schema.json").read_text()) == snapshot_json_schema()


def test_the_reference_names_every_key_and_its_example_works(tmp_path: Path) -> None:
    page = (DOCS / "snapshot.md").read_text()
    definitions = [*snapshot_json_schema()["$defs"].values(), snapshot_json_schema()]
    for key in {key for definition in definitions for key in definition["properties"]}:
        assert f"`{key}`" in page, key
    (tmp_path / "example.json").write_text(page.split("```json\n")[1].split("```")[0])
    snapshot, findings = read_snapshot(tmp_path / "example.json")
    assert len(snapshot.servers) == 3
    assert [f.code for f in findings] == ["derived-loads", "derived-loads-partial"]
