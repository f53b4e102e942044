"""What really happened, as the history has it; and how near the simulator's model of a host comes to it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from watari.app.history.codes import Floats
from watari.app.history.items import metadata_keys
from watari.app.history.recorded import Frame, Recorded
from watari.app.history.slots import SLOT_S, moment
from watari.app.replay import DAY_S, Result
from watari.app.tally import Tally
from watari.drivers.sim.contention import Contention, contend
from watari.plan.text import count, format_duration
from watari.policy.values import Detect, Policy

AS_MEASURED = "as measured"

MODEL_OFF = 0.1  # of the starved time; further apart and it is said
LEAST_MINUTES = 5.0


@dataclass(slots=True)
class Measured:
    """Sums over the slots of a stretch, of servers whose load is known.

    `tally`: as measured, a slot's means standing for all of it. `model`: what the simulator makes of the same demand
    where the servers really were. `peak_minutes`: server-minutes of slots whose steal was over the limit at some look
    and not in the mean. `unknown`: share (0-1) of all server-slots without a load. `came`, `left`: servers that were
    not there from the first slot on, or not to the last. `moves` may be anybody's.
    """

    tally: Tally
    model: Tally
    peak_minutes: float = 0.0
    unknown: float = 0.0
    never_known: int = 0
    came: int = 0
    left: int = 0
    moves: int = 0
    memory_gib: float = 0.0
    disk_gib: float = 0.0
    went_back: int = 0


def measure(recorded: Recorded, judge: Detect) -> Measured:
    """One way through the stretch; the judge says from when on a server counts as starved."""
    spec, servers = recorded.spec, recorded.spec.vcpus.size
    out = Measured(Tally.start(judge, servers), Tally.start(judge, servers))
    unknown = total = 0
    ever, last = np.zeros(servers, np.bool_), -1
    first: Frame | None = None
    frame: Frame | None = None
    book = _Moves(recorded, out)
    for frame in recorded.frames():
        first = first or frame
        if frame.begin != last + SLOT_S:  # a gap breaks what had lasted
            out.tally.streak_s[:] = out.model.streak_s[:] = 0.0
        counted, last = frame.known & frame.present, frame.begin
        out.tally.add(_as_measured(frame, spec.vcpus), spec.vcpus, SLOT_S, counted)
        modelled = contend(frame.cores, spec.vcpus, np.maximum(frame.host, 0), spec.threads, np.zeros(len(spec.hosts)))
        out.model.add(modelled, spec.vcpus, SLOT_S, counted)
        out.peak_minutes += float((counted & (frame.peak >= judge.steal) & (frame.steal < judge.steal)).sum())
        unknown, total = unknown + int((frame.present & ~frame.known).sum()), total + int(frame.present.sum())
        ever |= frame.known
        book.add(frame)
    assert first is not None and frame is not None
    out.peak_minutes *= SLOT_S / 60
    out.unknown, out.never_known = unknown / total if total else 0.0, int((~ever).sum())
    out.came, out.left = int((~first.present).sum()), int((~frame.present).sum())
    return out


def as_result(measured: Measured, nothing: Result) -> Result:
    """What was measured as a column beside those of policies; `nothing` knows the twin in which nothing was moved."""
    tally = measured.tally
    avoidable = nothing.stolen_core_s_nothing - nothing.unavoidable_core_s
    avoided = (nothing.stolen_core_s_nothing - tally.stolen_core_s) / avoidable if avoidable > 0 else 1.0
    return replace(
        nothing, policy=AS_MEASURED, starved_minutes=tally.starved_minutes, over_steal_minutes=tally.over_steal_s / 60,
        stolen_core_s=tally.stolen_core_s, avoided=avoided, moves=measured.moves, memory_gib=measured.memory_gib,
        disk_gib=measured.disk_gib, went_back=measured.went_back, longest_minutes=tally.longest_minutes,
    )  # fmt: skip


def unkept(recorded: Recorded, policies: Mapping[str, Policy]) -> Iterator[str]:
    """Metadata that a policy asks for, that is not among the usual, and that no server of the history has."""
    there = {key for server in recorded.spec.servers for key in server.metadata}
    for name, policy in policies.items():
        if missing := sorted(metadata_keys(policy) - metadata_keys(Policy()) - there):
            yield (
                f"{name} asks for the metadata {', '.join(missing)}, which no server of this history has: only keys "
                "are kept that the policy of the time named"
            )


def findings(recorded: Recorded, measured: Measured) -> Iterator[str]:
    """What a person should know before believing the numbers."""
    if gaps := recorded.gaps:
        first, end = max(gaps, key=lambda gap: gap[1] - gap[0])
        lasted = format_duration(sum(b - a for a, b in gaps))
        yield (
            f"nobody looked for {lasted} in {count(len(gaps), 'gap')}, which are not counted; the longest: "
            f"{moment(first):%Y-%m-%d %H:%M} to {moment(end):%Y-%m-%d %H:%M} UTC"
        )
    if recorded.broken:
        yield f"{count(recorded.broken, 'piece')} of the history cannot be read: as if nobody had looked"
    if measured.unknown:
        never = f"; {measured.never_known} never sent one and ask for nothing" if measured.never_known else ""
        yield (
            f"{100 * measured.unknown:.1f} % of all server-slots have no load: such a server asks for what it last "
            f"asked for, is unknown to the policies, and is not counted{never}"
        )
    if measured.came or measured.left:
        yield (
            f"{count(measured.came, 'server')} came and {measured.left} left meanwhile: "
            "each is played while it was there"
        )
    if recorded.changed:
        names = ", ".join(recorded.changed[:5])
        yield f"{names}: of another size at times; played with the size that they had last"
    real, model = measured.tally.starved_minutes, measured.model.starved_minutes
    if abs(real - model) > max(LEAST_MINUTES, MODEL_OFF * max(real, model)):
        yield (
            f"where servers really were the model has {model:,.0f} starved server-minutes, measured were {real:,.0f}: "
            "compare policies with each other and with `do nothing`, not with what was measured"
        )
    if measured.peak_minutes:
        yield (
            f"{measured.peak_minutes:,.0f} server-minutes had a look with steal over the limit and a mean under it: "
            "loads are kept as means of 5 minutes"
        )


def _as_measured(frame: Frame, vcpus: Floats) -> Contention:
    got = np.maximum(0.0, frame.cores - frame.steal * vcpus)
    none = np.zeros(frame.up.size)
    return Contention(frame.steal, frame.load, got, none, none)


class _Moves:
    """Servers that are on another host than they were in the last slot, whoever moved them."""

    def __init__(self, recorded: Recorded, out: Measured) -> None:
        self._servers, self._out = recorded.spec.servers, out
        self._host = np.full(len(self._servers), -1, np.int64)
        self._left: dict[tuple[int, int], int] = {}  # when a server last left a host

    def add(self, frame: Frame) -> None:
        for k in np.flatnonzero(frame.present & (self._host >= 0) & (self._host != frame.host)).tolist():
            server, source, target = self._servers[k], int(self._host[k]), int(frame.host[k])
            self._out.moves += 1
            self._out.memory_gib += server.memory_mib / 1024
            self._out.disk_gib += server.local_disk_gib
            when = self._left.get((k, target))
            self._out.went_back += when is not None and frame.begin - when < DAY_S
            self._left[k, source] = frame.begin
        self._host = frame.host
