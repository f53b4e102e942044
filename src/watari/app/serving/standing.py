"""What stands between a plan and its run: proposals that wait, are replaced, expire, or are approved."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from watari.act.durable.leading import Place
from watari.act.durable.proposals import (
    ASKED,
    OPEN,
    Proposal,
    ProposalState,
    list_in,
    list_proposals,
    modes_of,
    propose,
    prune,
    settle,
)
from watari.act.durable.records import insert_run
from watari.act.journal import run_id
from watari.plan.plan import Plan
from watari.plan.text import count
from watari.policy.values import Mode

KEPT: Final = timedelta(days=7)  # so long a plan is kept that came to nothing
PRUNE_S: Final = 3600.0
SKEW: Final = timedelta(seconds=60)
NOT_NEEDED: Final = "no server is known to need it any more"
RENEW: Final = 0.25  # a proposal is made anew when so much of its time is left, if it is still needed

_STATES: Final[dict[Mode, ProposalState]] = {"suggest": "suggested", "approve": "waiting", "automatic": "approved"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What is done about a plan, in words; `id` of the proposal that stands for it, if one does."""

    text: str
    id: str = ""


@dataclass(slots=True)
class Standing:
    """The proposals of one job on one cloud. All writes but people's decisions are the controller's."""

    place: Place
    job: str
    _pruned_at: float = float("-inf")

    def meet(
        self,
        plan: Plan | None,
        mode: Mode,
        policy: tuple[str, str],
        now: datetime,
        unknown: frozenset[str] = frozenset(),
    ) -> Answer:
        """Let the newest plan take the place of what stood before; None: nobody is known to need help any more.

        One that wants the same servers moved stays: what people read does not change under their eyes. So does one
        about servers of which nothing is known just now (`unknown`, ids): that they need no help is not known either.
        """
        self._prune(now)
        wanted = plan if plan is not None and plan.operations else None
        with self.place.writing() as c:
            if (kept := self._kept(c, wanted, mode, policy, now, unknown)) is not None:
                return Answer(f"{kept.id} is {kept.state}: {count(kept.operations, 'operation')}", kept.id)
            if wanted is None:
                return Answer("")
            if mode != "suggest" and (no := self._rejected(c, wanted, now)) is not None:
                reason = f" ({no.why})" if no.why else ""
                return Answer(f"nothing: {no.decided_by} rejected this until {no.expires_at:%H:%M}{reason}")
            by = f"policy {policy[1]}" if mode == "automatic" else ""
            propose(c, wanted, self.place.cloud, mode, policy, _STATES[mode], by)
        return Answer(f"{wanted.id} is {_STATES[mode]}: {count(len(wanted.operations), 'operation')}", wanted.id)

    def withdraw_automatic(self, why: str, now: datetime) -> None:
        """What the policy alone approved and what has not begun does not stand any more."""
        with self.place.writing() as c:
            for one in list_in(c, cloud=self.place.cloud, job=self.job, states=("approved",), lock=True):
                if one.mode == "automatic":
                    settle(c, one.id, "replaced", why, now, was=("approved",))

    def approved(self) -> list[Proposal]:
        """Those that are to begin, oldest first: of this job, and what people have asked for."""
        found = list_proposals(self.place.store, cloud=self.place.cloud, states=("approved",))
        return [one for one in reversed(found) if one.mode == ASKED or one.job == self.job]

    def expire_asked(self, now: datetime) -> None:
        """What people asked for and nobody decided on in time is over."""
        waiting = list_proposals(self.place.store, cloud=self.place.cloud, states=("waiting", "suggested"))
        late = [one.id for one in waiting if one.mode == ASKED and now > one.expires_at]
        if late:
            with self.place.writing() as c:
                for id in late:
                    settle(c, id, "expired", "nobody decided in time", now, was=("waiting", "suggested"))

    def modes(self, ids: Collection[str]) -> dict[str, str]:
        """In which mode the plans of these runs were proposed; runs that people began themselves are not in it."""
        return modes_of(self.place.store, ids)

    def begin(self, one: Proposal, plan: Plan, now: datetime) -> str | None:
        """Begin the run of an approved one and say so, both or neither; None if it is not approved any more."""
        run = run_id(plan)
        with self.place.writing() as c:
            self.place.store.lock(c, plan.id)
            if not settle(c, one.id, "begun", one.why, now, run_id=run, was=("approved",)):
                return None
            insert_run(c, run, plan, self.place.cloud, one.policy, now, one.starved)
        return run

    def conclude(self, one: Proposal, state: ProposalState, why: str, now: datetime, run_id: str | None = None) -> None:
        """Say what became of an approved one."""
        with self.place.writing() as c:
            settle(c, one.id, state, why, now, run_id=run_id, was=("approved",))

    def _kept(
        self,
        c: sa.Connection,
        wanted: Plan | None,
        mode: Mode,
        policy: tuple[str, str],
        now: datetime,
        unknown: frozenset[str],
    ) -> Proposal | None:
        """The proposal that stays as it is; the others are settled."""
        kept: Proposal | None = None
        for one in list_in(c, cloud=self.place.cloud, job=self.job, states=OPEN, lock=True):
            if one.mode == ASKED:
                continue
            agreed = one.state == "approved" and one.mode != "automatic"
            if agreed or not (found := _outdated(one, wanted, mode, policy, now, unknown)):
                kept = kept or one
            else:
                settle(c, one.id, *found, now, was=(one.state,))
        return kept

    def _rejected(self, c: sa.Connection, wanted: Plan, now: datetime) -> Proposal | None:
        """The rejection that holds for all that is wanted: people are not asked the same again until it expires."""
        subjects = {o.subject for o in wanted.operations}
        said_no = list_in(c, cloud=self.place.cloud, job=self.job, states=("rejected",))
        held = (p for p in said_no if p.expires_at > now and p.mode != ASKED)
        return next((p for p in held if subjects <= p.subjects), None)

    def _prune(self, now: datetime) -> None:
        """Forget, once an hour, what came to nothing long ago: a controller lives for months."""
        if time.monotonic() < self._pruned_at + PRUNE_S:
            return
        with self.place.writing() as c:
            prune(c, self.place.cloud, now - KEPT)
        self._pruned_at = time.monotonic()


def _outdated(
    one: Proposal,
    wanted: Plan | None,
    mode: Mode,
    policy: tuple[str, str],
    now: datetime,
    unknown: frozenset[str],
) -> tuple[ProposalState, str] | None:
    """Why a proposal that nobody has decided on does not stand any more."""
    if now > one.expires_at:
        return "expired", "nobody decided in time" if one.state == "waiting" else "a newer one follows if needed"
    if one.state != _STATES.get(mode):
        return "replaced", f"serve.{one.job} is {mode} now"
    if one.policy[0] != policy[0]:
        return "replaced", "the policy has changed"
    if one.mode != "automatic" and one.subjects & unknown:
        return None
    if wanted is None:
        return "replaced", NOT_NEEDED
    if one.mode == "automatic" and one.id != wanted.id:  # it did not begin at its own look
        return "replaced", f"by {wanted.id}"
    late = now > one.expires_at - RENEW * (one.expires_at - one.made_at) or now < one.made_at - SKEW
    if late or one.subjects != {o.subject for o in wanted.operations}:
        return "replaced", f"by {wanted.id}"
    return None
