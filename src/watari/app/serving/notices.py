"""What a look at a cloud has to tell, and to whom: written down with the mark that it was told, sent by others."""

import json
import logging
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from watari.act.durable import notices as kept
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lost
from watari.act.durable.proposals import list_proposals, modes_of
from watari.act.durable.records import list_runs, load_run
from watari.act.durable.stops import Stop, stop_of
from watari.app.notify import matters
from watari.app.notify.matters import Matter, News, NotDone, Now, State
from watari.app.notify.message import NOT_DONE, SHOWN, digest
from watari.app.notify.news import LOOK_BACK_S, news
from watari.app.notify.targets import Target
from watari.app.serving.reconciler import MOST_FINDINGS, Look
from watari.errors import BadInput, WatariError
from watari.plan import codec

log = logging.getLogger(__name__)
FORM: Final = 1  # of what is kept of a target
BAD_STATES: Final = ("failed", "undone", "skipped")  # what is named first


@dataclass(slots=True)
class Notices:
    """Tells the targets of one cloud; `wake` makes what delivers look at once. Nothing of it keeps a look waiting."""

    place: Place
    targets: Callable[[], tuple[Target, ...]]
    wake: Callable[[Iterable[str]], None]

    def tell(self, look: Look) -> None:
        """Write down what is new at this look. Raises Lost when the place is another's; all else is only logged."""
        try:
            targets = [target for target in self.targets() if target.looks_at(self.place.cloud)]
            self.wake(self._tell(look, targets))
        except WatariError as e:
            log.warning("nobody is told of this look at %s: %s", self.place.cloud, e)
        except Lost:
            raise
        except Exception:  # a bug in telling must keep no plan from being carried out
            log.exception("telling of %s", self.place.cloud)

    def _tell(self, look: Look, targets: list[Target]) -> list[str]:
        """Returns the names of those that a message was written for.

        A target that a message about this cloud still waits for is left as it is: what is new meanwhile comes at once.
        """
        now, cloud, woken = self._now(look), self.place.cloud, list[str]()
        with self.place.writing() as c:
            kept.forget_all_but(c, cloud, [target.name for target in targets])
            states, busy = kept.told(c, cloud), kept.undelivered(c, cloud)
            for target in targets:
                if target.name in busy:
                    continue
                before = _read(states.get(target.name), target.name)
                after, found = news(before, now, target)
                if after != before:
                    kept.keep_told(c, cloud, target.name, _written(after))
                if found:
                    self._put(c, target, now, found)
                    woken.append(target.name)
        return woken

    def _put(self, c: sa.Connection, target: Target, now: Now, found: News) -> None:
        """Write the message down, with what has to be read for it alone."""
        id, cloud = uuid.uuid4().hex, self.place.cloud
        shown = tuple(replace(run, not_done=self._not_done(run)) for run in found.runs[:SHOWN])
        body = digest(id, target.name, cloud, now.at, replace(found, runs=(*shown, *found.runs[SHOWN:])))
        kept.put(c, self.place.store, id, target.name, cloud, body)

    def _now(self, look: Look) -> Now:
        """The cloud at this look."""
        at, cloud = datetime.fromisoformat(look.at), self.place.cloud
        stop = stop_of(self.place.store, cloud)
        found = [Matter("findings", f.code, f.subject, f.severity, f.text, f.help) for f in look.findings]
        sure = not look.trouble and look.mode != "off" and len(look.findings) < MOST_FINDINGS
        return Now(at, (*_troubles(cloud, look.trouble, stop), *found), sure, self._plans(), self._runs(at))

    def _plans(self) -> tuple[matters.Plan, ...]:
        waiting = list_proposals(self.place.store, cloud=self.place.cloud, states=("waiting",))
        return tuple(matters.Plan(p.id, p.job, p.operations, p.starved, p.made_at, p.expires_at) for p in waiting)

    def _runs(self, at: datetime) -> tuple[matters.Run, ...]:
        """Runs that ended lately, but those that the policy began and took back before anything was asked for."""
        store, cloud = self.place.store, self.place.cloud
        rows = list_runs(store, cloud=cloud, ended_after=at - timedelta(seconds=LOOK_BACK_S))
        modes = modes_of(store, [row.id for row in rows])
        taken_back = {row.id for row in rows if modes.get(row.id) == "automatic" and row.counts.keys() <= {"skipped"}}
        return tuple(
            matters.Run(
                row.id, row.plan_id, row.job, row.state, row.started_at, row.ended_at, row.counts, row.starved_before,
                row.starved_after,
            )
            for row in rows[::-1]
            if row.ended_at is not None and row.id not in taken_back
        )  # fmt: skip

    def _not_done(self, run: matters.Run) -> tuple[NotDone, ...]:
        """The first operations that did not end well, the worst first."""
        if not run.counts.keys() & set(BAD_STATES):
            return ()
        records = [o for o in load_run(self.place.store, run.id).operations if o.state in BAD_STATES]
        records.sort(key=lambda o: BAD_STATES.index(o.state))
        return tuple(NotDone(o.operation.name, o.state, o.note) for o in records[:NOT_DONE])


def _troubles(cloud: str, trouble: str, stop: Stop | None) -> Iterable[Matter]:
    if trouble:
        help = "Nothing begins by itself on it until then: watari status."
        yield Matter("trouble", "undecided", cloud, "error", trouble, help)
    if stop is not None:
        go = f"watari go --cloud {stop.cloud}" if stop.cloud else "watari go"
        text, mark = f"{'this cloud is' if stop.cloud else 'all clouds are'} stopped: {stop}", stop.at.isoformat()
        yield Matter("trouble", "stopped", cloud, "warning", text, f"Nothing begins until it is lifted: {go}", mark)


def _written(state: State) -> str:
    return json.dumps({"form": FORM, "state": codec.to_json(State, state)}, ensure_ascii=False)


def _read(body: str | None, target: str) -> State | None:
    """What was kept of a target; None for nothing, or for what another version wrote: then all is told anew."""
    if body is None:
        return None
    try:
        value = json.loads(body)
        if value["form"] != FORM:
            raise BadInput(f"form {value['form']}, this version knows {FORM}")
        state: State = codec.from_json(State, value["state"], "what it was told")
    except (BadInput, ValueError, KeyError, TypeError) as e:
        log.warning("what %s was told cannot be read, it is told anew: %s", target, e)
        return None
    return state
