"""One plan carried out by the command, with what Nova was asked for meanwhile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from command import Ended, Process, Watari
from lab import plans
from lab.nova import Moved, Nova
from lab.parts import beside
from watari.plan.plan import Plan


@dataclass
class Scene:
    """A plan in a file, ready to be applied."""

    watari: Watari
    nova: Nova
    plan: Plan
    file: Path
    policy: Path
    mark: int

    @classmethod
    def of(
        cls,
        watari: Watari,
        nova: Nova,
        names: Sequence[str],
        cloud: str = "lab",
        *,
        at_once: int = 24,
        budgets: Mapping[str, str] | None = None,
    ) -> "Scene":
        """Every one of the servers goes to the host beside its own."""
        policy = plans.wide(watari.home, at_once, **(budgets or {}))
        moves = [(server, beside(server.host)) for server in nova.some(names)]
        plan = plans.of_moves(nova.lab.spec, moves, policy, cloud)
        return cls(watari, nova, plan, plans.written(plan, watari.home / "p.json"), policy, nova.mark())

    @property
    def run(self) -> str:
        return plans.run_of(self.plan)

    def begin(self) -> Process:
        return self.watari.start("apply", self.file, "--policy", self.policy, "--yes")

    def apply(self) -> Ended:
        return self.watari.end(self.begin())

    def begin_resume(self) -> Process:
        return self.watari.start("runs", "resume", self.run)

    def resume(self) -> Ended:
        return self.watari.end(self.begin_resume())

    @property
    def asked(self) -> list[Moved]:
        """What Nova was asked to do with the plan's servers since it was made."""
        ours = {op.subject for op in self.plan.operations}
        return [moved for moved in self.nova.since(self.mark) if moved.server in ours]

    @property
    def once(self) -> bool:
        """No server was asked to move twice."""
        servers = [moved.server for moved in self.asked]
        return len(servers) == len(set(servers))

    @property
    def arrived(self) -> set[str]:
        """The servers that are where the plan wants them."""
        places = self.nova.places()
        return {op.name for op in self.plan.operations if places[op.name] == op.target}

    @property
    def home(self) -> set[str]:
        """The servers that are where they were."""
        places = self.nova.places()
        return {op.name for op in self.plan.operations if places[op.name] == op.source}

    @property
    def all(self) -> set[str]:
        return {op.name for op in self.plan.operations}
