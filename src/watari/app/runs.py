"""Runs on real clouds: begun, watched, resumed, cancelled and undone, whichever process does the work."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from watari.act.durable.asking import ask_to_stop
from watari.act.durable.books import Books, holders
from watari.act.durable.carrying import Context
from watari.act.durable.engine import AT_ONCE, Engine
from watari.act.durable.lease import TTL_S
from watari.act.durable.records import (
    list_runs,
    load_run,
    policy_of,
    refresh,
    submit,
)
from watari.act.durable.store import Store
from watari.act.durable.tables import runs
from watari.act.guard import Guard, UnderWay, foreign
from watari.act.handlers import handlers
from watari.act.journal import Run
from watari.act.saga import Saga
from watari.app.benefit import Due
from watari.app.clouds import Cloud, open_cloud
from watari.app.database import find_run
from watari.app.measuring import has_changed
from watari.app.storage import storage_of, style_of
from watari.errors import BadInput, Busy, Permanent, Stale, Transient
from watari.observe.compute import memberships
from watari.plan.accompany import orchestrators_of
from watari.plan.inverse import JOB as UNDO
from watari.plan.inverse import inverse
from watari.plan.plan import Operation, Plan
from watari.ports import Inventory, Orchestrator

FRESH_S = 30.0  # a reading of the cloud that is no older need not be made again
OTHERS_S = 30.0  # between two looks at who else moves servers
LOOK_S = 0.5  # between two looks at the database while a run is watched

Watch = Callable[[Run, datetime], None]
Stopping = Callable[[], bool]


def begin(
    store: Store, plan: Plan, cloud: Cloud, policy: tuple[str, str], starved: int | None = None
) -> tuple[str, bool]:
    """Keep the plan and its run; says whether it is new. Raises Stale when the cloud is no longer what the plan saw.

    A run of this plan that is not over is gone on with, however the cloud looks by now: it knows what it did. The way
    back is judged server by server, when its turn comes.
    """
    if not any(row.plan_id == plan.id for row in list_runs(store, only_open=True)):
        check(plan, cloud)
    return submit(store, plan, cloud.name, policy, cloud.clock.now(), starved)


def check(plan: Plan, cloud: Cloud) -> None:
    """Whether the cloud, as it was within FRESH_S, is what the plan saw. Raises Stale, and what the cloud says."""
    inventory = cloud.inventory(FRESH_S)
    if plan.job != UNDO:
        check_cloud(plan, inventory)
        check_members(plan, inventory, tuple(cloud.orchestrators.values()))


def check_cloud(plan: Plan, inventory: Inventory) -> None:
    """Raises Stale, naming them, when servers of the plan are gone or were resized since."""
    wrong = [why for op in plan.operations if (why := _changed(op, inventory))]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise Stale(f"the cloud is no longer what the plan saw: {'; '.join(wrong[:5])}{more}: plan again")


def check_members(plan: Plan, inventory: Inventory, orchestrators: Collection[Orchestrator]) -> None:
    """Raises Stale, naming them, when servers would be moved in the middle of the work that an orchestrator gave them.

    So may it be with plans made from a file, or before somebody joined. Raises Transient for one that does not answer:
    nobody knows then who is its member.
    """
    moving = {op.move.server: op for op in plan.operations if op.move is not None}
    servers = [server for id, server in inventory.servers.items() if id in moving]
    wrong = [
        f"{moving[id].name} is {one.member} of {one.orchestrator}, and the plan does not take it out first"
        for id, found in memberships(servers, orchestrators).items()
        for one in found
        if one.orchestrator not in orchestrators_of(moving[id])
    ]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise Stale(f"{'; '.join(wrong[:5])}{more}: plan again")


def carry_out(store: Store, run_id: str, watch: Watch, stopping: Stopping, cloud: Cloud | None = None) -> Run:
    """Work on a run until it is over, or until `stopping`: then what is under way is finished and nothing begun.

    Returns the run as far as it came. `cloud`: its cloud, if it is open already.

    Raises Busy when another process works with the same SQLite file, and Permanent when nothing can be written.
    """
    with working(store, {run_id}, clouds={cloud.name: cloud} if cloud else None) as engine:
        engine.enqueue(run_id)
        return _watch(store, engine, run_id, watch, stopping)


def work(store: Store, ended: threading.Event, say: Callable[[str], None], at_once: int | None = None) -> None:
    """Be a worker for every run in the database until `ended`; then finish what is under way.

    `at_once`: operations that it takes, most of which wait; what it does not take is left to other workers.
    """
    with working(store, None, at_once or AT_ONCE) as engine:
        say(f"working with {store.shown} as {engine.lease.executor}")
        known: set[str] = set()
        due = Due(store, say)
        while not ended.wait(1.0):
            try:
                open_ = {row.id: row for row in list_runs(store, only_open=True) if not row.stopping}
                due.look()
            except Transient as e:  # the lease ends this process if it lasts
                say(str(e))
                continue
            for id in sorted(open_.keys() - known):
                say(f"{id}: {open_[id].job} on {open_[id].cloud}")
            known = set(open_)
            if engine.carrier.trouble:
                raise Permanent(engine.carrier.trouble)
        say("finishing what is under way, beginning nothing; again ends at once")
        engine.finish()


def give_up(store: Store, run_id: str, watch: Watch) -> Run | None:
    """Bring a run that was given up (ask_to_cancel) to its end. None: another process works on it, and was told."""
    try:
        return carry_out(store, run_id, watch, lambda: False)
    except Busy:
        return None


def undo_plan(store: Store, run_id: str) -> tuple[Plan, Cloud, tuple[str, str]]:
    """The plan that takes a run back, its cloud and its policy. Raises BadInput while the run goes on."""
    row = find_run(store, run_id)
    if row.ended_at is None:
        raise BadInput(f"{run_id} is not over: `watari runs cancel {run_id}` first")
    run, cloud = load_run(store, run_id), open_cloud(row.cloud)
    done = [o for o in run.operations if has_changed(o)]
    done.sort(key=lambda o: max((r.ended_at for r in o.steps if r.ended_at), default=run.started_at))
    with store.reading() as c:
        text = c.execute(sa.select(runs.c.policy_text, runs.c.policy_source).where(runs.c.id == run_id)).one()
    now, inventory = cloud.clock.now(), cloud.compute.inventory()
    unseen = {o.operation.move.server for o in done if o.operation.move is not None} - inventory.servers.keys()
    found = {id for id in unseen if cloud.compute.locate(id) is not None}  # of a host that did not answer just now
    back = inverse(run.plan, [o.operation for o in done], now, frozenset({*inventory.servers, *found}))
    return back, cloud, (text[0], text[1])


@contextmanager
def working(
    store: Store,
    only: set[str] | None,
    at_once: int = AT_ONCE,
    clouds: Mapping[str, Cloud] | None = None,
    ttl_s: float = TTL_S,
) -> Iterator[Engine]:
    """A worker for `only` some runs, or for all, until the block ends; `clouds` are open already.

    Raises Busy when another process works with the same SQLite file.
    """
    opened = _Clouds(store, dict(clouds or {}))
    engine = Engine(store, opened.open_run, ttl_s, at_once=at_once)
    if not store.is_postgres:  # a run that was left long ago does not go on because another one begins
        engine.carrier.only = only
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def _watch(store: Store, engine: Engine, run_id: str, watch: Watch, stopping: Stopping) -> Run:
    run, seen, told = load_run(store, run_id), 0.0, False
    while True:
        try:
            if stopping() and not told:
                with suppress(BadInput):  # it is over, or is given up
                    ask_to_stop(store, run_id)
                told = True
            seen = refresh(store, run, seen)
            watch(run, datetime.now().astimezone())
        except Transient:  # the lease ends this process if it lasts
            time.sleep(LOOK_S)
            continue
        if engine.carrier.trouble:
            raise Permanent(engine.carrier.trouble)
        if all(o.over for o in run.operations) or (
            (told or run.stopping) and not any(o.under_way for o in run.operations)
        ):
            return run
        time.sleep(LOOK_S)


def _changed(op: Operation, inventory: Inventory) -> str:
    if op.move is None:
        return ""
    server = inventory.servers.get(op.move.server)
    if server is None:
        return f"{op.name} does not exist any more"
    if op.vcpus and server.vcpus != op.vcpus:
        return f"{op.name} was resized from {op.vcpus} to {server.vcpus} vCPUs"
    if op.cost.memory_mib and server.memory_mib != op.cost.memory_mib and server.status == "ACTIVE":
        return f"{op.name} was resized from {op.cost.memory_mib:.0f} to {server.memory_mib} MiB"
    return ""


@dataclass(slots=True)
class _Clouds:
    """The clouds and runs that this process has opened. A cloud that is slow to answer keeps no other one waiting."""

    store: Store
    _clouds: dict[str, Cloud] = field(default_factory=dict)
    _contexts: dict[str, Context] = field(default_factory=dict)
    _opening: defaultdict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def open_run(self, engine: Engine, run_id: str) -> Context:
        """The context of a run; its cloud's hosts are read once. Raises what opening the cloud raises."""
        with self._lock:
            opening = self._opening[run_id]
        with opening:
            context = self._contexts.get(run_id)
            if context is None:
                context = self._opened(engine, run_id)
                self._forget_closed()
                self._contexts[run_id] = context
            return context

    def _forget_closed(self) -> None:
        """A worker lives for months: it keeps only runs that go on."""
        open_ = {row.id for row in list_runs(self.store, only_open=True)}
        with self._lock:
            for id in [id for id in self._contexts if id not in open_]:
                del self._contexts[id]
                self._opening.pop(id, None)

    def _opened(self, engine: Engine, run_id: str) -> Context:
        run, policy = load_run(self.store, run_id), policy_of(self.store, run_id)
        name = find_run(self.store, run_id).cloud
        cloud = self._clouds.get(name) or open_cloud(name)
        inventory = cloud.inventory(FRESH_S)
        self._clouds[name] = cloud  # only one that has answered is kept
        others = _Others(self.store, cloud, inventory)
        books = Books(
            self.store, engine.lease, name, Guard(policy, inventory.hosts), cloud.clock, others=others.read,
            released=engine.carrier.turns.wake,
        )  # fmt: skip
        verbs = handlers(cloud.compute, storage_of(policy), cloud.orchestrators, style_of(policy))
        budgets = policy.budgets
        saga = Saga(verbs, books, cloud.clock, budgets.stalled_after_s, budgets.deadline_s)
        return Context(run, saga, books)


@dataclass(slots=True)
class _Others:
    """Moves on a cloud that no worker of ours asked for, read again every OTHERS_S."""

    store: Store
    cloud: Cloud
    inventory: Inventory
    _read_at: float = float("-inf")
    _known: list[UnderWay] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self) -> list[UnderWay]:
        """Raises Transient when the cloud does not answer: then nothing new begins."""
        with self._lock:
            if time.monotonic() - self._read_at > OTHERS_S:
                flights = self.cloud.compute.flights()
                with self.store.reading() as c:
                    own = holders(c, self.cloud.name)
                self._known, self._read_at = foreign(flights, own, self.inventory.hosts), time.monotonic()
            return self._known
