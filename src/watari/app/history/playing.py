"""Play a history under a policy: the same demand, the same comings and goings, other moves."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, tee, zip_longest

import numpy as np

from watari.act.journal import Entry
from watari.app.history.codes import Floats
from watari.app.history.recorded import Bools, Frame, Recorded
from watari.app.history.slots import SLOT_S, Ints, moment
from watari.app.loop import Balancer, balancer
from watari.app.replay import STEP_S, Result, summarise
from watari.app.tally import Score
from watari.drivers.sim.cloud import SimCloud
from watari.jobs.placement.memory import after_gap
from watari.policy.values import Detect, Policy

STEPS = round(SLOT_S / STEP_S)


def play(
    recorded: Recorded,
    policy: Policy,
    judge: Detect | None = None,
    *,
    round_s: float = 60.0,
    scale: float = 1.0,
    progress: Callable[[float], None] = lambda share: None,
) -> Result:
    """Live through the stretch in virtual time, as `watari.app.replay.replay` lives through a trace.

    Slots in which nobody looked pass without a round of the balancer and without being counted. `scale` multiplies
    demand (capped at 100 % of a vCPU).
    """
    cpu, wall = time.process_time(), time.monotonic()
    frames = recorded.frames()
    first = next(frames)
    demand = _Demand(recorded.spec.vcpus, scale)
    demand.set(first.cores)
    cloud = SimCloud(recorded.spec, demand, moment(first.begin), step_s=STEP_S)
    world = _World(cloud, demand)
    world.follow(first)
    journal: list[Entry] = []
    runner = balancer(cloud, cloud, cloud, policy, journal)
    score = Score.start(cloud, judge or policy.detect)
    every, step = max(1, round(round_s / STEP_S)), 0
    for k, (frame, after) in enumerate(_pairs(chain((first,), frames))):
        counted = frame.present & frame.known
        for left in reversed(range(STEPS)):
            if step % every == 0:
                runner.round()
            if runner.executor.runs:
                runner.tick()
            score.add(cloud, STEP_S, counted)
            step += 1
            if not left and after is not None:
                _pass_gap(cloud, runner, after.begin - frame.begin - SLOT_S)
                world.follow(after)
            cloud.advance(STEP_S)
        progress((k + 1) / len(recorded.begins))
    result = summarise(policy, cloud, runner, score)
    return dataclasses.replace(result, cpu_s=time.process_time() - cpu, wall_s=time.monotonic() - wall)


def _pass_gap(cloud: SimCloud, runner: Balancer, seconds: float) -> None:
    """Moves under way go on, nobody decides, and afterwards no threshold has held on."""
    if seconds <= 0:
        return
    for _ in range(round(seconds / STEP_S)):
        if runner.executor.runs:
            runner.tick()
        cloud.advance(STEP_S)
    if runner.memory is not None:
        runner.memory = after_gap(runner.memory)


class _Demand:
    """What the present frame says, whatever the time."""

    def __init__(self, vcpus: Floats, scale: float) -> None:
        self._vcpus, self._scale = vcpus, scale
        self._cores = np.zeros(vcpus.size)

    def set(self, cores: Floats) -> None:
        self._cores = np.minimum(self._vcpus, self._scale * cores)

    def cores(self, t_s: float) -> Floats:
        return self._cores


@dataclass(slots=True)
class _World:
    """The simulated cloud, made to follow what happened to the real one but for its moves."""

    cloud: SimCloud
    demand: _Demand
    present: Bools = field(init=False)
    open: Bools = field(init=False)

    def __post_init__(self) -> None:
        self.present = np.ones(len(self.cloud.server_ids), np.bool_)
        self.open = np.ones(len(self.cloud.host_names), np.bool_)

    def follow(self, frame: Frame) -> None:
        """Servers come and go, hosts close and open, and who is on a host that is gone is where it really went."""
        cloud = self.cloud
        if (went := np.flatnonzero(self.present & ~frame.present)).size:
            cloud.go(went)
        open_ = frame.up & frame.open
        for k in np.flatnonzero(open_ != self.open).tolist():
            cloud.set_host_state(cloud.host_names[k], "up" if open_[k] else "disabled", "as it was")
        if (came := np.flatnonzero(frame.present & ~self.present)).size:
            cloud.come(came, frame.host[came])
        self.present, self.open = frame.present, open_
        if not frame.up.all():
            if (servers := self._homeless(frame, cloud.host_index)).size:
                cloud.displace(servers, frame.host[servers])
            if (servers := self._homeless(frame, cloud.twin_index)).size:
                cloud.displace_twin(servers, frame.host[servers])
        cloud.hush(frame.present & ~frame.known)
        self.demand.set(frame.cores)

    def _homeless(self, frame: Frame, host_of: Ints) -> Ints:
        alive = frame.up[np.maximum(frame.host, 0)]
        return np.flatnonzero(frame.present & ~frame.up[host_of] & alive)


def _pairs(frames: Iterable[Frame]) -> Iterator[tuple[Frame, Frame | None]]:
    """Each frame with the one that follows it."""
    ahead, behind = tee(frames)
    next(ahead, None)
    return ((frame, after) for frame, after in zip_longest(behind, ahead) if frame is not None)
