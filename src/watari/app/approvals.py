"""Plans of the demo that wait for a person: its time stands still until somebody has decided."""

import threading
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from watari.errors import BadInput, NotFound
from watari.plan.plan import Plan

State = Literal["waiting", "begun", "rejected"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A plan, and what was decided; times are the demo's."""

    plan: Plan
    state: State = "waiting"
    by: str = ""
    why: str = ""
    at: datetime | None = None


@dataclass(slots=True)
class Approvals:
    """`agrees` and `take` are called by the thread that advances the demo, `decide` by any other."""

    asked: dict[str, Asked] = field(default_factory=dict)
    _waiting: str = ""
    _agreed: str = ""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def waits(self) -> bool:
        """Somebody has to decide."""
        return bool(self._waiting)

    def agrees(self, plan: Plan) -> bool:
        """Ask about a plan, unless a person has just said no to all that it wants. Never agrees at once."""
        with self._lock:
            subjects = {o.subject for o in plan.operations}
            if not any(subjects <= rejected for rejected in self._rejected(plan.made_at)):
                self.asked[plan.id] = Asked(plan)
                self._waiting = plan.id
        return False

    def decide(self, id: str, *, approve: bool, by: str, why: str, now: datetime) -> Asked:
        """Raises NotFound, and BadInput, saying what has become of it, for one that was decided otherwise."""
        wanted: State = "begun" if approve else "rejected"
        with self._lock:
            if (one := self.asked.get(id)) is None:
                raise NotFound(f'no plan "{id}" waits here')
            if one.state not in ("waiting", wanted):
                raise BadInput(f"{id} is not waiting for approval: it is {one.state} by {one.by}")
            if one.state == "waiting":
                one = self.asked[id] = Asked(one.plan, wanted, by, why, now)
                self._waiting, self._agreed = "", id if approve else ""
        return one

    def take(self) -> Plan | None:
        """The plan that was agreed to and has not begun; it begins now."""
        with self._lock:
            id, self._agreed = self._agreed, ""
        return self.asked[id].plan if id else None

    def _rejected(self, now: datetime) -> list[set[str]]:
        held = (one.plan for one in self.asked.values() if one.state == "rejected" and one.plan.expires_at > now)
        return [{o.subject for o in plan.operations} for plan in held]
