"""Every kind of error in a policy file: the exact line, and all of them at once."""

import sys
import zoneinfo
from pathlib import Path

import pytest

from watari.errors import BadInput
from watari.policy.load import load_policy, parse_policy


def errors(text: str) -> list[str]:
    with pytest.raises(BadInput) as caught:
        parse_policy(text, "p.yaml")
    return str(caught.value).split("\n")


def test_unknown_keys_say_what_was_meant() -> None:
    text = """\
detect:
  steall: 5 %
  headroom: 5 %
  timezone: UTC
  zzz: 1
cool_down_s: 5 min
roels: {}
<<: {a: 1}
"""
    assert errors(text) == [
        'p.yaml:2: detect.steall: unknown key; did you mean "steal"?',
        "p.yaml:3: detect.headroom: unknown key here; it belongs under destination:",
        "p.yaml:4: detect.timezone: unknown key here; it belongs to the top of the file, not indented",
        "p.yaml:5: detect.zzz: unknown key; known here: steal, load_per_vcpu, hold_rounds, smoothing, stale_after, "
        "host_over",
        "p.yaml:6: cool_down_s: unknown key; known here: name, rule, timezone, expires, detect, destination, roles, "
        "exclude, calm, budgets, weights, look_ahead, drain, orchestration, copying, serve",
        'p.yaml:7: roels: unknown key; did you mean "roles"?',
        "p.yaml:8: <<: merge keys are not used in policies; write the keys out",
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("detect: {steal: 0 %}", "detect.steal: 0 % is too little; write more than 0 %"),
        ("detect: {steal: 101 %}", "detect.steal: 101 % is too much; write 100 % or less"),
        ("detect: {hold_rounds: 0}", "detect.hold_rounds: 0 is too little; write 1 or more"),
        ("detect: {smoothing: 90}", 'detect.smoothing: "90" has no unit; write 90 s, 90 min, 90 h or 90 d'),
        (
            "detect: {steal: none}",
            "detect.steal: cannot be none; write a value such as 5 %, or remove the line for the default",
        ),
        ("detect: {steal: [5 %]}", "detect.steal: is a list; write a single value such as 5 %"),
        ("detect: {steal: {a: b}}", "detect.steal: is a mapping; write a single value such as 5 %"),
        (
            "detect: {steal: }",
            "detect.steal: has no value; write one such as 5 %, or remove the line for the default",
        ),
        (
            "detect: {host_over: }",
            "detect.host_over: has no value; write none if that is meant, or remove the line for the default",
        ),
        ("drain: {pinned: live}", 'drain.pinned: "live" is not known; write cold or leave'),
        (
            "drain: {largest_local_disk: 500}",
            'drain.largest_local_disk: "500" has no unit; write 500 GiB or 500 GB',
        ),
        (
            "drain: {largest_local_disk: 500 G}",
            'drain.largest_local_disk: "500 G" is not a size; did you mean 500 GiB?',
        ),
        (
            "drain: {largest_local_disk: much}",
            'drain.largest_local_disk: "much" is not a size; write it such as 500 GiB or 1 TB',
        ),
        ("drain: {largest_local_disk: 0 GiB}", "drain.largest_local_disk: 0 GiB is too little; write more than 0 GiB"),
        (
            "drain: {wish: x}",
            "drain.wish: unknown key; known here: stopped, pinned, wish_metadata_key, "
            "largest_local_disk, crowd_roles, allow_steal, storage_check",
        ),
        ("budgets: {deadline: 0 s}", "budgets.deadline: 0 s is too little; write more than 0 s"),
        ("destination: {headroom: 100 %}", "destination.headroom: 100 % is too much; write less than 100 %"),
        (
            "destination: {same_zone: false}",
            "destination.same_zone: false is refused: servers never leave their zone, so that redundancy over zones "
            "survives; write true or remove the line",
        ),
        ("destination: {spread_roles: maybe}", 'destination.spread_roles: "maybe" is neither; write true or false'),
        ("rule: publishd", 'rule: "publishd" is not known; did you mean "published"?'),
        ("rule: mine", 'rule: "mine" is not known; write projected or published'),
        (
            "roles: {name_pattern: '('}",
            'roles.name_pattern: "(" is not a regular expression (missing ), unterminated subpattern at position 0); '
            "correct it, or write none",
        ),
        ("exclude: {hosts: gpu-1}", 'exclude.hosts: is the single value "gpu-1"; write a list such as ["gpu-*"]'),
        (
            "exclude: {hosts: [a, none]}",
            'exclude.hosts[1]: cannot be none; write a value such as "gpu-*", or remove the line for the default',
        ),
        ("budgets: {link: 400}", 'budgets.link: "400" has no unit; write 400 MiB/s or 400 Mbit/s'),
        ("budgets: {link: 0 B/s}", "budgets.link: 0 B/s is too little; write more than 0 MiB/s"),
        ("budgets: none", "budgets: is none; write its keys below it, such as total: 12"),
        ("weights: [1]", "weights: is a list; write its keys below it, such as steal: 10"),
        ("look_ahead: {horizon: 2 d}", "look_ahead.horizon: 2 d is too much; write 1 d or less"),
        (
            "look_ahead: {slot: 7 min}",
            "look_ahead.slot: 7 min does not cut the day into equal slots; write such as 5 min, 15 min or 1 h",
        ),
        ("timezone: Tokyo", 'timezone: "Tokyo" is not a time zone; did you mean "Asia/Tokyo"?'),
        ("timezone: asia/tokyo", 'timezone: "asia/tokyo" is not a time zone; did you mean "Asia/Tokyo"?'),
        ("timezone: ../x", 'timezone: "../x" is not a time zone; write one such as Asia/Tokyo'),
        ("timezone: Asia", 'timezone: "Asia" is not a time zone; write one such as Asia/Tokyo'),
        ('name: "a\\n\\e[31m"\nrule: "x\\ny"', 'rule: "x y" is not known; write projected or published'),
    ],
)
def test_wrong_values(text: str, error: str) -> None:
    line = text.count("\n") + 1
    assert errors(text) == [f"p.yaml:{line}: {error}"]


def test_windows() -> None:
    text = """\
budgets:
  quiet:
    - 705
    - [a]
    - {from: 10:00, to: 11:00, moves: 3}
    - 00:00-24:00
    - {from: 24:00, to: 01:00}
  peaks:
    - {from: 11:45, moves: x}
    - 12:00-12:00
    - {from: 1:00, to: 2:00, zones: []}
    - {from: 1:00,
       to: 26:00}
"""
    assert errors(text) == [
        'p.yaml:3: budgets.quiet[0]: "705" is not a span of the day; write it such as 11:45-12:45',
        'p.yaml:4: budgets.quiet[1]: is a list; write a window such as "11:45-12:45"',
        "p.yaml:5: budgets.quiet[2].moves: unknown key; known here: from, to, zones",
        "p.yaml:6: budgets.quiet[3]: covers the whole day; write a shorter window, or change the budgets themselves",
        "p.yaml:7: budgets.quiet[4].from: 24:00 is the end of a day; write 00:00",
        "p.yaml:9: budgets.peaks[0].to: is missing; a window needs both from and to",
        'p.yaml:9: budgets.peaks[0].moves: "x" is not a whole number; write it such as 2',
        "p.yaml:10: budgets.peaks[1]: 12:00-12:00 has no length; write a later end",
        "p.yaml:11: budgets.peaks[2].zones: is empty; write a list such as [az1], or remove the line",
        'p.yaml:13: budgets.peaks[3].to: "26:00" is not a time of day; hours go to 24:00, minutes to 59',
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "destination:\n  max_steal: 5 %",
            "2: destination.max_steal: 5 % (line 2) is not less than detect.steal, 5 % (the default): "
            "a starved host could receive more; write less than 5 %",
        ),
        (
            "detect:\n  steal: 1 %",
            "2: destination.max_steal: 2 % (the default) is not less than detect.steal, 1 % (line 2): "
            "a starved host could receive more; write less than 1 %",
        ),
        (
            "budgets:\n  total: 4\n  per_zone: 6",
            "3: budgets.per_zone: 6 (line 3) is more than budgets.total, 4 (line 2), and never reached; "
            "write 4 or less, or raise total",
        ),
        (
            "budgets:\n  per_host_in: 20",
            "2: budgets.per_host_in: 20 (line 2) is more than budgets.total, 12 (the default), and never reached; "
            "write 12 or less, or raise total",
        ),
        (
            "budgets:\n  move: 10000 Mbit/s",
            "2: budgets.move: 10000 Mbit/s (line 2) is more than budgets.link, 800 MiB/s (the default): "
            "no move can have it; write 800 MiB/s or less, or raise link",
        ),
        (
            "budgets:\n  total_bandwidth: 100 MB/s\n  move: 200 MB/s",
            "3: budgets.move: 200 MB/s (line 3) is more than budgets.total_bandwidth, 100 MB/s (line 2): "
            "no move can have it; write 100 MB/s or less, or raise total_bandwidth",
        ),
        (
            "calm:\n  no_return: 10 min",
            "2: calm.no_return: 10 min (line 2) is less than calm.cool_down, 1 h (the default), and never felt; "
            "write 1 h or more, or 0 s to allow the way back",
        ),
        (
            "look_ahead:\n  horizon: 10 min",
            "2: look_ahead.slot: 15 min (the default) is more than look_ahead.horizon, 10 min (line 2): nothing ahead "
            "could be seen; write 10 min or less, or horizon: 0 s to turn look_ahead off",
        ),
        (
            "weights: {steal: 0, same_role: 0,\n  cpu: 0, memory: 0}",
            "1: weights.steal: all of steal, same_role, cpu and memory are 0: no host is better than another; "
            "raise one",
        ),
        (
            'exclude:\n  servers:\n    - a\n    - "*"',
            '4: exclude.servers[1]: "*" excludes all servers, nothing could ever be moved; '
            "write which servers are meant",
        ),
        (
            'exclude:\n  roles: ["db*"]',
            '2: exclude.roles[0]: "db*" is no pattern, roles are compared as written; name each of them',
        ),
        (
            "budgets:\n  quiet: [20:00-12:00, 11:00-20:00]",
            "2: budgets.quiet: the windows cover the whole day, no move could ever start; leave some time free",
        ),
        (
            "budgets:\n  quiet: [20:00-12:00]\n  peaks: [12:00-20:00]",
            "2: budgets.quiet: quiet and the peaks with 0 moves cover the day, no move could ever start; "
            "leave some time free",
        ),
        (
            "budgets:\n  quiet:\n    - 01:00-03:00\n    - 03:00-05:00\n  peaks:\n    - 12:00-13:00\n    - 02:00-04:00",
            "7: budgets.peaks[1]: 02:00-04:00 lies inside the quiet windows of lines 3, 4, where no move starts "
            "anyway; remove it, or shorten quiet",
        ),
        (
            "budgets:\n  peaks: [{from: 9:00, to: 10:00, moves: 12}]",
            "2: budgets.peaks[0]: 09:00-10:00 changes nothing: moves 12 is not less than budgets.total, 12 (the "
            "default), and bandwidth is 100 %; lower one of them",
        ),
    ],
)
def test_contradictions(text: str, error: str) -> None:
    assert errors(text) == [f"p.yaml:{error}"]


@pytest.mark.parametrize(
    "text",
    [
        "budgets: {total: 1}",  # lower limits than the defaults under it are no contradiction of the operator's
        "calm: {no_return: 0 s}",
        "look_ahead: {horizon: 0 s}",
        "budgets: {move: 5 GB/s, link: none}",
        "budgets: {quiet: [{from: 0:00, to: 12:00, zones: [a]}, 12:00-24:00]}",  # zone a asked for it
        "budgets: {quiet: [{from: 0:00, to: 12:00, zones: [a]}], peaks: [1:00-2:00]}",
        "budgets: {quiet: [{from: 0:00, to: 12:00, zones: [a]}], peaks: [{from: 1:00, to: 2:00, zones: [a, b]}]}",
    ],
)
def test_no_contradiction(text: str) -> None:
    parse_policy(text, "p.yaml")


def test_a_key_that_is_wrong_is_not_also_a_contradiction() -> None:
    assert errors("destination: {max_steal: 50 %}\ndetect: {steal: 5}\nbudgets: {peaks: [x], quiet: [1:00-2:00]}") == [
        'p.yaml:2: detect.steal: "5" has no unit; write 5 %, or 500 % if that is meant',
        'p.yaml:3: budgets.peaks[0]: "x" is not a span of the day; write it such as 11:45-12:45',
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("detect:\n\tsteal: 5 %", "2: not valid YAML: a tab where spaces belong; indent with spaces"),
        ("a: 1\ndetect: {steal: 5 %\n\n", "2: not valid YAML: the bracket opened here is never closed; close it"),
        ("detect:\n  steal: '5 %\n\n", "2: not valid YAML: the quote opened here is never closed; close it"),
        (
            "detect:\n  steal: 5 %\n   x: 4",
            '3: not valid YAML: a ":" where none can be; indent like the lines above, or quote the text',
        ),
        (
            "a:\n  b: 1\n c: 2",
            "3: not valid YAML: indented unlike the lines above it; line it up with them",
        ),
        ("a: 1\nfoo\nb: 2", '2: not valid YAML: a line without "key: value"; add the ":"'),
        ("@foo", "1: not valid YAML: found character '@' that cannot start any token; correct the line"),
        ("a: 1\nb: \x07", "2: not valid YAML: the character U+0007 is not allowed; remove it"),
        ("a: 1\n---\nb: 2", "2: a second document starts here; a policy is one document, remove the line ---"),
        ("- a", "1: is a list; a policy is a mapping such as detect: {steal: 5 %}"),
        ("\nfoo", "2: is a single value; a policy is a mapping such as detect: {steal: 5 %}"),
        (
            "exclude:\n  servers: [*]",
            '2: a "*" without quotes is an alias to YAML; put the pattern in quotes: "*"',
        ),
        (
            "exclude:\n  servers: [*web]",
            '2: *web is an alias to YAML; quote a pattern: "*web", or write the value out',
        ),
        ("a: &x 1", "1: the anchor &x is not used in policies; write the value out"),
        (
            "a: !!python/name:os.system x",
            "1: the tag !!python/name:os.system is not used in policies; remove it, or quote the value",
        ),
        ("a: " + "[" * 5000, "1: nested over 16 deep; a policy has keys in sections, no more"),
        ("? [a]\n: b", "1: a key must be a name; remove this one"),
        ("detect:\n  steal: 5 %\n  steal: 6 %", "3: detect.steal: is given twice, first in line 2; keep one of them"),
        ("detect: {}\ndetect: {}", "2: detect: is given twice, first in line 1; keep one of them"),
    ],
)
def test_broken_yaml(text: str, error: str) -> None:
    assert errors(text) == [f"p.yaml:{error}"]


def test_without_a_time_zone_database(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["tzdata", *(name for name in sys.modules if name.startswith("tzdata."))]:
        monkeypatch.setitem(sys.modules, name, None)
    zoneinfo.ZoneInfo.clear_cache()
    zoneinfo.reset_tzpath(to=())
    try:
        assert errors("timezone: Asia/Tokyo") == [
            "p.yaml:1: timezone: Asia/Tokyo cannot be looked up, this machine has no time zone database; "
            "install tzdata (apt install tzdata, or pip install tzdata), or write UTC"
        ]
        assert parse_policy("timezone: UTC", "p.yaml").name == "p"
    finally:
        zoneinfo.reset_tzpath()


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    latin, large, locked = tmp_path / "latin.yaml", tmp_path / "large.yaml", tmp_path / "locked.yaml"
    latin.write_bytes("name: a\nrule: é\n".encode("latin-1"))
    large.write_bytes(b"#" * 300_000)
    assert refused(latin) == f"{latin}:2: is not UTF-8 (byte 0xe9); save the file with the encoding UTF-8"
    assert refused(large) == f"{large}: is over 256 KiB; this is not a policy file"
    assert refused(tmp_path) == f"{tmp_path}: is a directory; name a policy file in it"
    assert refused("a\0b.yaml") == "a\0b.yaml: cannot be read: embedded null byte"

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)  # root may read everything
    assert refused(locked) == f"{locked}: cannot be read: Permission denied"


def test_a_missing_file_names_the_shipped_policies() -> None:
    shipped = "the shipped policies are cautious, default, published"
    assert refused("mine.yaml") == f"mine.yaml: no such file; {shipped}"
    assert refused("cautios") == f'cautios: no such file; did you mean "cautious"?; {shipped}'
    assert refused(Path("default")) == f"default: no such file; {shipped}"


def refused(ref: str | Path) -> str:
    with pytest.raises(BadInput) as caught:
        load_policy(ref)
    return str(caught.value)
