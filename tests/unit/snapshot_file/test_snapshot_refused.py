"""A snapshot file that cannot be used: one error, with the file, the place and the cure."""

import errno
import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.snapshot_file.snapshot_text import TAKEN, cloud, host, refused, server
from watari.drivers.snapshot_file import read_snapshot
from watari.drivers.snapshot_file.read import _os_words
from watari.errors import BadInput

AGAIN = "export it again with `watari snapshot`"
FULL: dict[str, Any] = {"steal": 0.1, "load_per_vcpu": 1, "cpu_demand": 1}
NEEDS = "give steal, load_per_vcpu and cpu_demand together, cpu_demand alone, or no load at all"
UNKNOWN = "; leave the load out if it is unknown"


def one(**load: Any) -> dict[str, Any]:
    return cloud(servers=[server("id-1", name="web-1", load={**FULL, **load})])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (cloud(servers=[server("a"), server("b", "h1", name="web-3")]),
         'servers[1] "web-3" host: "h1" is not among the 2 hosts; did you mean "h01"?'),
        (cloud(servers=[server("a", "elsewhere")]),
         'servers[0] "a" host: "elsewhere" is not among the 2 hosts; add the host, or correct the name'),
        (cloud(servers=[server("a"), server("b"), server("a", name="web-9")]),
         'servers[2] "web-9" id: is the same as that of servers[0]; give each its own'),
        (cloud(hosts=[host("h01"), host("h02"), host("h02")]),
         'hosts[2] "h02" name: is the same as that of hosts[1]; give each its own'),
        (one(steal=float("nan")), f'servers[0] "web-1" load.steal: is NaN, must be a finite number{UNKNOWN}'),
        (one(cpu_demand=float("inf")),
         f'servers[0] "web-1" load.cpu_demand: is Infinity, must be a finite number{UNKNOWN}'),
        (one(steal=12), 'servers[0] "web-1" load.steal: is 12, must be 0 to 1: '
                        "it is a share of one vCPU's time, 12 % is 0.12"),
        (one(steal=-0.1), 'servers[0] "web-1" load.steal: is -0.1, must be 0 to 1: '
                          "it is a share of one vCPU's time, 12 % is 0.12"),
        (one(cpu_demand=-1), 'servers[0] "web-1" load.cpu_demand: is -1, must be 0 or more'),
        (one(load_per_vcpu=None), f'servers[0] "web-1" load: lacks load_per_vcpu; {NEEDS}'),
        (one(cpu_demand=None), f'servers[0] "web-1" load: lacks cpu_demand; {NEEDS}'),
        (one(at="2024-05-01T12:00:00"), 'servers[0] "web-1" load.at: has no time zone; write 2024-05-01T12:00:00Z if '
                                        "it is UTC, or the offset, such as 2024-05-01T12:00:00+09:00"),
        (cloud(taken_at="2024-05-01T12:00:00"), "taken_at: has no time zone; write 2024-05-01T12:00:00Z if it is UTC, "
                                                "or the offset, such as 2024-05-01T12:00:00+09:00"),
        (cloud(taken_at="noon"),
         'taken_at: is "noon", must be a time with its zone, such as 2024-05-01T12:00:00+09:00'),
        (cloud(host=[]), 'host: is not a key of this format; did you mean "hosts"?'),
        (cloud(extra=[]), "extra: is not a key of this format; it can be watari_snapshot, taken_at, hosts, servers, "
                          "groups, flights, past, cloud"),
        (cloud(hosts=[host("h01", az="az1"), host("h02")]),
         'hosts[0] "h01" az: is not a key of this format; did you mean "zone"?'),
        (cloud(servers=[server("a", meta={})]),
         'servers[0] "a" meta: is not a key of this format; did you mean "metadata"?'),
        (one(stael=0.1), 'servers[0] "web-1" load.stael: is not a key of this format; did you mean "steal"?'),
        (cloud(servers=[{"id": "a", "host": "h01", "vcpu": 2, "ram": 4}]),
         ' cannot be used, 2 problems:\n'
         '  servers[0] "a" vcpu: is not a key of this format; did you mean "vcpus"?\n'
         '  servers[0] "a" ram: is not a key of this format; did you mean "memory_mib"?'),
        (cloud(servers=[{"id": "a", "vcpus": 2, "memory_mib": 4}]), 'servers[0] "a" host: is missing; add it'),
        (cloud(servers=[5]), "servers[0]: is 5, must be an object"),
        (cloud(servers={}), "servers: is an object, must be a list"),
        (cloud(servers=[server("a", vcpus="4")]), 'servers[0] "a" vcpus: is "4", must be a whole number'),
        (cloud(servers=[server("a", vcpus=2.5)]), 'servers[0] "a" vcpus: is 2.5, must be a whole number'),
        (cloud(servers=[server("a", vcpus=0)]), 'servers[0] "a" vcpus: is 0, must be 1 or more'),
        (cloud(servers=[server("a", memory_mib=2**50)]),
         'servers[0] "a" memory_mib: is 1125899906842624, must be 1099511627776 or less'),
        (cloud(servers=[server("a", metadata={"role": 5})]),
         'servers[0] "a" metadata.role: is 5, must be text in quotes'),
        (cloud(servers=[server("a", aggregates=["ssd", 5])]),
         'servers[0] "a" aggregates[1]: is 5, must be text in quotes'),
        (cloud(servers=[server("a", aggregates="ssd")]),
         'servers[0] "a" aggregates: is "ssd", must be a list of names'),
        (cloud(servers=[server("")]), "servers[0] id: is empty; give it a name"),
        (cloud(hosts=[host("h01", cpu_ratio=0), host("h02")]), 'hosts[0] "h01" cpu_ratio: is 0, must be more than 0'),
        (cloud(hosts=[host("h01", state="UP"), host("h02")]),
         "hosts[0] \"h01\" state: is \"UP\", must be 'up', 'disabled', 'draining' or 'down'"),
        (cloud(hosts=[host("h01", state="drain"), host("h02")]),
         "hosts[0] \"h01\" state: is \"drain\", must be 'up', 'disabled', 'draining' or 'down'"
         '; did you mean "draining"?'),
        (cloud(groups=[{"id": "g", "policy": "anti-affinity", "members": ["id-1", "web-1"]}]),
         'groups[0] "g" members: "web-1" is not the id of a server here; it is the name of "id-1": write the id'),
        (cloud(groups=[{"id": "g", "policy": "anti-affinity", "members": ["db-2"]}]),
         'groups[0] "g" members: "db-2" is not the id of a server here; did you mean "db-1"?'),
        (cloud(groups=[{"id": "g", "policy": "affinity", "members": []}] * 2),
         'groups[1] "g" id: is the same as that of groups[0]; give each its own'),
        (cloud(flights=[{"server": "zzz", "source": "h01", "target": "h02", "since": TAKEN}]),
         'flights[0] "zzz" server: "zzz" is not the id of a server here; add the server, or take it out'),
        (cloud(flights=[{"server": "db-1", "source": "h02", "target": "h9", "since": TAKEN}]),
         'flights[0] "db-1" target: "h9" is not among the 2 hosts; add the host, or correct the name'),
        (cloud(flights=[{"server": "db-1", "source": "h02", "target": "h02", "since": TAKEN}]),
         'flights[0] "db-1" target: is the source too; a migration goes to another host'),
        (cloud(flights=[{"server": "db-1", "source": "h02", "target": "h01", "since": TAKEN}] * 2),
         'flights[1] "db-1" server: is the same as that of flights[0]; list a server\'s migration once'),
        (cloud(hosts=[host("h01"), host("h02"), host("h03")],
               flights=[{"server": "db-1", "source": "h01", "target": "h03", "since": TAKEN}]),
         'flights[0] "db-1" source: is "h01", but the server is on "h02"; '
         "correct one of them, or export the file again"),
        (cloud(past=[{"server": "a", "source": "x", "target": "y", "ended": TAKEN, "done": 1}]),
         'past[0] "a" done: is 1, must be true or false'),
        (json.dumps(cloud()).replace('"servers"', '"servers": [], "servers"'),
         '"servers" stands twice in one object; keep one of them'),
        (json.dumps(cloud()).replace('"name": "web-1"', '"name": "web-1", "vcpus": 2'),
         'in "web-1": "vcpus" stands twice in one object; keep one of them'),
        ({"watari_snapshot": 1, "taken_at": TAKEN, "hosts": []},
         'servers: is missing; write "servers": [] if there are none'),
        ({"watari_snapshot": 1, "servers": [], "hosts": []},
         'taken_at: is missing; say when the cloud was read: "taken_at": "2024-05-01T12:00:00+09:00"'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_place_and_cure(tmp_path: Path, value: object, words: str) -> None:
    assert refused(tmp_path, value).removeprefix(": ") == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([1], "is not a snapshot file: it holds no JSON object; export one with `watari snapshot`"),
        ({"hosts": []}, 'has no "watari_snapshot"; export it with `watari snapshot`, or add "watari_snapshot": 1 if '
                        "you wrote it by hand"),
        ({"watari_plan": 1}, "is a plan, not a snapshot; carry it out with `watari apply`, or export a snapshot with "
                             "`watari snapshot`"),
        (cloud(watari_snapshot=2), 'has "watari_snapshot": 2, this Watari reads format 1; export it again with the '
                                   "`watari snapshot` of this version"),
        (cloud(watari_snapshot="1"), 'has "watari_snapshot": "1", this Watari reads format 1; export it again with the '
                                     "`watari snapshot` of this version"),
        ("", f"is empty: {AGAIN}"),
        (" \n", f"is empty: {AGAIN}"),
        ('{"hosts": [\n{"name": "h', f"ends early, at byte 23 (line 2): {AGAIN}"),
        ("hosts: 3", f"is not JSON: expected value at line 1 column 1; {AGAIN}, or correct it there"),
        ('{"hosts": [],}', f"is not JSON: trailing comma at line 1 column 14; {AGAIN}, or correct it there"),
        ("[" * 1000, f"is not JSON: recursion limit exceeded at line 1 column 202; {AGAIN}, or correct it there"),
    ],
)  # fmt: skip
def test_what_is_no_snapshot_file(tmp_path: Path, value: object, words: str) -> None:
    assert refused(tmp_path, value) == f" {words}"


def test_all_problems_are_told_at_once_with_rows_as_the_file_has_them(tmp_path: Path) -> None:
    value = cloud(
        hosts=[host("h00", cpus="8"), host("h01")],
        servers=[server("a", load={"steal": 2}), server("b", "h1"), server("c", "h00"), server("b", name="web-4")],
        groups=[{"id": "g", "policy": "affinity", "members": ["a", "x"]}],
        past=[{"server": "a", "source": "h", "target": "h", "ended": TAKEN}],
    )
    assert refused(tmp_path, value).splitlines() == [
        " cannot be used, 5 problems:",
        '  hosts[0] "h00" cpus: is "8", must be a number',
        '  servers[0] "a" load.steal: is 2, must be 0 to 1: it is a share of one vCPU\'s time, 12 % is 0.12',
        '  servers[1] "b" host: "h1" is not among the 1 host; did you mean "h01"?',
        '  servers[3] "web-4" id: is the same as that of servers[1]; give each its own',
        '  groups[0] "g" members: "x" is not the id of a server here; add the server, or take it out',
    ]


def test_twenty_problems_are_worded_and_the_rest_counted(tmp_path: Path) -> None:
    for servers in (
        [server(f"s{i}", "nowhere") for i in range(33)],
        [server(f"s{i}", vcpus=0) for i in range(33)],
        [server(f"s{i}", "nowhere", vcpus=i % 3) for i in range(33)],
    ):
        words = refused(tmp_path, cloud(servers=servers)).splitlines()
        assert words[0] == " cannot be used, 33 problems:"
        assert len(words) == 22
        assert words[-1] == "  and 13 more"


def test_names_are_cut_and_escaped(tmp_path: Path) -> None:
    words = refused(tmp_path, cloud(servers=[server("a", "x" * 100), server("b\x1b[2J", "h09")]))
    assert f'"{"x" * 57}..." is not among' in words
    assert 'servers[1] "b\\u001b[2J" host' in words
    assert '"\\u001b[2J": is not a key of this format' in refused(tmp_path, cloud(**{"\x1b[2J": 1}))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_file_that_was_cut_off_is_read(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    content = json.dumps(cloud(cloud="渡り"), ensure_ascii=False).encode()
    packed = data.draw(st.booleans())
    content = gzip.compress(content, mtime=0) if packed else content
    path = tmp_path_factory.getbasetemp() / "cut.json"
    path.write_bytes(content[: data.draw(st.integers(2, len(content) - 1))])
    with pytest.raises(BadInput, match="ends early"):
        read_snapshot(path)


def test_damaged_content(tmp_path: Path) -> None:
    path = tmp_path / "cluster.json.gz"
    packed = bytearray(gzip.compress(json.dumps(cloud()).encode()))
    packed[-6] ^= 0xFF
    path.write_bytes(packed)
    with pytest.raises(BadInput, match=r"is damaged \(CRC check failed.*: export it again"):
        read_snapshot(path)
    path.write_bytes(b'{"cloud": "\xff\xfe"}')
    with pytest.raises(BadInput, match=r"is not JSON: byte 11 is not UTF-8 text; export it again"):
        read_snapshot(path)


def test_places_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read: it is a directory; name the file in it"):
        read_snapshot(tmp_path)
    with pytest.raises(BadInput, match=r"none\.json cannot be read: there is no such file; check the name, or export"):
        read_snapshot(tmp_path / "none.json")
    with pytest.raises(BadInput, match="cannot be read: embedded null byte"):
        read_snapshot("a\0b")
    with pytest.raises(BadInput, match="cannot be read: File name too long"):
        read_snapshot(tmp_path / ("x" * 300))
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    assert _os_words(denied) == "permission denied; make it readable for the user who runs this command"
