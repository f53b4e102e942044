"""What-if: live through recorded days under a policy, beside doing nothing."""

import dataclasses
import gc
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from watari.act.journal import Entry
from watari.app.loop import Balancer, balancer
from watari.app.tally import Score
from watari.drivers.sim.build import replay_cluster
from watari.drivers.sim.cloud import SimCloud
from watari.drivers.sim.demand import TraceDemand
from watari.drivers.sim.faults import Faults
from watari.drivers.sim.series import Trace
from watari.policy.values import Detect, Policy

if TYPE_CHECKING:
    from multiprocessing.sharedctypes import SynchronizedArray

EPOCH = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday: replays have no date of their own
STEP_S = 15.0
ROUND_S = 60.0
DAY_S = 86400.0


@dataclass(frozen=True, slots=True)
class Setting:
    """The cluster that a trace is laid on. `scale` multiplies the trace's loads (capped at 100 % of a vCPU)."""

    hosts: int = 100
    servers: int = 1000
    seed: int = 1
    scale: float = 1.0
    local_disk: bool = False
    round_s: float = ROUND_S


@dataclass(frozen=True, slots=True)
class Result:
    """The numbers of one policy on one trace."""

    policy: str
    starved_minutes: float
    starved_minutes_nothing: float
    over_steal_minutes: float
    over_steal_minutes_nothing: float
    stolen_core_s: float
    stolen_core_s_nothing: float
    unavoidable_core_s: float
    avoided: float
    moves: int
    failed: int
    memory_gib: float
    disk_gib: float
    went_back: int
    longest_minutes: float
    longest_minutes_nothing: float
    cpu_s: float = 0.0  # what the run itself took
    wall_s: float = 0.0

    @property
    def starved_share(self) -> float:
        """Of the starved server-minutes of doing nothing, the share (0-1) that is left."""
        return self.starved_minutes / self.starved_minutes_nothing if self.starved_minutes_nothing else 0.0


def replay(
    trace: Trace,
    policy: Policy,
    setting: Setting,
    judge: Detect | None = None,
    faults: Faults | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Result:
    """Run the whole trace in virtual time: rounds of the balancer, moves with their real durations and limits.

    `judge` says from when on a server counts as starved; the policy's own thresholds unless given.
    """
    cpu, wall = time.process_time(), time.monotonic()
    spec = replay_cluster(setting.servers, setting.hosts, setting.seed, local_disk=setting.local_disk)
    demand = TraceDemand(trace.fractions, trace.interval_s, spec.vcpus, setting.scale)
    cloud = SimCloud(spec, demand, EPOCH, step_s=STEP_S, faults=faults)
    journal: list[Entry] = []
    runner = balancer(cloud, cloud, cloud, policy, journal)
    score = Score.start(cloud, judge or policy.detect)
    total_s = trace.fractions.shape[1] * trace.interval_s
    live(cloud, runner, score, total_s, setting.round_s, progress)
    result = summarise(policy, cloud, runner, score)
    return dataclasses.replace(result, cpu_s=time.process_time() - cpu, wall_s=time.monotonic() - wall)


def replay_all(
    trace: Trace,
    policies: Sequence[Policy],
    setting: Setting,
    progress: Callable[[float], None] = lambda share: None,
) -> list[Result]:
    """One result per policy, in order; side by side on as many processors as there are, with the same numbers.

    All are judged by the thresholds of the first, so that they can be compared.
    """
    judge = policies[0].detect
    return side_by_side([partial(replay, trace, p, setting, judge) for p in policies], progress)


def side_by_side(
    jobs: Sequence[Callable[..., Result]], progress: Callable[[float], None] = lambda share: None
) -> list[Result]:
    """What each job returns, in order; each is called in a process of its own with a `progress` to report to.

    On one processor one after the other, in this process.
    """
    workers = min(len(jobs), os.cpu_count() or 1)
    if workers < 2:
        return [job(progress=_part(progress, i, len(jobs))) for i, job in enumerate(jobs)]
    context = multiprocessing.get_context("spawn")
    shares = context.Array("d", len(jobs))
    with ProcessPoolExecutor(workers, context, _share_progress, (shares,)) as pool:
        futures = [pool.submit(_run_one, i, job) for i, job in enumerate(jobs)]
        while wait(futures, timeout=0.2).not_done:
            progress(sum(shares[i] for i in range(len(jobs))) / len(jobs))
        progress(1.0)
        return [f.result() for f in futures]


def _part(progress: Callable[[float], None], done: int, of: int) -> Callable[[float], None]:
    return lambda share: progress((done + share) / of)


_shares: "SynchronizedArray[float] | None" = None  # set in the worker processes only


def _share_progress(shares: "SynchronizedArray[float]") -> None:
    global _shares
    _shares = shares
    gc.set_threshold(200_000, 20, 20)  # a replay makes millions of small values and hardly any cycle
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business; it ends the pool


def _run_one(i: int, job: Callable[..., Result]) -> Result:
    def report(share: float) -> None:
        if _shares is not None:
            _shares[i] = share

    return job(progress=report)


def live(
    cloud: SimCloud,
    runner: Balancer,
    score: Score,
    total_s: float,
    round_s: float,
    progress: Callable[[float], None] = lambda share: None,
) -> None:
    """Let virtual time pass in steps, with a round of the balancer every `round_s` and a tick whenever moves fly."""
    steps, every = int(total_s // STEP_S), max(1, round(round_s / STEP_S))
    for step in range(steps):
        if step % every == 0:
            runner.round()
            progress(step / steps)
        if runner.executor.runs:
            runner.tick()
        score.add(cloud, STEP_S)
        cloud.advance(STEP_S)
    progress(1.0)


def summarise(policy: Policy, cloud: SimCloud, runner: Balancer, score: Score) -> Result:
    """The numbers after the last step."""
    records = [o for run in runner.history for o in run.operations]
    done = [o for o in records if o.state == "done"]
    return Result(
        policy=policy.name,
        starved_minutes=score.balanced.starved_minutes,
        starved_minutes_nothing=score.shadow.starved_minutes,
        over_steal_minutes=score.balanced.over_steal_s / 60,
        over_steal_minutes_nothing=score.shadow.over_steal_s / 60,
        stolen_core_s=score.balanced.stolen_core_s,
        stolen_core_s_nothing=score.shadow.stolen_core_s,
        unavoidable_core_s=score.unavoidable_core_s,
        avoided=score.avoided,
        moves=len(done),
        failed=sum(o.state in ("failed", "undone") for o in records),
        memory_gib=sum(o.operation.cost.memory_mib for o in done) / 1024,
        disk_gib=sum(o.operation.cost.disk_mib for o in done) / 1024,
        went_back=went_back(runner),
        longest_minutes=score.balanced.longest_minutes,
        longest_minutes_nothing=score.shadow.longest_minutes,
    )


def went_back(runner: Balancer, within_s: float = DAY_S) -> int:
    """Moves that brought a server back to a host that it had left within a day."""
    left: dict[tuple[str, str], datetime] = {}
    back = 0
    done = [o for run in runner.history for o in run.operations if o.state == "done"]
    for o in sorted((o for o in done if o.steps[0].ended_at), key=lambda o: o.steps[0].ended_at or EPOCH):
        ended, op = o.steps[0].ended_at, o.operation
        assert ended is not None
        when = left.get((op.subject, op.target))
        back += when is not None and (ended - when).total_seconds() < within_s
        left[op.subject, op.source] = ended
    return back
