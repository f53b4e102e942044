"""What the inspector shows of one server: verdict, rules, candidates, history."""

from dataclasses import dataclass

from watari.app.demo import Demo
from watari.jobs.balance import Explanation, explain, plan
from watari.model.compute import Server, ServerId
from watari.model.reasons import Candidate
from watari.web import contract as page

OUTCOMES: dict[str, page.Outcome] = {"done": "done", "failed": "failed", "undone": "undone"}
KINDS: dict[str, page.VerdictKind] = {
    "moves": "planned",
    "relieved": "relieved",
    "refused": "refused",
    "healthy": "healthy",
    "no-data": "no data",
}


@dataclass(frozen=True, slots=True)
class Inspector:
    """Answers for one server at a time, from any thread: it only reads values that are never changed."""

    demo: Demo

    def details(self, id_: str) -> page.ServerDetails | None:
        """None for a server that the cloud does not have."""
        balancer = self.demo.balancer
        snapshot, made = balancer.snapshot, balancer.plan
        server = None if snapshot is None else snapshot.servers.get(ServerId(id_))
        if snapshot is None or server is None:
            return None
        if made is None:  # a calm round makes no plan; one is made to be explained
            made = plan(snapshot, self.demo.policy, balancer.memory)
        told = explain(snapshot, self.demo.policy, made, server.id, balancer.memory)
        load = snapshot.loads.get(server.id)
        candidates = told.operation.candidates if told.operation else told.refusal.candidates if told.refusal else ()
        return {
            "id": server.id, "name": server.name, "host": server.host, "zone": snapshot.hosts[server.host].zone,
            "role": self._role(server), "project": server.project, "flavor": server.flavor, "vcpu": server.vcpus,
            "memory_mib": server.memory_mib, "disk_gib": server.local_disk_gib, "orchestrator": "",
            "starved": told.kind in ("moves", "relieved", "refused") and all(c.met for c in told.checks[:2]),
            "verdict": self._verdict(told, any(f.server == server.id for f in snapshot.flights)),
            "load": None if load is None else {
                "steal": load.steal, "per_vcpu": load.load_per_vcpu, "source": load.source,
                "age_s": max(0.0, (snapshot.taken_at - load.at).total_seconds()),
            },
            "rules": [{"name": c.name, "met": c.met, "value": c.value, "limit": c.limit} for c in told.checks],
            "candidates": [_candidate(c) for c in candidates],
            "candidates_note": "lowest score wins" if told.operation else "the nearest misses" if candidates else "",
            "help": told.refusal.help if told.refusal else "",
            "history": self._history(id_),
            "moves": self._moves(id_),
        }  # fmt: skip

    def _role(self, server: Server) -> str:
        return server.metadata.get(self.demo.policy.roles.metadata_key, "")

    def _verdict(self, told: Explanation, flying: bool) -> page.Verdict:
        kind: page.VerdictKind = "moving" if flying else KINDS[told.kind]
        title = told.title[0].upper() + told.title[1:]
        if told.kind == "moves" and not self.demo.acting:
            title = title.replace("Moves", "Would move")
        return {"kind": kind, "title": title, "text": told.text}

    def _history(self, id_: str) -> list[page.HistoryPoint]:
        s = self.demo.cloud.server_ids.index(ServerId(id_))
        return [
            {
                "t": r.at.isoformat(),
                "steal": round(float(r.steal[s]), 4),
                "per_vcpu": round(float(r.load_per_vcpu[s]), 3),
            }
            for r in list(self.demo.readings)
        ]

    def _moves(self, id_: str) -> list[page.PastMove]:
        out: list[page.PastMove] = []
        benefits = self.demo.balancer.measuring.benefits
        for record in reversed(self.demo.ended):
            step = record.steps[0]
            found = None if step.ended_at is None else benefits.get((id_, step.ended_at))
            if record.operation.subject == id_ and step.ended_at is not None and record.state in OUTCOMES:
                out.append(
                    {
                        "from": record.operation.source,
                        "to": record.operation.target,
                        "ended": step.ended_at.isoformat(),
                        "outcome": OUTCOMES[record.state],
                        "benefit": None if found is None else found.moved.fall,
                    }
                )
        return out[:20]


def _candidate(c: Candidate) -> page.Candidate:
    return {
        "host": c.host, "score": c.score, "steal": c.steal, "same_role": c.same_role, "free_mib": c.free_mib,
        "cpu_after": c.cpu_after, "why": c.why,
    }  # fmt: skip
