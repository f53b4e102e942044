"""What a message says: the webhook's JSON and Slack's blocks, and that names from outside stay names."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watari.app.notify import slack
from watari.app.notify.matters import Matter, News, NotDone, Plan, Run, Told
from watari.app.notify.message import LONGEST_TEXT, SECTIONS, SHOWN, VERSION, digest, trial
from watari.model.reasons import Severity

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
OUT_OF_IT = "is out of service in k8s: r-1"
AT = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)


def told(subject: str, text: str = OUT_OF_IT, severity: Severity = "error", help: str = "") -> Told:
    return Told(Matter("findings", "left-out", subject, severity, text, help), AT, AT)


AWAY = Told(Matter("trouble", "undecided", "prod", "error", "no decision: 503"), AT, AT)
OUT = told("node-7", help="watari members attach node-7 --cloud prod")
GONE = replace(told("h1", "sends nothing", "warning"), gone_at=AT + timedelta(minutes=5))
PLAN = Plan("p-3f9a1c22", "balance", 4, 6, AT, AT + timedelta(minutes=30))
RUN = Run(
    "r-3f9a1c22", "p-3f9a1c22", "balance", "partly", AT, AT + timedelta(minutes=9), {"done": 3, "failed": 1}, 6, None,
    (NotDone("web_1", "failed", "409: the server is locked"),),
)  # fmt: skip


def message(**news: Any) -> dict[str, Any]:
    return digest("0123abcd", "ops", "prod", AT, News(**news))


def texts(payload: dict[str, Any]) -> list[str]:
    """All that Slack shows."""
    out = []
    for block in payload["blocks"]:
        out += [block["text"]["text"]] if block["type"] == "section" else [e["text"] for e in block["elements"]]
    return out


def test_a_digest_in_full() -> None:
    assert message(began=(OUT,), ended=(GONE,), plans=(PLAN,), runs=(RUN,)) == {
        "version": 1,
        "id": "0123abcd",
        "kind": "digest",
        "target": "ops",
        "at": "2026-11-30T12:00:00Z",
        "cloud": "prod",
        "first": False,
        "severity": "error",
        "summary": "prod: 1 new, 1 resolved, 1 plan to approve, 1 run ended",
        "counts": {"began": 1, "lasting": 0, "resolved": 1, "plans": 1, "runs": 1},
        "began": [
            {
                "about": "findings",
                "code": "left-out",
                "subject": "node-7",
                "severity": "error",
                "text": "is out of service in k8s: r-1",
                "help": "watari members attach node-7 --cloud prod",
                "since": "2026-11-30T12:00:00Z",
            }
        ],
        "lasting": [],
        "resolved": [
            {
                "about": "findings",
                "code": "left-out",
                "subject": "h1",
                "severity": "warning",
                "text": "sends nothing",
                "help": "",
                "since": "2026-11-30T12:00:00Z",
                "until": "2026-11-30T12:05:00Z",
            }
        ],
        "plans": [
            {
                "id": "p-3f9a1c22",
                "job": "balance",
                "operations": 4,
                "starved": 6,
                "made_at": "2026-11-30T12:00:00Z",
                "expires_at": "2026-11-30T12:30:00Z",
                "show": "watari plans show p-3f9a1c22",
                "approve": "watari plans approve p-3f9a1c22",
                "reject": "watari plans reject p-3f9a1c22 --why TEXT",
            }
        ],
        "runs": [
            {
                "id": "r-3f9a1c22",
                "plan": "p-3f9a1c22",
                "job": "balance",
                "state": "partly",
                "started_at": "2026-11-30T12:00:00Z",
                "ended_at": "2026-11-30T12:09:00Z",
                "counts": {"done": 3, "failed": 1},
                "starved_before": 6,
                "starved_after": None,
                "not_done": [{"name": "web_1", "state": "failed", "note": "409: the server is locked"}],
                "show": "watari runs show r-3f9a1c22",
            }
        ],
    }


@pytest.mark.parametrize(
    ("news", "summary", "severity"),
    [
        ({"began": (OUT,)}, "prod: left-out node-7: is out of service in k8s: r-1", "error"),
        ({"ended": (GONE,)}, "prod: resolved: left-out h1: sends nothing", "info"),
        ({"lasting": (told("h1", "sends nothing", "warning"),)}, "prod: still left-out h1: sends nothing", "warning"),
        (
            {"plans": (PLAN,)},
            "prod: to approve: p-3f9a1c22 (balance): 4 operations, 6 servers starved; expires 2026-11-30T12:30:00Z",
            "info",
        ),
        (
            {"runs": (RUN,)},
            "prod: r-3f9a1c22 (balance) ended partly: 3 done, 1 failed; starved 6 -> not known",
            "warning",
        ),
        (
            {"runs": (replace(RUN, state="done", counts={"done": 4}, starved_after=0),)},
            "prod: r-3f9a1c22 (balance) ended done: 4 done; starved 6 -> 0",
            "info",
        ),
        ({"began": (OUT, told("h2")), "first": True}, "prod: 2 open", "error"),
        ({"began": (AWAY,)}, "prod: no decision: 503", "error"),
    ],
)
def test_the_summary_says_the_one_thing_or_counts(news: dict[str, Any], summary: str, severity: str) -> None:
    made = message(**news)
    assert (made["summary"], made["severity"]) == (summary, severity)


def test_hundreds_become_a_count_and_the_first_ten_the_worst_first() -> None:
    many = (*(told(f"h{i:03}", severity="warning") for i in range(300)), told("z9", severity="error"))
    made = message(began=many)
    assert (made["counts"]["began"], len(made["began"]), made["began"][0]["subject"]) == (301, SHOWN, "z9")
    assert made["summary"] == "prod: 301 new"
    assert "… and 291 more: `watari status --findings`" in "\n".join(texts(slack.payload(made)))


def test_what_slack_shows() -> None:
    made = slack.payload(message(began=(OUT,), ended=(GONE,), plans=(PLAN,), runs=(RUN,)))
    assert texts(made) == [
        "*Error* prod: 1 new, 1 resolved, 1 plan to approve, 1 run ended",
        "*New*\n"
        "• *error* `left-out` `node-7` is out of service in k8s: r-1 (since 2026-11-30T12:00:00Z)\n"
        "    watari members attach node-7 --cloud prod\n"
        "*Resolved*\n"
        "• *warning* `left-out` `h1` sends nothing (since 2026-11-30T12:00:00Z, until 2026-11-30T12:05:00Z)\n"
        "*Waits for approval*\n"
        "• `p-3f9a1c22 (balance): 4 operations, 6 servers starved; expires 2026-11-30T12:30:00Z`\n"
        "    look: `watari plans show p-3f9a1c22`; agree: `watari plans approve p-3f9a1c22`\n"
        "*Ended*\n"
        "• `r-3f9a1c22 (balance) ended partly: 3 done, 1 failed; starved 6 -&gt; not known`\n"
        "    failed: `web_1` 409: the server is locked\n"
        "    `watari runs show r-3f9a1c22`",
        "`watari · prod · 2026-11-30T12:00:00Z · 0123abcd`",
    ]
    assert made["text"].splitlines()[:2] == ["*Error* prod: 1 new, 1 resolved, 1 plan to approve, 1 run ended", "*New*"]


def test_a_test_message_says_that_messages_arrive() -> None:
    made = trial("0123abcd", "ops", AT)
    assert (made["kind"], made["version"], made["summary"]) == ("test", VERSION, "a test of ops: messages arrive")
    assert "a test of ops: messages arrive" in slack.payload(made)["text"]


EVIL = [
    "<!channel>", "<https://evil.example|click>", "*bold*", "_x_ ~y~", "`code` out", "@channel", "a|b", "a\nb",
    "[a](http://evil.example)", "http://evil.example", "www.evil.example", ":rotating_light:", "\x1b[2Jx",
    "\u202egnp", "&amp;", "\x00", "&" * 3000, "`" * 3000,
]  # fmt: skip
SPAN = re.compile(r"`[^`\n]*`")
OURS = re.compile(r"\*(Error|Warning|New|Open now|Still open|Resolved|Waits for approval|Ended|error|warning|info)\*")


def outside_of_code(text: str) -> str:
    """What Slack may read as markup, without our own."""
    return OURS.sub("", SPAN.sub("", text))


def is_harmless(shown: str) -> bool:
    left = outside_of_code(shown)
    mentions = re.search(r"[<>]", shown)
    return not mentions and not re.search(r"[*_~`\[\]@|]|:[a-z_]+:|://|www\.|&(?!amp;|lt;|gt;)", left)


def all_over(text: str) -> dict[str, Any]:
    """A message with that text wherever one comes from outside."""
    matter = told(text, text, help=text)
    run = replace(RUN, not_done=(NotDone(text, "failed", text),))
    trouble = Told(Matter("trouble", "undecided", text, "error", text, text), AT, AT)
    news = News(False, (matter, trouble), (replace(matter, gone_at=AT),), (matter,), (PLAN,), (run,))
    return digest("0123abcd", "ops", text, AT, news)


@pytest.mark.parametrize("text", EVIL)
def test_names_are_never_markup_in_slack(text: str) -> None:
    made = slack.payload(all_over(text))
    for shown in (*texts(made), made["text"]):
        assert is_harmless(shown), shown
    single = slack.payload(message(began=(told(text, text),)))
    assert is_harmless(single["text"])
    assert all(len(shown) <= 3000 for shown in texts(made))


@given(st.text(alphabet=st.sampled_from("ab*_~`<>&@[]|:/w.\\ \n\x1b\u202e"), max_size=40))
def test_no_text_at_all_is_markup_in_slack(text: str) -> None:
    made = slack.payload(all_over(text))
    assert all(map(is_harmless, (*texts(made), made["text"])))


@given(st.text(max_size=3000))
def test_every_message_is_bounded_and_one_line_each(text: str) -> None:
    made = all_over(text)
    for matter in (*made["began"], *made["resolved"]):
        words = [matter[key] for key in ("subject", "text", "help")]
        assert all(word.isprintable() and len(word) <= LONGEST_TEXT for word in words)
    many = tuple(told(f"{text}{i}", text, help=text) for i in range(50))
    full = News(False, many, many, many, (PLAN,) * 50, (RUN,) * 50)
    big = digest("0123abcd", "ops", "prod", AT, full)
    payload = slack.payload(big)
    assert len(json.dumps(big)) < 250_000
    assert len(payload["blocks"]) <= 50
    assert all(len(shown) <= 3000 for shown in texts(payload))
    assert len(payload["text"]) <= slack.MOST_IN_TEXT


def test_the_reference_shows_examples_that_are_real() -> None:
    page = (REFERENCE / "notifications.md").read_text()
    shown = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page, re.S)]
    webhook = message(began=(OUT,), ended=(GONE,), plans=(PLAN,), runs=(RUN,))
    assert webhook in shown
    assert slack.payload(webhook) in shown


def test_the_reference_describes_every_key() -> None:
    page = (REFERENCE / "notifications.md").read_text()
    made = message(began=(OUT,), ended=(GONE,), plans=(PLAN,), runs=(RUN,))
    keys = {*made, *(f"{name}[].{key}" for name in SECTIONS for one in made[name] for key in one)}
    same = {key.replace("began", name) for key in keys for name in ("lasting", "resolved") if key.startswith("began")}
    for key in keys - same:
        assert f"| `{key}` |" in page, key
