"""Make, keep and carry out plans: what `watari plan` and `watari apply` call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from watari.act.guard import Guard, foreign
from watari.act.handlers import handlers
from watari.act.journal import Entry, Journal, OperationRecord, Run
from watari.act.virtual import VirtualExecutor
from watari.app.clouds import Cloud, is_sim, open_cloud, sim_name, working_on
from watari.app.measuring import journal_entry, measured, moved_at
from watari.app.state import JournalFile, state_dir, write_atomically
from watari.app.storage import storage_of, style_of
from watari.errors import BadInput, Stale, Transient
from watari.jobs import balance
from watari.jobs.balance.benefit import Before, befores
from watari.jobs.balance.compose import JOB
from watari.model.compute import ComputeSnapshot, ServerId
from watari.model.reasons import Finding
from watari.plan import codec, render
from watari.plan.checks import checked
from watari.plan.plan import OperationId, Plan
from watari.policy.values import Policy

Watch = Callable[[Run, datetime], None]  # told of a run as it goes on, and of the cloud's time
TICK_S = 5.0
OTHERS_S = 30.0  # between two looks at who else moves servers
LONGEST_S = 86400.0  # a run that is not over after a day of the cloud's time never will be


@dataclass(frozen=True, slots=True)
class Applied:
    """How a run ended: `left` says what could not be done, `journal` where every step is written down."""

    run: Run
    starved_before: int | None  # None: not measured
    starved_after: int | None
    seconds: float  # of the cloud's clock
    journal: str  # where to read it

    @property
    def left(self) -> list[OperationRecord]:
        return [o for o in self.run.operations if o.state != "done"]


def plan_balance(snapshot: ComputeSnapshot, policy: Policy, findings: tuple[Finding, ...] = ()) -> Plan:
    """Plan on one reading; what the reader of the file found comes first among the findings."""
    made = balance.plan(snapshot, policy)
    return replace(made, findings=(*findings, *made.findings)) if findings else made


def explain(snapshot: ComputeSnapshot, policy: Policy, server: str) -> list[str]:
    """Why this server (id or name) moves, is refused, or is left alone. Raises BadInput for an unknown one."""
    found = find_server(snapshot, server)
    made = plan_balance(snapshot, policy)
    out = balance.lines(balance.explain(snapshot, policy, made, found), snapshot)
    return [*out, *(render.explain(made, found) or [])[1:]]


def find_server(snapshot: ComputeSnapshot, server: str) -> ServerId:
    """By id, else by its name if only one has it. Raises BadInput that names the nearest."""
    if server in snapshot.servers:
        return ServerId(server)
    named = [s.id for s in snapshot.servers.values() if s.name == server]
    if len(named) == 1:
        return named[0]
    if named:
        raise BadInput(
            f'{len(named)} servers are called "{server}": name one by its id: {", ".join(sorted(named)[:5])}'
        )
    near = get_close_matches(server, [s.name for s in snapshot.servers.values()], 3)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    raise BadInput(f'no server "{server}" in this snapshot{hint}')


def save_plan(plan: Plan, path: str) -> None:
    """Write the plan; all or nothing."""
    write_atomically(Path(path), codec.dumps(plan).encode())


def load_plan(path: str) -> Plan:
    """Read a plan file. Raises BadInput that says where it is wrong."""
    try:
        text = Path(path).read_text("utf-8")
    except OSError as e:
        raise BadInput(
            f"{path}: {e.strerror or e}; make a plan with `watari plan balance --cloud sim -o {path}`"
        ) from e
    except UnicodeDecodeError as e:
        raise BadInput(f"{path}: not a plan file (not UTF-8 text)") from e
    return checked(codec.loads(text, path), path)


def apply_plan(
    plan: Plan,
    policy: Policy,
    cloud_name: str | None = None,
    watch: Watch = lambda run, now: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Applied:
    """Carry a plan out on its simulated cloud. Safe to repeat: what is done already is left as it is.

    `watch` is called after every tick; once `stopping` answers True, what is under way is finished and nothing started.
    Raises Stale when the plan has expired or belongs to another policy, and Busy while another process works there.
    """
    with working_on(cloud_of(plan, cloud_name)):
        return _apply(check_fresh(plan, policy, cloud_name), plan, policy, watch, stopping)


def _apply(
    cloud: Cloud,
    plan: Plan,
    policy: Policy,
    watch: Watch,
    stopping: Callable[[], bool],
) -> Applied:
    before = cloud.snapshot()
    starved_before = plan_balance(before, policy).forecast.starved_before
    journal = JournalFile(state_dir() / "journal" / f"{plan.id}.jsonl")
    started = cloud.clock.now()

    def write(entry: Entry) -> None:
        journal.write(_row(entry))
        cloud.save()

    verbs = handlers(cloud.compute, storage_of(policy), cloud.orchestrators, style_of(policy))
    executor = VirtualExecutor(verbs, Guard(policy, before.hosts), cloud.clock, write)
    run = executor.submit(plan)
    try:
        _carry_out(executor, run, cloud, watch, stopping)
        seen = cloud.snapshot()
        _measure(run, befores(plan.operations, before), seen, cloud.settle_s, policy, write)
    finally:
        cloud.save()
        journal.close()
    seconds = (cloud.clock.now() - started).total_seconds()
    return Applied(run, starved_before, plan_balance(seen, policy).forecast.starved_before, seconds, str(journal.path))


def _measure(
    run: Run,
    before: Mapping[OperationId, Before],
    seen: ComputeSnapshot,
    settle_s: float,
    policy: Policy,
    write: Journal,
) -> None:
    """Write down what the moves of a balance brought, beside what they cost."""
    if run.plan.job != JOB:
        return
    for record in run.operations:
        if moved_at(record) is not None:
            brought = measured(record, before[record.operation.id], seen, settle_s, policy.detect)
            write(journal_entry(run.id, brought))


def _carry_out(
    executor: VirtualExecutor,
    run: Run,
    cloud: Cloud,
    watch: Watch,
    stopping: Callable[[], bool],
) -> None:
    waited_s, adopted = 0.0, False
    while not run.over and waited_s < LONGEST_S:
        run.stopping = run.stopping or stopping()
        try:
            if not adopted:
                executor.adopt(run)
            adopted = True
            if waited_s % OTHERS_S == 0:
                inventory = cloud.compute.inventory()
                executor.others = foreign(inventory.flights, executor.under_way(), inventory.hosts).copy
        except Transient:  # first what goes on already, then anything new
            pass
        if adopted:
            executor.tick()
        watch(run, cloud.clock.now())
        if not run.over:
            cloud.clock.sleep(TICK_S)
            waited_s += TICK_S
    cloud.clock.sleep(60.0)  # one metering window, so that what is read next is true after the moves


def cloud_of(plan: Plan, named: str | None) -> str:
    """The name of the cloud to apply the plan to. Raises BadInput when none is known, or another one is named."""
    made_for = sim_name(plan.cloud)
    if named:
        if made_for and made_for != (sim_name(named) or named):
            raise BadInput(f"the plan was made for {made_for}, not for {named}: plan again on {named}")
        return named
    if not plan.cloud or (is_sim(plan.cloud) and made_for is None):
        where = f'of "{plan.cloud}"' if plan.cloud else "from a file"
        raise BadInput(f"the plan was made on a snapshot {where}: name the cloud to apply it to with --cloud")
    return plan.cloud


def check_fresh(plan: Plan, policy: Policy, cloud_name: str | None = None) -> Cloud:
    """The cloud that the plan is for. Raises Stale when the plan has expired or belongs to another policy."""
    cloud = open_cloud(cloud_of(plan, cloud_name))
    now = cloud.clock.now()
    if now > plan.expires_at:
        raise Stale(
            f"the plan expired at {plan.expires_at:%Y-%m-%d %H:%M %Z}, it is {now:%Y-%m-%d %H:%M %Z}: plan again"
        )
    if plan.policy_digest != policy.digest:
        raise Stale(
            f"the plan was made under another policy ({plan.policy_digest or 'none'}, this is {policy.digest}): "
            "plan again, or apply with the policy that it was made with"
        )
    return cloud


def _row(entry: Entry) -> dict[str, str]:
    return {
        "at": entry.at.isoformat(),
        "run": entry.run,
        "operation": entry.operation,
        "subject": entry.subject,
        "step": entry.step,
        "state": entry.state,
        "text": entry.text,
    }
