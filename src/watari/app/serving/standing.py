"""What stands between a plan and its run: proposals that wait, are replaced, expire, or are approved."""

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from watari.act.durable.leading import Place
from watari.act.durable.proposals import OPEN, Proposal, ProposalState, list_proposals, modes_of, propose, prune, settle
from watari.plan.plan import Plan
from watari.plan.text import count
from watari.policy.values import Mode

RENEW: Final = 0.25  # a proposal is made anew when so much of its time is left, if it is still needed
KEPT: Final = timedelta(days=7)  # so long a plan is kept that came to nothing
PRUNE_S: Final = 3600.0
REMEMBERED: Final = 100  # proposals that are looked through for rejected ones

_STATES: Final[dict[Mode, ProposalState]] = {"suggest": "suggested", "approve": "waiting", "automatic": "approved"}


@dataclass(slots=True)
class Standing:
    """The proposals of one job on one cloud. All writes are the controller's."""

    place: Place
    job: str
    _pruned_at: float = float("-inf")

    def meet(self, plan: Plan | None, mode: Mode, policy: tuple[str, str], now: datetime) -> str:
        """Let the newest plan take the place of what stood before; says what is done about it, or "".

        None: nobody needs help any more. One that wants the same servers moved stays: what people read does not change
        under their eyes.
        """
        self._prune(now)
        known = list_proposals(self.place.store, cloud=self.place.cloud, job=self.job, limit=REMEMBERED)
        wanted = plan if plan is not None and plan.operations else None
        with self.place.writing() as c:
            kept: Proposal | None = None
            for one in (p for p in known if p.state in OPEN):
                agreed = one.state == "approved" and one.mode != "automatic"
                if agreed or not (found := _outdated(one, wanted, mode, now)):
                    kept = kept or one
                else:
                    settle(c, one.id, *found, now)
            if kept is not None:
                return f"{kept.id} is {kept.state}: {count(kept.operations, 'operation')}"
            if wanted is None:
                return ""
            if mode != "suggest" and (no := _rejected(known, wanted, now)) is not None:
                return f"nothing: {no.decided_by} rejected this until {no.expires_at:%H:%M}" + (
                    f" ({no.why})" if no.why else ""
                )
            by = f"policy {policy[1]}" if mode == "automatic" else ""
            propose(c, wanted, self.place.cloud, mode, policy, _STATES[mode], by)
        return f"{wanted.id} is {_STATES[mode]}: {count(len(wanted.operations), 'operation')}"

    def _prune(self, now: datetime) -> None:
        """Forget, once an hour, what came to nothing long ago: a controller lives for months."""
        if time.monotonic() < self._pruned_at + PRUNE_S:
            return
        with self.place.writing() as c:
            prune(c, self.place.cloud, now - KEPT)
        self._pruned_at = time.monotonic()

    def approved(self) -> list[Proposal]:
        """Those that are to begin, oldest first."""
        found = list_proposals(self.place.store, cloud=self.place.cloud, job=self.job, states=("approved",))
        return found[::-1]

    def modes(self, ids: Collection[str]) -> dict[str, str]:
        """In which mode the plans of these runs were proposed; runs that people began themselves are not in it."""
        return modes_of(self.place.store, ids)

    def settle(self, one: Proposal, state: ProposalState, why: str, now: datetime, run_id: str | None = None) -> None:
        """Say what became of an approved one."""
        with self.place.writing() as c:
            settle(c, one.id, state, why, now, run_id=run_id, was=("approved",))


def _outdated(one: Proposal, wanted: Plan | None, mode: Mode, now: datetime) -> tuple[ProposalState, str] | None:
    """Why a proposal that nobody has decided on does not stand any more."""
    if now > one.expires_at:
        return "expired", "nobody decided in time" if one.state == "waiting" else "a newer one follows if needed"
    if one.state != _STATES.get(mode):
        return "replaced", f"serve.{one.job} is {mode} now"
    if wanted is None:
        return "replaced", "no server needs it any more"
    late = now > one.expires_at - RENEW * (one.expires_at - one.made_at)
    if late or one.subjects != {o.subject for o in wanted.operations}:
        return "replaced", f"by {wanted.id}"
    return None


def _rejected(known: list[Proposal], wanted: Plan, now: datetime) -> Proposal | None:
    """The rejection that holds for all that is wanted: people are not asked the same again until it expires."""
    subjects = {o.subject for o in wanted.operations}
    said_no = [p for p in known if p.state == "rejected" and p.expires_at > now]
    return next((p for p in said_no if subjects <= p.subjects), None)
