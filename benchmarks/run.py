"""What `make bench` runs: every planner on the same clusters, one after the other, and one table side by side."""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median

from rich.console import Console

from benchmarks import loads, report, results
from benchmarks.bound import fewest_moves
from benchmarks.cluster import Cluster, generate
from benchmarks.contender import Absent, Answer
from benchmarks.loads import Loads
from benchmarks.peers import hbal, openstack_watcher
from benchmarks.results import Outcome, Results, Round
from benchmarks.score import score
from watari.errors import BadInput

ROOT = Path(__file__).parents[1]
BENCH = ROOT / ".bench"
TRACE_VARIABLE = "WATARI_PLANETLAB"

SEEDS_SIZE = (100, 1_000)
SCALE_SIZES = ((1_000, 10_000), (2_000, 20_000), (10_000, 100_000))
WATCHER_SCALE_SIZES = ((1_000, 10_000), (2_000, 20_000))  # beyond, it would take hours
LARGE = 50_000  # servers from which on three runs are enough for a median

HBAL_MOVES = 25
HBAL_MOVES_QUICK = 8
PEER_LIMIT_S = 900.0  # wall clock of one run of a peer

EPILOG = """examples:
  python -m benchmarks.run --planetlab ~/planetlab/20110303
  WATARI_PLANETLAB=planetlab-20110303.tar.xz make bench
  make bench ARGS='--quick --json bench.json'
  make bench ARGS='--no-peers --check'

exit code: 0, whatever the figures; with --check 1 if Watari missed a limit of its own; 2 for bad input; 130 if
interrupted (what was finished is printed).
"""


@dataclass(frozen=True, slots=True)
class Peers:
    """The peers that can take part here."""

    watcher: openstack_watcher.Watcher | None
    hbal: hbal.Hbal | None


@dataclass(frozen=True, slots=True)
class Arena:
    """One cluster, and where goes what is found out about it."""

    cluster: Cluster
    round: Round
    found: Results

    def let(self, name: str, planner: Callable[[], Answer]) -> None:
        """Let one contender plan, judge what it answers, and say so."""
        try:
            answer = planner()
        except Absent as reason:
            _absent(self.found, f"{name}, {self.round.hosts:,} hosts, seed {self.round.seed}: {reason}")
            return
        after = score(self.cluster, answer.placement)
        outcome = Outcome(name, answer.cpu_s, after, answer.metric_queries, answer.peak_mb, answer.note)
        self.round.outcomes.append(outcome)
        print(f"   {name}: {answer.cpu_s:.3f} CPU s, {after.moves:,} moves, {after.starved:,} starved left", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark; see EPILOG for the exit codes."""
    options = _parser().parse_args(arguments)
    try:
        sample = loads.planetlab(options.planetlab) if options.planetlab else loads.synthetic()
    except BadInput as error:
        print(f"benchmarks.run: {error}", file=sys.stderr)
        return 2
    found = Results(sample.origin, sample.synthetic, _machine())
    try:
        _run(options, sample, found)
        interrupted = False
    except KeyboardInterrupt:
        print("\n== interrupted; this is what was finished", flush=True)
        interrupted = True
    # A table that is cut to a pipe's 80 columns helps nobody.
    report.show(found, Console() if sys.stdout.isatty() else Console(width=120))
    if options.json:
        document = asdict(found) | {"verdicts": [asdict(verdict) for verdict in results.verdicts(found)]}
        options.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    if interrupted:
        return 130
    missed = any(not verdict.met for verdict in results.verdicts(found))
    return 1 if options.check and (missed or not list(results.verdicts(found))) else 0


def _parser() -> argparse.ArgumentParser:
    trace = os.environ.get(TRACE_VARIABLE)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description=(
            "Let Watcher, hbal and Watari plan for the same clusters and compare CPU, moves, memory moved\n"
            "and what stays starved; then measure Watari alone up to 10,000 hosts. Peers are fetched into .bench/ on\n"
            "first use; one that cannot be had is left out and named. About 7 minutes, nearly all of it hbal's."
        ),
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--planetlab",
        type=Path,
        metavar="PATH",
        default=Path(trace) if trace else None,
        help="one day of the PlanetLab traces, a folder or .tar.xz; the documented figures are of 20110303 "
        f"(default: ${TRACE_VARIABLE}, else built-in synthetic loads)",
    )
    parser.add_argument(
        "--seeds", type=_seeds, metavar="N[-M]", default=range(1, 6), help="clusters to compare on (default: 1-5)"
    )
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument(
        "--quick", action="store_true", help=f"under 1.5 minutes: hbal on one seed, with {HBAL_MOVES_QUICK} moves"
    )
    extent.add_argument(
        "--full", action="store_true", help="also hbal without zones and Watcher on the larger clusters: half an hour"
    )
    extent.add_argument("--no-peers", action="store_true", help="Watari alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")
    parser.add_argument("--check", action="store_true", help="exit with 1 if Watari misses a limit of its own")
    return parser


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    try:
        seeds = range(int(first), int(last or first) + 1)
    except ValueError:
        seeds = range(0)
    if not seeds:
        raise argparse.ArgumentTypeError(f"{text!r} is not a seed or a span of seeds such as 3 or 1-5")
    return seeds


def _run(options: argparse.Namespace, sample: Loads, found: Results) -> None:
    peers = Peers(None, None) if options.no_peers else _prepare(found)
    for seed in options.seeds:
        with _arena(SEEDS_SIZE, seed, sample, found, found.seeds) as arena:
            _let_peers(options, peers, arena, first=seed == options.seeds[0])
            arena.let(results.WATARI, partial(_watari, options.planetlab, arena.round))
    for size in SCALE_SIZES:
        with _arena(size, 1, sample, found, found.scale) as arena:
            if options.full and peers.watcher and size in WATCHER_SCALE_SIZES:
                arena.let(results.WATCHER, partial(peers.watcher.plan, arena.cluster, 1, "cloud", PEER_LIMIT_S))
            arena.let(results.WATARI, partial(_watari, options.planetlab, arena.round))


def _let_peers(options: argparse.Namespace, peers: Peers, arena: Arena, *, first: bool) -> None:
    cluster, seed = arena.cluster, arena.round.seed
    if watcher := peers.watcher:
        arena.let(results.WATCHER, partial(watcher.plan, cluster, seed, "cloud", PEER_LIMIT_S))
        arena.let(results.WATCHER_ZONES, partial(watcher.plan, cluster, seed, "zone", PEER_LIMIT_S))
    if balancer := peers.hbal:
        moves = HBAL_MOVES_QUICK if options.quick else HBAL_MOVES
        if first or not options.quick:
            arena.let(results.HBAL_ZONES, partial(balancer.plan, cluster, moves, True, PEER_LIMIT_S))
        if options.full:
            arena.let(results.HBAL, partial(balancer.plan, cluster, moves, False, PEER_LIMIT_S))


def _prepare(found: Results) -> Peers:
    BENCH.mkdir(exist_ok=True)
    watcher: openstack_watcher.Watcher | None = None
    balancer: hbal.Hbal | None = None
    try:
        watcher = openstack_watcher.prepare(BENCH)
    except Absent as reason:
        _absent(found, f"Watcher: {reason}")
    try:
        balancer = hbal.prepare(BENCH)
    except Absent as reason:
        _absent(found, f"hbal: {reason}")
    return Peers(watcher, balancer)


@contextmanager
def _arena(size: tuple[int, int], seed: int, sample: Loads, found: Results, rounds: list[Round]) -> Iterator[Arena]:
    """An arena whose round is in `rounds` from the start: an interrupted one shows what it has."""
    cluster = generate(*size, seed, sample)
    round = Round(*size, seed, fewest_moves(cluster), score(cluster))
    rounds.append(round)
    print(f"== {size[0]:,} hosts, {size[1]:,} servers, seed {seed}", flush=True)
    try:
        yield Arena(cluster, round, found)
    finally:
        if not round.outcomes:
            rounds.remove(round)


def _watari(trace: Path | None, round: Round) -> Answer:
    """Watari in a process of its own, for its peak memory; the median of several runs on one snapshot."""
    runs = 3 if round.servers >= LARGE else 5
    command = [sys.executable, "-m", "benchmarks.watari_run", f"--hosts={round.hosts}", f"--servers={round.servers}"]
    command += [f"--seed={round.seed}", f"--runs={runs}"]
    if trace:
        command.append(f"--planetlab={trace.absolute()}")
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Absent(f"it failed: {openstack_watcher.last_line(done.stderr)}")
    answer = json.loads(done.stdout)
    note = f"median of {runs} runs"
    return Answer(median(answer["cpu_s"]), tuple(answer["placement"]), peak_mb=answer["peak_mb"], note=note)


def _absent(found: Results, reason: str) -> None:
    found.absent.append(reason)
    print(f"   not taking part: {reason}", flush=True)


def _machine() -> str:
    return f"{os.cpu_count()} CPUs ({platform.machine()}), Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
