"""The file of targets: what it may say, and every mistake with its line, never with a secret."""

from pathlib import Path

import pytest

from watari.app.notify.targets import ALL, KEYS, Target, parse_targets
from watari.errors import BadInput

A = "name: a, kind: slack"
SECRET = "https://hooks.slack.com/services/T0001/B0002/s3cret"


def refused(text: str) -> list[str]:
    with pytest.raises(BadInput) as error:
        parse_targets(text, "notify.yaml")
    return str(error.value).splitlines()


def test_the_least_and_the_most_that_it_says(tmp_path: Path) -> None:
    text = f"""
targets:
  - {{name: chat, kind: slack, url: "{SECRET}"}}
  - name: pager
    kind: webhook
    url_file: pager.url
    secret_file: /run/secrets/pager.key
    about: [trouble, findings]
    clouds: [prod, lab]
    severity: error
    after: 2 min
    repeat: none
"""
    chat, pager = parse_targets(text, str(tmp_path / "notify.yaml"))
    assert chat == Target("chat", "slack", url=SECRET)
    assert (chat.about, chat.repeat_s, chat.severity) == (frozenset(ALL), 86400.0, "warning")
    assert pager == Target(
        "pager", "webhook", frozenset({"trouble", "findings"}), frozenset({"prod", "lab"}), "error", None, 120.0,
        url_file=str(tmp_path / "pager.url"), secret_file="/run/secrets/pager.key",
    )  # fmt: skip
    assert [pager.looks_at(cloud) for cloud in ("prod", "other")] == [True, False]
    assert chat.looks_at("other")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ":1: targets: is missing; begin with such as targets: [{name: ops, kind: slack, url_file: ops.url}]"),
        ("- a", ":1: is a list; a file of targets is a mapping such as targets: [{name: ops, kind: slack, "),
        ("targets: x", ":1: targets: is no list; begin every target with a dash, such as - name: ops"),
        ("targets:\n  - x", ":2: targets[0]: is no mapping; write its keys: name, kind, and url or url_file"),
        ("targets:\n  - {kind: slack, url: 'http://h/'}", ":2: targets[0].name: is missing"),
        ("target: []\ntargets: []", ':1: target: unknown key; did you mean "targets"?'),
        (
            "targets:\n  - {name: a, kind: slak, url: 'http://h/'}",
            ':2: targets[0].kind: "slak" is not known; did you mean "slack"?',
        ),
        ("targets:\n  - {name: a, kind: slack}", ":2: targets[0]: write one of url and url_file"),
        (f"targets:\n  - {{{A}, url: 'http://h/', url_file: f}}", ":2: targets[0]: write one of url and url_file"),
        (
            "targets:\n  - {name: a, kind: slack, url_file: f, secret_file: k}",
            ":2: targets[0].secret_file: signs webhooks alone, and this is slack; remove it",
        ),
        (
            "targets:\n  - {name: a, kind: slack, url_file: f}\n  - {name: a, kind: slack, url_file: f}",
            ":3: targets[1].name: a is there already; every target needs a name of its own",
        ),
        ("targets:\n  - {name: a b, kind: slack, url_file: f}", ":2: targets[0].name: is no name; write letters, "),
        (f"targets:\n  - {{{A}, url_file: f, repeat: 24}}", ':2: targets[0].repeat: "24" has no unit; write 24 s'),
        (
            f"targets:\n  - {{{A}, url_file: f, about: [run]}}",
            ':2: targets[0].about[0]: "run" is not known; did you mean "runs"?',
        ),
        (f"targets:\n  - {{{A}, urlfile: f}}", ':2: targets[0].urlfile: unknown key; did you mean "url_file"?'),
        ("targets: &x []", ":1: the anchor &x is not used in files of targets; write the value out"),
    ],
)
def test_every_mistake_has_its_line_and_its_cure(text: str, said: str) -> None:
    (line,) = refused(text)
    assert line.startswith(f"notify.yaml{said}")


def test_all_that_is_wrong_is_said_at_once() -> None:
    text = "targets:\n  - name: a\n    kind: slack\n    severity: bad\n    after: soon\n  - name: b\n"
    assert [line.split(": ")[1] for line in refused(text)] == [
        "targets[0].severity",
        "targets[0].after",
        "targets[1].kind",
    ]


@pytest.mark.parametrize(
    "url",
    ["ftp://h/s3cret", "https:///s3cret", "s3cret", "http://h:s3cret/", "http://[::1/s3cret", "http://h/s3cret x"],
)
def test_an_address_that_is_none_is_refused_without_being_shown(url: str) -> None:
    (line,) = refused(f"targets:\n  - {{name: a, kind: webhook, url: '{url}'}}")
    assert "targets[0].url: holds no address that can be used" in line
    assert "s3cret" not in line


@pytest.mark.parametrize(
    "text",
    [
        f"targets: {SECRET}",
        f"targets:\n  - {SECRET}",
        f"targets:\n  - {{name: a, kind: slack, url: [{SECRET}]}}",
        f"targets:\n  - {{name: a, kind: slack, url: '{SECRET}', url: '{SECRET}'}}",
        f"targets:\n  - {{name: a, kind: nothing, url: '{SECRET}'}}",
        f"targets:\n  - {{name: a, kind: slack, url: '{SECRET}', nope: 1}}",
        f"targets:\n  - name: a\n  kind: slack\n    url: {SECRET}",
    ],
)
def test_no_mistake_shows_an_address(text: str) -> None:
    assert "s3cret" not in "\n".join(refused(text))


def test_a_target_does_not_show_its_address() -> None:
    (target,) = parse_targets(f"targets: [{{name: a, kind: slack, url: '{SECRET}'}}]", "notify.yaml")
    assert "s3cret" not in repr(target)
    assert target.address() == SECRET


def test_files_are_read_anew_and_what_is_wrong_with_them_is_said_without_their_content(tmp_path: Path) -> None:
    text = "targets: [{name: a, kind: webhook, url_file: a.url, secret_file: a.key}]"
    (target,) = parse_targets(text, str(tmp_path / "notify.yaml"))
    with pytest.raises(BadInput, match=r"^a: url_file .*a\.url: cannot be read: No such file"):
        target.address()
    (tmp_path / "a.url").write_text("http://h/1\n")
    (tmp_path / "a.key").write_text("s3cret\n")
    assert (target.address(), target.key()) == ("http://h/1", b"s3cret")
    (tmp_path / "a.url").write_text("http://h/2\n")
    assert target.address() == "http://h/2"
    for content in ("", "s3cret\nsecond line", "s3cret \x07"):
        (tmp_path / "a.key").write_text(content)
        with pytest.raises(BadInput, match="has to hold one line of text") as error:
            target.key()
        assert "s3cret" not in str(error.value)
    (tmp_path / "a.url").write_text("ftp://h/s3cret")
    with pytest.raises(BadInput, match="holds no address") as error:
        target.address()
    assert "s3cret" not in str(error.value)


def test_the_reference_names_every_key() -> None:
    page = (Path(__file__).parents[3] / "docs" / "reference" / "notifications.md").read_text()
    for name, key in KEYS.items():
        assert f"| `{name}` | {key.why}" in page, name
