"""What every orchestrator does. Subclass `OrchestratorConformance` in a test module and give it a `world`:

class TestMine(OrchestratorConformance):
    @pytest.fixture
    def world(self):
        yield OrchestratorWorld(orchestrator, member=…, stranger=…, …)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from watari.errors import Permanent, Transient
from watari.model.compute import Server
from watari.ports import Orchestrator, Standing

REASON = "watari: conformance"


@dataclass
class OrchestratorWorld:
    """An orchestrator with nothing under way, and parts for the tests. None: it cannot have such a one.

    Members are named by what the orchestrator calls them; servers as an inventory has them.
    """

    orchestrator: Orchestrator
    server: Server  # its member serves, may leave, and its work leaves by itself
    stranger: Server  # nobody's member
    busy: str | None = None  # serves; its work does not leave …
    release: Callable[[], None] = lambda: None  # … before this is called
    theirs: str | None = None  # out of service by somebody else
    needed: str | None = None  # serves, and must not leave now
    sick: str | None = None  # is given work and is not fit for it
    cut: Callable[[], None] | None = None  # from now on the orchestrator does not answer …
    mend: Callable[[], None] = lambda: None  # … until this
    marks: bool = True  # it keeps our reason with what we did
    pass_s: Callable[[float], None] = time.sleep  # lets its time pass
    patience_s: float = 30.0

    @property
    def member(self) -> str:
        return self.orchestrator.members([self.server])[self.server.id]

    def standing(self, member: str, was: str = "") -> Standing:
        found = self.orchestrator.standing(member, was)
        assert found is not None, f"{member} is not known"
        return found

    def wait(self, what: str, until: Callable[[], bool]) -> None:
        """Let time pass until it is so."""
        waited_s = 0.0
        while not until():
            assert waited_s < self.patience_s, f"waited {waited_s:.0f} s for {what}"
            self.pass_s(0.25)
            waited_s += 0.25

    def detach(self, member: str) -> str:
        """Take it out, and wait until it is empty; returns what it was before."""
        was = self.orchestrator.was(member)
        self.ask_detach(member)
        self.wait(f"{member} to be empty", lambda: self._pressed(member))
        return was

    def ask_detach(self, member: str) -> None:
        self._ask(lambda: self.orchestrator.detach(member, REASON))

    def ask_attach(self, member: str, was: str) -> None:
        self._ask(lambda: self.orchestrator.attach(member, was))

    def attach(self, member: str, was: str) -> None:
        self.ask_attach(member, was)
        self.wait(f"{member} to serve again", lambda: self.standing(member, was).serving)

    def _pressed(self, member: str) -> bool:
        standing = self.standing(member)
        if standing.left:
            self.ask_detach(member)
        return standing.out and not standing.left

    def _ask(self, change: Callable[[], None]) -> None:
        """As Watari asks: what may pass is asked again."""

        def heard() -> bool:
            try:
                change()
            except Transient:
                return False
            return True

        self.wait("it to take a change", heard)


class OrchestratorConformance:
    """Every test here belongs to the contract."""

    @pytest.fixture
    def world(self) -> OrchestratorWorld:
        raise NotImplementedError("give an OrchestratorWorld")

    def test_it_has_a_name(self, world: OrchestratorWorld) -> None:
        assert world.orchestrator.name

    def test_members_are_found_among_servers_and_strangers_are_not(self, world: OrchestratorWorld) -> None:
        found = world.orchestrator.members([world.stranger, world.server])
        assert list(found) == [world.server.id]
        assert found[world.server.id]
        assert world.orchestrator.members([]) == {}

    def test_a_member_that_serves_says_so(self, world: OrchestratorWorld) -> None:
        standing = world.standing(world.member)
        assert (standing.out, standing.serving, standing.ours, standing.left) == (False, True, False, "")
        assert world.orchestrator.why_not(world.member) == ""
        assert world.member not in world.orchestrator.left_out()

    def test_what_it_does_not_know_is_none_and_cannot_leave(self, world: OrchestratorWorld) -> None:
        assert world.orchestrator.standing("no-such-member") is None
        with pytest.raises(Permanent):
            world.orchestrator.detach("no-such-member", REASON)

    def test_detached_it_is_out_and_empty_and_ours(self, world: OrchestratorWorld) -> None:
        member = world.member
        was = world.detach(member)
        try:
            standing = world.standing(member)
            assert (standing.out, standing.serving, standing.left) == (True, False, "")
            assert standing.ours == world.marks
            assert bool(standing.note), "why it does not serve is said"
            if world.marks:
                assert world.orchestrator.left_out()[member].startswith("watari: ")
        finally:
            world.attach(member, was)

    def test_attached_it_is_as_before_and_nothing_of_us_is_left(self, world: OrchestratorWorld) -> None:
        member = world.member
        before = world.standing(member)
        world.attach(member, world.detach(member))
        assert world.standing(member) == before
        assert member not in world.orchestrator.left_out()

    def test_both_may_be_asked_for_again(self, world: OrchestratorWorld) -> None:
        member, was = world.member, world.orchestrator.was(world.member)
        for _ in range(2):
            world.ask_detach(member)
        world.wait("it to be out", lambda: world.standing(member).out)
        for _ in range(2):
            world.attach(member, was)
        assert world.standing(member).serving

    def test_what_never_left_may_be_attached(self, world: OrchestratorWorld) -> None:
        member = world.member
        world.ask_attach(member, world.orchestrator.was(member))
        assert world.standing(member).serving

    def test_what_it_was_before_is_known_while_it_is_out(self, world: OrchestratorWorld) -> None:
        if not world.marks:
            pytest.skip("it keeps no marks: the run knows what was before")
        member = world.member
        was = world.detach(member)
        assert world.orchestrator.was(member) == was
        world.attach(member, was)

    def test_work_that_has_not_left_is_told(self, world: OrchestratorWorld) -> None:
        if world.busy is None:
            pytest.skip("it cannot tell what has not left")
        was = world.orchestrator.was(world.busy)
        world.ask_detach(world.busy)
        world.wait("it to be out", lambda: world.standing(world.busy or "").out)
        assert world.standing(world.busy).left
        world.release()
        world.detach(world.busy)
        assert world.standing(world.busy).left == ""
        world.attach(world.busy, was)

    def test_before_all_has_left_it_can_come_back(self, world: OrchestratorWorld) -> None:
        if world.busy is None:
            pytest.skip("it cannot tell what has not left")
        was = world.orchestrator.was(world.busy)
        world.ask_detach(world.busy)
        world.attach(world.busy, was)
        assert not world.standing(world.busy).out

    def test_what_somebody_else_took_out_stays_out_and_theirs(self, world: OrchestratorWorld) -> None:
        if world.theirs is None:
            pytest.skip("nobody else takes anything out here")
        before = world.standing(world.theirs)
        assert (before.out, before.ours) == (True, False)
        was = world.orchestrator.was(world.theirs)
        world.ask_detach(world.theirs)
        assert world.standing(world.theirs) == before
        world.ask_attach(world.theirs, was)
        assert world.standing(world.theirs) == before
        assert world.theirs not in world.orchestrator.left_out()

    def test_what_it_cannot_do_without_is_told(self, world: OrchestratorWorld) -> None:
        if world.needed is None:
            pytest.skip("it can do without any of its members")
        assert world.orchestrator.why_not(world.needed)
        assert world.standing(world.needed).serving, "asking changes nothing"

    def test_what_was_not_fit_before_need_not_be_fit_after(self, world: OrchestratorWorld) -> None:
        if world.sick is None:
            pytest.skip("it does not tell who is fit")
        standing = world.standing(world.sick)
        assert (standing.out, standing.serving) == (False, False)
        assert standing.note
        world.attach(world.sick, world.detach(world.sick))

    def test_when_it_does_not_answer_every_question_says_so(self, world: OrchestratorWorld) -> None:
        if world.cut is None:
            pytest.skip("it cannot be cut off here")
        member, was, orchestrator = world.member, world.orchestrator.was(world.member), world.orchestrator
        world.cut()
        questions: tuple[Callable[[], object], ...] = (
            lambda: orchestrator.members([world.server]), lambda: orchestrator.standing(member),
            lambda: orchestrator.was(member), lambda: orchestrator.detach(member, REASON),
            lambda: orchestrator.attach(member, was), orchestrator.left_out,
        )  # fmt: skip  # why_not may need no answer of it
        for ask in questions:
            with pytest.raises(Transient):
                ask()
        world.mend()
        world.attach(member, was)
