"""An orchestrator in virtual time: nodes with work that takes a while to leave, and whatever can go wrong with it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from watari.errors import Permanent, Transient
from watari.model.compute import Server, ServerId
from watari.ports import Clock, Standing

OURS = "watari: "


@dataclass(slots=True)
class Node:
    """A member. `work`: pieces that leave one after the other, each in `leaves_s`; infinity: never.

    `back_s`: how long after it is attached it serves again. `needed`: why it must not leave now.
    """

    server: ServerId
    work: int = 0
    leaves_s: float = 10.0
    back_s: float = 0.0
    needed: str = ""
    reason: str = ""  # why it is out; empty: it is not
    since_s: float = 0.0  # when it was taken out, or put back, on the orchestrator's clock


@dataclass(slots=True)
class SimOrchestrator:
    """Nodes by name. `down`: it does not answer; `stubborn`: it takes what it is asked and never attaches again."""

    name: str
    clock: Clock
    nodes: dict[str, Node] = field(default_factory=dict)
    down: bool = False
    stubborn: bool = False
    calls: list[str] = field(default_factory=list)  # changes that it was asked for, in order

    def members(self, servers: Collection[Server]) -> Mapping[ServerId, str]:
        self._answer()
        wanted = {server.id for server in servers}
        return {node.server: name for name, node in self.nodes.items() if node.server in wanted}

    def standing(self, member: str, was: str = "") -> Standing | None:
        self._answer()
        node = self.nodes.get(member)
        if node is None:
            return None
        if node.reason:
            left = self._left(node)
            words = f"{left} piece{'' if left == 1 else 's'} of work" if left else ""
            return Standing(True, False, node.reason.startswith(OURS), words, node.reason)
        fit = self._passed_s(node) >= node.back_s
        return Standing(False, fit, note="" if fit else "not ready yet")

    def was(self, member: str) -> str:
        self._answer()
        return "in service"

    def why_not(self, member: str) -> str:
        self._answer()
        return self._node(member).needed

    def detach(self, member: str, reason: str) -> None:
        self._answer()
        node = self._node(member)
        self.calls.append(f"detach {member}")
        if not node.reason:
            node.reason, node.since_s = reason if reason.startswith(OURS) else OURS + reason, self._now_s()

    def attach(self, member: str, was: str) -> None:
        self._answer()
        node = self._node(member)
        self.calls.append(f"attach {member}")
        if node.reason.startswith(OURS) and not self.stubborn:
            node.reason, node.since_s = "", self._now_s()

    def left_out(self) -> Mapping[str, str]:
        self._answer()
        return {name: node.reason for name, node in self.nodes.items() if node.reason.startswith(OURS)}

    def _answer(self) -> None:
        if self.down:
            raise Transient(f"{self.name} does not answer")

    def _node(self, member: str) -> Node:
        if member not in self.nodes:
            raise Permanent(f"{self.name} has no node {member}")
        return self.nodes[member]

    def _left(self, node: Node) -> int:
        gone = int(self._passed_s(node) / node.leaves_s) if node.leaves_s > 0 else node.work
        return max(0, node.work - gone)

    def _passed_s(self, node: Node) -> float:
        return self._now_s() - node.since_s

    def _now_s(self) -> float:
        return self.clock.now().timestamp()
