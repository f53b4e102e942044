"""The desk of a real controller: everything stands in its database, but the live picture of the clouds it looks at."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from watari.act.durable.asking import ask_to_cancel, ask_to_go_on, ask_to_stop
from watari.act.durable.audit import Actor, audit_lines, audited
from watari.act.durable.histories import all_kept
from watari.act.durable.leading import forget, is_elsewhere, last_seen
from watari.act.durable.proposals import ASKED, decide, find_proposal, list_proposals, propose, proposed_plan
from watari.act.durable.records import RunRow, list_runs, load_run
from watari.act.durable.stops import all_stops, clouds_known, lift_stop, set_stop
from watari.act.durable.store import Store
from watari.app.runs import undo_plan
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.status import statuses
from watari.app.snapshots import snapshot_file
from watari.errors import BadInput, Busy, NotFound
from watari.plan.plan import Plan
from watari.policy.load import parse_policy, policy_text, shipped_policies
from watari.web.api import models as m
from watari.web.api import views
from watari.web.api.asked import made_plan
from watari.web.api.changes import Watcher, journal_lines
from watari.web.api.desk import By, Change
from watari.web.api.paging import cut
from watari.web.api.what_if import WhatIf
from watari.web.hub import Hub
from watari.web.live import LiveFeed

IN_FORCE: Final = "in force:"
AT_ONCE: Final = 2  # plans that people ask for: each reads a whole cloud


@dataclass(frozen=True, slots=True)
class Served:
    """A cloud that this process looks after, or would: its policy as it is in force, and what was seen of it."""

    policy: PolicyFile
    feed: LiveFeed


@dataclass(slots=True)
class StoreDesk:
    """Answers out of `store`; `served` are the clouds of this process."""

    store: Store
    served: Mapping[str, Served]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _watcher: Watcher = field(init=False)
    _what_if: WhatIf = field(init=False)
    _planning: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    def __post_init__(self) -> None:
        self._watcher = Watcher(self.store, self.now)
        self._what_if = WhatIf(self.store)

    # What there is ------------------------------------------------------------------------------------------------

    def clouds(self) -> Sequence[m.Cloud]:
        return [views.cloud(status) for status in statuses(self.store)]

    def findings(self, cloud: str) -> Sequence[m.Finding]:
        found = next((status for status in statuses(self.store) if status.cloud == cloud), None)
        if found is None:
            raise self._unknown(cloud)
        return [views.finding(cloud, one) for one in found.findings]

    def hub(self, cloud: str) -> Hub | None:
        if cloud not in self.served:
            if all(seen.cloud != cloud for seen in last_seen(self.store)):
                raise self._unknown(cloud)
            return None
        return None if is_elsewhere(self.store, cloud) else self.served[cloud].feed.hub

    def snapshot(self, cloud: str) -> bytes | None:
        if self.hub(cloud) is None or (last := self.served[cloud].feed.snapshot) is None:
            return None
        return snapshot_file(last)

    def histories(self) -> Sequence[m.History]:
        return [views.history(kept) for kept in all_kept(self.store)]

    def forget(self, cloud: str, by: By) -> None:
        if all(status.cloud != cloud for status in statuses(self.store)):
            raise self._unknown(cloud)
        with self._audited(by, "forget cloud", cloud, cloud=cloud):
            forget(self.store, cloud)

    # Plans --------------------------------------------------------------------------------------------------------

    def plans(self, cloud: str | None, states: Sequence[str], after: str | None, limit: int) -> m.Items[m.Plan]:
        found = list_proposals(self.store, cloud=cloud, states=states, after=after, limit=limit + 1)
        return cut([views.plan(one, self.now()) for one in found], limit)

    def plan(self, id: str) -> m.PlanDetails:
        return views.plan_details(views.plan(find_proposal(self.store, id), self.now()), proposed_plan(self.store, id))

    def propose(self, wanted: m.PlanRequest, by: By) -> m.PlanDetails:
        if (served := self.served.get(wanted.cloud)) is None:
            raise NotFound(f"this controller does not look after {wanted.cloud}: it knows {self._names()}")
        if not self._planning.acquire(blocking=False):
            raise Busy(f"{AT_ONCE} plans are being made already: ask again in a moment")
        try:
            hosts = ", ".join(wanted.hosts) if isinstance(wanted, m.DrainRequest) else wanted.cloud
            with self._audited(by, f"plan {wanted.job}", hosts, wanted.why, wanted.cloud) as came_of_it:
                plan = made_plan(wanted, served.policy.policy)
                came_of_it.append(plan.id)
                return self._proposed(plan, wanted.cloud, served.policy.text, by, wanted.why)
        finally:
            self._planning.release()

    def decide(self, id: str, approve: bool, why: str, by: By) -> m.Plan:
        cloud = find_proposal(self.store, id).cloud
        with self._audited(by, "approve plan" if approve else "reject plan", id, why, cloud):
            return views.plan(decide(self.store, id, approve=approve, by=by.user, why=why, now=self.now()), self.now())

    # Runs ---------------------------------------------------------------------------------------------------------

    def runs(self, cloud: str | None, only_open: bool, after: str | None, limit: int) -> m.Items[m.Run]:
        found = list_runs(self.store, cloud=cloud, only_open=only_open, after=after, limit=limit + 1)
        return cut([views.run(row) for row in found], limit)

    def run(self, id: str) -> m.RunDetails:
        row = self._row(id)
        records = load_run(self.store, row.id).operations
        operations = [views.operation(record, row.id, row.cloud) for record in records]
        return m.RunDetails(**dict(views.run(row)), operations=operations)

    def journal(self, run: str, after: int, limit: int) -> m.Items[m.JournalLine]:
        row = self._row(run)
        lines = journal_lines(self.store, after=after, limit=limit + 1, run=row.id)
        return m.Items(items=lines[:limit], next=str(lines[limit - 1].n) if len(lines) > limit else None)

    def stop_run(self, id: str, why: str, by: By) -> m.Run:
        return self._asked(ask_to_stop, "stop run", id, why, by)

    def cancel_run(self, id: str, why: str, by: By) -> m.Run:
        return self._asked(ask_to_cancel, "cancel run", id, why, by)

    def resume_run(self, id: str, why: str, by: By) -> m.Run:
        return self._asked(ask_to_go_on, "resume run", id, why, by)

    def undo_run(self, id: str, why: str, by: By) -> m.PlanDetails:
        row = self._row(id)
        if all(not seen.alive or seen.cloud != row.cloud for seen in last_seen(self.store)):
            raise BadInput(f"nobody looks after {row.cloud}, so nothing would take {id} back: watari runs undo {id}")
        with self._audited(by, "plan undo", id, why, row.cloud) as came_of_it:
            plan, _, policy = undo_plan(self.store, row.id)
            came_of_it.append(plan.id)
            return self._proposed(plan, row.cloud, policy, by, why or f"takes {id} back")

    # The stop switch ----------------------------------------------------------------------------------------------

    def stops(self) -> Sequence[m.Stop]:
        return [views.stop(one) for one in all_stops(self.store)]

    def set_stop(self, cloud: str, why: str, by: By) -> m.Stop:
        if cloud and cloud not in (known := clouds_known(self.store) | self.served.keys()):
            raise NotFound(
                f"there is no cloud {cloud} here, so nothing would stop; there are {', '.join(sorted(known))}"
            )
        with self._audited(by, "stop", cloud or "all clouds", why, cloud):
            return views.stop(set_stop(self.store, cloud, by.user, why, self.now()))

    def lift_stop(self, cloud: str, why: str, by: By) -> m.Stop:
        with self._audited(by, "go", cloud or "all clouds", why, cloud):
            return views.stop(lift_stop(self.store, cloud))

    # Policies, the record, what changes ---------------------------------------------------------------------------

    def policy(self, ref: str) -> m.PolicyShown:
        if ref.startswith(IN_FORCE):
            cloud = ref.removeprefix(IN_FORCE)
            if cloud not in self.served:
                raise NotFound(f"this controller does not look after {cloud or 'a cloud without a name'}")
            policy, text = self.served[cloud].policy.policy, self.served[cloud].policy.text[0]
        elif ref in shipped_policies():
            text, source = policy_text(ref)
            policy = parse_policy(text, source)
        else:
            raise NotFound(f"no policy is called so; there are {', '.join(self.policies())}")
        return m.PolicyShown(name=ref, digest=policy.digest, text=text)

    def policies(self) -> Sequence[str]:
        return [*shipped_policies(), *(f"{IN_FORCE}{name}" for name in self.served)]

    def what_if(self, wanted: m.WhatIf) -> m.Played:
        in_force = self.policy(f"{IN_FORCE}{wanted.cloud}").text
        name = wanted.policy.strip()
        text = self.policy(name).text if name in self.policies() else wanted.policy
        parse_policy(text, "policy")  # what is wrong with it is told at once, by lines of the text
        return self._what_if.play(wanted.cloud, wanted.days, text, in_force)

    def close(self) -> None:
        """End what takes long."""
        self._what_if.close()

    def audit(self, after: int | None, limit: int) -> m.Items[m.AuditLine]:
        lines = audit_lines(self.store, before=after, limit=limit + 1)
        items = [views.audit_line(line) for line in lines[:limit]]
        return m.Items(items=items, next=str(items[-1].n) if len(lines) > limit else None)

    def changes(self) -> Sequence[Change]:
        return self._watcher.look()

    # ----------------------------------------------------------------------------------------------------------------

    def _audited(
        self, by: By, action: str, subject: str, why: str = "", cloud: str = ""
    ) -> AbstractContextManager[list[str]]:
        return audited(self.store, Actor(by.user, "api", by.address), action, subject, why, cloud)

    def _asked(self, ask: Callable[[Store, str], None], action: str, id: str, why: str, by: By) -> m.Run:
        row = self._row(id)
        with self._audited(by, action, id, why, row.cloud):
            ask(self.store, row.id)
        return views.run(self._row(row.id))

    def _proposed(self, plan: Plan, cloud: str, policy: tuple[str, str], by: By, why: str) -> m.PlanDetails:
        """Keep a plan that somebody asked for. One without operations is there to be read."""
        why = f"asked for by {by.user}" + (f": {why}" if why else "")
        with self.store.writing() as c:
            propose(c, plan, cloud, ASKED, policy, "waiting" if plan.operations else "suggested", why=why)
        return self.plan(plan.id)

    def _row(self, id: str) -> RunRow:
        if rows := list_runs(self.store, ids=[id]) or list_runs(self.store, plan=id):
            return rows[0]
        raise NotFound(f'no run "{id}"')

    def _names(self) -> str:
        return ", ".join(self.served) or "none"

    def _unknown(self, cloud: str) -> BadInput:
        known = ", ".join(status.cloud for status in statuses(self.store)) or "none"
        return NotFound(f"no controller has ever looked after {cloud}; those that were: {known}")
