"""A message as JSON: what webhooks get, what waits in the database, and what Slack's is made of. Bounded in size."""

from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from watari.app.notify.matters import News, Plan, Run, Told
from watari.app.notify.targets import SEVERITIES
from watari.model.reasons import Severity
from watari.plan.text import count, printable

VERSION: Final = 1  # of the form: keys may be added to it, none changes its meaning
SHOWN: Final = 10  # of each kind; all are counted
NOT_DONE: Final = 3  # operations of a run that are named
LONGEST_TEXT: Final = 300  # characters; with all of them escaped, a line still fits into a block of Slack's
LONGEST_NAME: Final = 120
SECTIONS: Final = ("began", "lasting", "resolved", "plans", "runs")
Json = dict[str, Any]
T = TypeVar("T")


def digest(id: str, target: str, cloud: str, at: datetime, news: News) -> Json:
    """What one target is told of one cloud at one look."""
    open_ = _by_severity((*news.began, *news.lasting))
    body = _head(id, "digest", target, at) | {
        "cloud": clean(cloud, LONGEST_NAME),
        "first": news.first,
        "severity": _severity(open_, news.runs),
        "summary": "",
        "counts": {name: len(part) for name, part in zip(SECTIONS, _parts(news), strict=True)},
        "began": [_matter(one) for one in _by_severity(news.began)[:SHOWN]],
        "lasting": [_matter(one) for one in _by_severity(news.lasting)[:SHOWN]],
        "resolved": [_matter(one) | {"until": _time(one.gone_at)} for one in _by_severity(news.ended)[:SHOWN]],
        "plans": [_plan(one) for one in news.plans[:SHOWN]],
        "runs": [_run(one) for one in news.runs[:SHOWN]],
    }
    return body | {"summary": clean(f"{body['cloud']}: {_summary(body)}", LONGEST_NAME + LONGEST_TEXT)}


def trial(id: str, target: str, at: datetime) -> Json:
    """A message that says only that messages arrive."""
    return _head(id, "test", target, at) | {"severity": "info", "summary": f"a test of {target}: messages arrive"}


def clean(text: str, longest: int) -> str:
    """One line without control characters, shortened; names come from tenants."""
    line = printable(" ".join(text.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def matter_line(matter: Json) -> str:
    """`left-out node-7: is out of service in k8s`; trouble is told in its own words."""
    if matter["about"] == "trouble":
        return str(matter["text"])
    return f"{matter['code']} {matter['subject']}: {matter['text']}"


def run_line(run: Json) -> str:
    """`r-1 (balance) ended partly: 3 done, 1 failed; starved 5 -> 1`."""
    counts = ", ".join(f"{n:,} {state}" for state, n in sorted(run["counts"].items()))
    before, after = run["starved_before"], run["starved_after"]
    starved = "" if before is None else f"; starved {before:,} -> {'not known' if after is None else f'{after:,}'}"
    return f"{run['id']} ({run['job']}) ended {run['state']}: {counts or 'nothing to do'}{starved}"


def plan_line(plan: Json) -> str:
    """`p-1 (balance): 4 operations, 6 servers starved; expires 2026-12-01T12:45:00Z`."""
    starved = "" if plan["starved"] is None else f", {count(plan['starved'], 'server')} starved"
    operations = count(plan["operations"], "operation")
    return f"{plan['id']} ({plan['job']}): {operations}{starved}; expires {plan['expires_at']}"


def _head(id: str, kind: str, target: str, at: datetime) -> Json:
    return {"version": VERSION, "id": id, "kind": kind, "target": target, "at": _time(at)}


def _parts(news: News) -> tuple[tuple[object, ...], ...]:
    return (news.began, news.lasting, news.ended, news.plans, news.runs)


def _summary(body: Json) -> str:
    """The one thing itself, or how many there are of each kind."""
    n = body["counts"]
    if sum(n.values()) == 1:
        section = next(name for name in SECTIONS if n[name])
        (one,) = body[section]
        lines = {"plans": plan_line, "runs": run_line}
        words = {"began": "", "lasting": "still ", "resolved": "resolved: ", "plans": "to approve: ", "runs": ""}
        return words[section] + lines.get(section, matter_line)(one)
    words = {
        "began": "open" if body["first"] else "new", "lasting": "still open", "resolved": "resolved",
        "plans": "to approve", "runs": "ended",
    }  # fmt: skip
    nouns = {"plans": "plan", "runs": "run"}
    return ", ".join(
        f"{count(n[name], nouns[name]) if name in nouns else f'{n[name]:,}'} {words[name]}"
        for name in SECTIONS
        if n[name]
    )


def _severity(open_: tuple[Told, ...], runs: tuple[Run, ...]) -> Severity:
    """The worst of what is open; a run in which something failed is a warning."""
    worst = [one.matter.severity for one in open_[:1]]
    worst += ["warning" for run in runs if run.failed]
    return max(worst, key=SEVERITIES.index, default="info")


def _by_severity(matters: tuple[Told, ...]) -> tuple[Told, ...]:
    return tuple(sorted(matters, key=lambda one: (-SEVERITIES.index(one.matter.severity), one.matter.key)))


def _matter(one: Told) -> Json:
    m = one.matter
    return {
        "about": m.about, "code": m.code, "subject": clean(m.subject, LONGEST_NAME), "severity": m.severity,
        "text": clean(m.text, LONGEST_TEXT), "help": clean(m.help, LONGEST_TEXT), "since": _time(one.since),
    }  # fmt: skip


def _plan(plan: Plan) -> Json:
    return {
        "id": plan.id, "job": plan.job, "operations": plan.operations, "starved": plan.starved,
        "made_at": _time(plan.made_at), "expires_at": _time(plan.expires_at),
        "show": f"watari plans show {plan.id}", "approve": f"watari plans approve {plan.id}",
        "reject": f"watari plans reject {plan.id} --why TEXT",
    }  # fmt: skip


def _run(run: Run) -> Json:
    not_done = [
        {"name": clean(o.name, LONGEST_NAME), "state": o.state, "note": clean(o.note, LONGEST_TEXT)}
        for o in run.not_done[:NOT_DONE]
    ]
    return {
        "id": run.id, "plan": run.plan_id, "job": run.job, "state": run.state, "started_at": _time(run.started_at),
        "ended_at": _time(run.ended_at), "counts": run.counts, "starved_before": run.starved_before,
        "starved_after": run.starved_after, "not_done": not_done, "show": f"watari runs show {run.id}",
    }  # fmt: skip


def _time(at: datetime | None) -> str:
    """UTC, to the second, as RFC 3339 has it."""
    return "" if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
