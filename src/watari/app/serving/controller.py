"""`watari serve`: a worker that also looks at clouds, one thread for each, or stands by while another process does."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from structlog.contextvars import bind_contextvars

from watari.act.durable.engine import Engine
from watari.act.durable.leading import Place
from watari.act.durable.lease import Lost
from watari.act.durable.store import Store
from watari.app import runs
from watari.app.benefit import Due, with_benefits
from watari.app.clouds import Cloud, is_sim, open_cloud
from watari.app.notify.couriers import Couriers
from watari.app.serving.notices import Notices
from watari.app.serving.notify_file import NotifyFile
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.reconciler import Look, Reconciler
from watari.errors import BadInput, Busy, Permanent, Transient, WatariError
from watari.model.reasons import Finding

log = logging.getLogger(__name__)
TURN_S: Final = 1.0  # between two looks for what people approved
STANDBY_S: Final = 1.0  # between two tries to take the place of another process
LEAVE_S: Final = 30.0  # how long the end waits for looks under way
AWAY_S: Final = 5.0  # after trouble with the database, or a bug

Say = Callable[[str], None]


def open_clouds(names: Sequence[str]) -> dict[str, Cloud]:
    """The clouds to look after. Nothing is asked of them yet. Raises BadInput for what is none, or is no real one."""
    if wrong := next((name for name in names if is_sim(name)), None):
        raise BadInput(
            f"{wrong}: a simulated cloud lives only while a command works on it; see it looked after with `watari demo`"
        )
    return {name: open_cloud(name) for name in dict.fromkeys(names)}


def policies(policy: str | None, clouds: Collection[str]) -> dict[str, PolicyFile]:
    """The policy of each cloud. Raises BadInput for one that is wrong from the beginning."""
    return {name: PolicyFile(policy) for name in clouds}


def serve(
    store: Store,
    clouds: dict[str, Cloud],
    ended: threading.Event,
    say: Say,
    *,
    files: Mapping[str, PolicyFile],
    seen: Callable[[Reconciler], None] = lambda reconciler: None,
    notify: str | None = None,
    worker: Callable[..., AbstractContextManager[Engine]] = runs.working,
) -> None:
    """Look after the clouds until `ended`, then finish what is under way.

    `files` are the policies of the clouds; `seen` is called after every look, in the thread of its cloud; `notify` is
    the file that says who is told of what they see; `worker` makes what carries runs out.

    With SQLite a second process waits for the first to end; with PostgreSQL it works for it meanwhile. Raises BadInput
    for a `notify` that is wrong from the beginning, Permanent when nothing can be carried out here.
    """
    say = _safely(say)
    told = NotifyFile(notify)
    if told.targets:
        say(f"{', '.join(target.name for target in told.targets)} will be told")
    for name, cloud in clouds.items():
        cloud.recall = partial(with_benefits, store=store, cloud=name)
    with ExitStack() as stack:
        if (
            engine := _take_turn(lambda: stack.enter_context(worker(store, None, clouds=clouds)), ended, say, files)
        ) is None:
            return
        couriers = Couriers(store, engine.lease.executor, told, ended)
        looking = [
            _Looking(store, engine, cloud, files[name], say, seen, ended, told, couriers)
            for name, cloud in clouds.items()
        ]
        due = Due(store, say, lambda name: clouds.get(name) or open_cloud(name))
        leaving = threading.Thread(target=_leave_when, args=(ended, engine), daemon=True, name="leaving")
        try:
            for thread in (leaving, *(one.thread for one in looking)):
                thread.start()
            while not ended.wait(TURN_S):
                _check(engine, looking)
                told.look()
                couriers.look()
                with suppress(Transient):  # of the database: the lease ends this process if it lasts
                    due.look()
        finally:
            ended.set()
            until = time.monotonic() + LEAVE_S
            for one in looking:
                one.thread.join(max(0.0, until - time.monotonic()))
            couriers.end(max(0.0, until - time.monotonic()))
        say("finishing what is under way, beginning nothing; again ends at once")
        engine.finish()


def _leave_when(ended: threading.Event, engine: Engine) -> None:
    """From then on no operation begins any more, whatever the looks and measurements are at just now."""
    ended.wait()
    engine.carrier.leaving.set()
    engine.carrier.turns.wake_all()


def _safely(say: Say) -> Say:
    """A full disk, or nobody who listens, ends nothing."""

    def safe(line: str) -> None:
        with suppress(OSError, ValueError):
            say(line)

    return safe


def _check(engine: Engine, looking: "list[_Looking]") -> None:
    """Raises Permanent when this process is of no use any more: another one has to take its place."""
    if engine.carrier.trouble:
        raise Permanent(engine.carrier.trouble)
    if dead := [one.cloud.name for one in looking if not one.thread.is_alive()]:
        raise Permanent(f"nothing looks after {', '.join(dead)} any more; this is a bug")


def _take_turn(
    begin: Callable[[], Engine], ended: threading.Event, say: Say, files: Mapping[str, PolicyFile]
) -> Engine | None:
    """A worker for every run; None if it `ended` before another process left the SQLite file to it."""
    told = ""
    while not ended.is_set():
        try:
            return begin()
        except Busy as e:
            if str(e) != told:
                say(f"standing by: {e}")
            told = str(e)
            ended.wait(STANDBY_S)
            for file in files.values():  # so that it is the present one that stays in force when it breaks
                file.look()
    return None


@dataclass(slots=True)
class _Looking:
    """The thread that looks after one cloud."""

    store: Store
    engine: Engine
    cloud: Cloud
    policy: PolicyFile
    say: Say
    seen: Callable[[Reconciler], None]
    ended: threading.Event
    told: NotifyFile
    couriers: Couriers
    thread: threading.Thread = field(init=False)
    reconciler: Reconciler = field(init=False)
    notices: Notices = field(init=False)
    _leads: bool = False
    _looked_at: float = float("-inf")
    _followed: tuple[str, str] = ("", "")
    _said: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        place = Place(self.store, self.engine.lease, self.cloud.name)
        self.reconciler = Reconciler(place, self.cloud, self.policy, self._take_up, besides=self._besides)
        self.notices = Notices(place, lambda: self.told.targets, self.couriers.wake)
        self.thread = threading.Thread(target=self._work, daemon=True, name=f"look-at-{self.cloud.name}")

    def _work(self) -> None:
        bind_contextvars(cloud=self.cloud.name)  # of this thread
        while not self.ended.is_set():
            rest_s = TURN_S
            try:
                self._turn()
            except Lost as e:
                self._leads = False
                self._tell("place", f"standing by: {e}")
            except WatariError as e:  # of the database: the cloud's are told in the look
                self._tell("database", str(e))
                rest_s = AWAY_S
            except Exception:  # the outermost loop of this thread: a bug must not end it without a word
                log.exception("looking after %s", self.cloud.name)
                rest_s = AWAY_S
            self.ended.wait(rest_s)
        self._leave()

    def _turn(self) -> None:
        self.policy.look()
        if holder := self.reconciler.place.hold():
            self._leads = False
            self._tell("place", f"standing by: {holder} looks after it")
            return
        if not self._leads:
            self.reconciler.recall()
            self._leads = True
            self._tell("place", f"looking after it, every {self.policy.policy.serve.every_s:g} s")
        self._begin()
        due = time.monotonic() >= self._looked_at + self.policy.policy.serve.every_s
        if (due or self.policy.text != self._followed) and not self.policy.settling:  # a changed policy counts at once
            self._looked_at, self._followed = time.monotonic(), self.policy.text
            self._report(look := self.reconciler.look())
            self._show()
            self._begin()
            self.reconciler.withdraw_undecided()
            if self.told.ref is not None:
                self.notices.tell(look)
        self._said.pop("database", None)

    def _show(self) -> None:
        try:
            self.seen(self.reconciler)
        except Exception:  # whoever only watches must not keep anything from being done
            log.exception("showing %s", self.cloud.name)

    def _take_up(self, run: str) -> None:
        self.engine.take_up(run)

    def _besides(self) -> tuple[Finding, ...]:
        return (*self.told.findings(self.cloud.name), *self.couriers.findings(self.cloud.name))

    def _begin(self) -> None:
        if self.ended.is_set():
            return
        for run in self.reconciler.begin_approved():
            self._tell("run", f"{run} begins")

    def _report(self, look: Look) -> None:
        starved = "" if look.starved is None else f"{look.starved} of {look.measured} starved; "
        nothing = "only observed" if look.mode == "observe" and look.starved else "nothing to do"
        self._tell("doing", f"{look.mode}: {look.trouble or starved + (look.doing or nothing)}")
        self._tell("policy", self.policy.problem and f"the policy as it was stays in force: {self.policy.problem}")

    def _leave(self) -> None:
        """Keep what was learned and seen, and leave the place to another: each, whatever becomes of the others."""
        if not self._leads:
            return
        last = {
            "kept": self.reconciler.keep_memory, "recorded": self.reconciler.keep_history,
            "left": self.reconciler.place.release,
        }  # fmt: skip
        for what, do in last.items():
            try:
                do()
            except Exception as e:
                log.warning("%s is not %s: %s", self.cloud.name, what, e)

    def _tell(self, about: str, line: str) -> None:
        """Say what has changed."""
        if self._said.get(about, "") != line:
            self._said[about] = line
            if line:
                self.say(f"{self.cloud.name}: {line}")
