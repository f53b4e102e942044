"""What the inspector shows of one server: verdict, rules, candidates, history."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watari.app.demo import Demo
from watari.app.history.one_server import points
from watari.errors import WatariError
from watari.jobs.balance import Explanation, explain, plan
from watari.model.compute import Load, ServerId
from watari.model.reasons import Candidate
from watari.web import contract as page
from watari.web.live import LiveFeed, Look

log = logging.getLogger(__name__)
OUTCOMES: dict[str, page.Outcome] = {"done": "done", "failed": "failed", "undone": "undone"}
KINDS: dict[str, page.VerdictKind] = {
    "moves": "planned",
    "relieved": "relieved",
    "refused": "refused",
    "healthy": "healthy",
    "no-data": "no data",
}
MOST_MOVES = 20


def server_details(
    look: Look, id: str, now: datetime, history: Sequence[page.HistoryPoint], moves: Sequence[page.PastMove]
) -> page.ServerDetails | None:
    """None for a server that the cloud does not have. A calm look makes no plan; one is made to be explained."""
    snapshot, policy, memory = look.snapshot, look.policy, look.memory
    server = snapshot.servers.get(ServerId(id))
    if server is None:
        return None
    made = look.made or plan(snapshot, policy, memory)
    told = explain(snapshot, policy, made, server.id, memory)
    candidates = told.operation.candidates if told.operation else told.refusal.candidates if told.refusal else ()
    where = snapshot.hosts.get(server.host)
    return {
        "id": server.id,
        "name": server.name,
        "host": server.host,
        "zone": where.zone if where else "",
        "role": server.metadata.get(policy.roles.metadata_key, ""),
        "project": server.project,
        "flavor": server.flavor,
        "vcpu": server.vcpus,
        "memory_mib": server.memory_mib,
        "disk_gib": server.local_disk_gib,
        "orchestrator": ", ".join(one.orchestrator for one in snapshot.memberships.get(server.id, ())),
        "starved": told.kind in ("moves", "relieved", "refused") and all(c.met for c in told.checks[:2]),
        "verdict": _verdict(told, flying=any(f.server == server.id for f in snapshot.flights), acts=look.acts),
        "load": _load(snapshot.loads.get(server.id), now),
        "rules": [{"name": c.name, "met": c.met, "value": c.value, "limit": c.limit} for c in told.checks],
        "candidates": [_candidate(c) for c in candidates],
        "candidates_note": "lowest score wins" if told.operation else "the nearest misses" if candidates else "",
        "help": told.refusal.help if told.refusal else "",
        "history": list(history),
        "moves": list(moves)[:MOST_MOVES],
    }


@dataclass(frozen=True, slots=True)
class Inspector:
    """Answers for one server of the demo at a time, from any thread: it only reads values that are never changed."""

    demo: Demo

    def details(self, id: str) -> page.ServerDetails | None:
        """None for a server that the cloud does not have."""
        balancer = self.demo.balancer
        if balancer.snapshot is None or balancer.memory is None or ServerId(id) not in balancer.snapshot.servers:
            return None
        look = Look(balancer.snapshot, balancer.memory, self.demo.policy, balancer.plan, self.demo.acting)
        return server_details(look, id, look.snapshot.taken_at, self._history(id), self._moves(id))

    def _history(self, id: str) -> list[page.HistoryPoint]:
        s = self.demo.cloud.server_ids.index(ServerId(id))
        return [
            {
                "t": r.at.isoformat(),
                "steal": round(float(r.steal[s]), 4),
                "per_vcpu": round(float(r.load_per_vcpu[s]), 3),
            }
            for r in list(self.demo.readings)
        ]

    def _moves(self, id: str) -> list[page.PastMove]:
        out: list[page.PastMove] = []
        benefits = self.demo.balancer.measuring.benefits
        for record in reversed(self.demo.ended):
            step = record.steps[0]
            found = None if step.ended_at is None else benefits.get((id, step.ended_at))
            if record.operation.subject == id and step.ended_at is not None and record.state in OUTCOMES:
                out.append(
                    {
                        "from": record.operation.source,
                        "to": record.operation.target,
                        "ended": step.ended_at.isoformat(),
                        "outcome": OUTCOMES[record.state],
                        "benefit": None if found is None else found.moved.fall,
                    }
                )
        return out


def live_details(feed: LiveFeed, id: str) -> page.ServerDetails | None:
    """One server of a real cloud, as of the last look; moves are the cloud's own record, the curve is the history's."""
    if (last := feed.last) is None:
        return None
    moves: list[page.PastMove] = [
        {
            "from": m.source, "to": m.target, "ended": m.ended.isoformat(), "outcome": "done" if m.done else "failed",
            "benefit": m.benefit,
        }
        for m in sorted(last.snapshot.past, key=lambda m: m.ended, reverse=True)
        if m.server == id
    ]  # fmt: skip
    now = datetime.now(UTC)
    details = server_details(last, id, now, _kept(feed, id, now), moves)
    if details is not None and last.trouble:
        details["verdict"] = {"kind": "no data", "title": "Nothing is decided", "text": last.trouble}
    return details


def _kept(feed: LiveFeed, id: str, now: datetime) -> list[page.HistoryPoint]:
    """What `watari serve` has kept of a server; nothing while the database does not answer: the rest is known."""
    try:
        found = points(feed.store, feed.cloud, id, now)
    except WatariError as e:
        log.warning("the history of %s in %s: %s", id, feed.cloud, e)
        return []
    return [{"t": point.at.isoformat(), "steal": point.steal, "per_vcpu": point.load_per_vcpu} for point in found]


def _verdict(told: Explanation, *, flying: bool, acts: bool) -> page.Verdict:
    kind: page.VerdictKind = "moving" if flying else KINDS[told.kind]
    title = told.title[0].upper() + told.title[1:]
    if told.kind == "moves" and not acts:
        title = title.replace("Moves", "Would move")
    return {"kind": kind, "title": title, "text": told.text}


def _load(load: Load | None, now: datetime) -> page.LoadNow | None:
    if load is None:
        return None
    return {
        "steal": load.steal, "per_vcpu": load.load_per_vcpu, "source": load.source,
        "age_s": max(0.0, (now - load.at).total_seconds()),
    }  # fmt: skip


def _candidate(c: Candidate) -> page.Candidate:
    return {
        "host": c.host, "score": c.score, "steal": c.steal, "same_role": c.same_role, "free_mib": c.free_mib,
        "cpu_after": c.cpu_after, "why": c.why,
    }  # fmt: skip
