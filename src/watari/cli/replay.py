"""`watari replay`: what policies would have done with recorded days, side by side."""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from itertools import count as number
from typing import TYPE_CHECKING, Any

from watari.cli.base import WatariLister
from watari.cli.measures import MEASURES, cells, described
from watari.cli.options import add_database
from watari.errors import BadInput
from watari.plan.text import format_duration
from watari.policy.units import seconds, show_share

if TYPE_CHECKING:
    from watari.app.history.recorded import Recorded
    from watari.app.traces import Trace
    from watari.policy.values import Policy

PUBLISHED = "published"
NOTHING = "do nothing"
MEASURE = "measure"
SMALLEST_PEAK = 0.01  # of a vCPU; a trace that never passes it was hardly written in percent

CLUSTER = {"hosts": 100, "servers": 1000, "seed": 1, "local_disk": False}  # of a trace; a history brings its own

EXAMPLES = f"""\
examples:
  watari replay --history prod --days 7 --policy mine.yaml
  watari replay --trace planetlab-20110303.tar.xz --scale 2.5
  watari replay --trace planetlab-20110303.tar.xz --policy mine.yaml --against default --against cautious
  watari replay --trace day.csv --hosts 40 --servers 500 -f json --no-published

measures:
{described(MEASURES)}
"""


class Replay(WatariLister):
    """Live through recorded days under one or more policies and print the numbers side by side

    With --history the days are those that `watari serve` has kept of a cloud, with its own hosts and servers, beside
    what was measured. With --trace they come from a file: the servers of a cluster of the given size follow it. Moves
    take the time and the network that they really take, and a twin in which nothing is moved runs beside it. The column
    `published` is the rule of 2022: it moves by steal as it is now, without projection.
    """

    examples = EXAMPLES

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        days = parser.add_mutually_exclusive_group(required=True)
        days.add_argument(
            "--trace", metavar="PATH", help="a PlanetLab folder or archive (.tar, .tar.xz, .tar.gz), or CSV"
        )
        days.add_argument("--history", metavar="CLOUD", help="what was kept of this cloud (watari history list)")
        parser.add_argument("--days", type=_days, metavar="N", help="the last days of a history; default: all of it")
        parser.add_argument("--policy", metavar="NAME|FILE", help="a shipped policy or a YAML file (default: default)")
        parser.add_argument(
            "--against",
            metavar="NAME|FILE",
            action="append",
            default=[],
            help="another policy; may be given many times",
        )
        parser.add_argument("--no-published", action="store_true", help="leave the published rule out")
        parser.add_argument("--hosts", type=_whole, metavar="N", help="of a trace; default: 100")
        parser.add_argument("--servers", type=_whole, metavar="N", help="of a trace; default: 1000")
        parser.add_argument("--seed", type=int, metavar="N", help="which servers of a trace stand where; default: 1")
        parser.add_argument("--scale", type=_scale, default=1.0, metavar="X", help="multiply the loads; default: 1.0")
        parser.add_argument(
            "--local-disk",
            action="store_true",
            default=None,
            help="of a trace: disks lie on the hosts and have to be copied too",
        )
        parser.add_argument(
            "--round", type=_duration, default=60.0, metavar="TIME", help="between two looks at the cloud; default: 60s"
        )
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        if parsed_args.history is not None:
            return self._history(parsed_args)
        if parsed_args.days is not None:
            raise BadInput("--days is for --history; a trace is played as a whole")
        for name, default in CLUSTER.items():
            if getattr(parsed_args, name) is None:
                setattr(parsed_args, name, default)
        return self._trace(parsed_args)

    def _history(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from functools import partial

        from watari.app import database
        from watari.app.history.measured import AS_MEASURED, as_result, findings, measure, unkept
        from watari.app.history.playing import play
        from watari.app.history.recorded import open_history
        from watari.app.replay import side_by_side

        for name in CLUSTER:
            if getattr(parsed_args, name) is not None:
                raise BadInput(f"--{name.replace('_', '-')} is for --trace; a history has its cloud's own")
        policies = policies_of(parsed_args)
        columns = (MEASURE, AS_MEASURED, NOTHING, *policies)
        self.check_columns(parsed_args, columns)
        with database.opened(parsed_args.database) as store:
            recorded = open_history(store, parsed_args.history, parsed_args.days, datetime.now(UTC))
        judge = next(iter(policies.values())).detect
        measured = measure(recorded, judge)
        for finding in (*findings(recorded, measured), *unkept(recorded, policies), *judged_alike(policies)):
            self.stderr.write(f"finding {finding}\n")
        jobs = [
            partial(play, recorded, policy, judge, round_s=parsed_args.round, scale=parsed_args.scale)
            for policy in policies.values()
        ]
        with self._progress() as progress:
            results = side_by_side(jobs, progress)
        self.hint(stretch(recorded, parsed_args.scale, parsed_args.round))
        return columns, cells(results, as_result(measured, results[0]))

    def _trace(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.app.replay import Setting, replay_all
        from watari.app.traces import open_trace

        policies = policies_of(parsed_args)
        columns = (MEASURE, NOTHING, *policies)
        self.check_columns(parsed_args, columns)
        trace = open_trace(parsed_args.trace)
        setting = Setting(
            parsed_args.hosts,
            parsed_args.servers,
            parsed_args.seed,
            parsed_args.scale,
            parsed_args.local_disk,
            parsed_args.round,
        )
        for finding in findings(parsed_args.trace, trace, policies):
            self.stderr.write(f"finding {finding}\n")
        with self._progress() as progress:
            results = replay_all(trace, list(policies.values()), setting, progress)
        self.hint(setup(trace, setting))
        return columns, cells(results)

    @contextmanager
    def _progress(self) -> Iterator[Callable[[float], None]]:
        """A bar on standard error, if that is a terminal."""
        if self.quiet or not self.stderr.isatty():
            yield lambda share: None
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(file=self.stderr), transient=True) as bars:
            task = bars.add_task("replay", total=1.0)
            yield lambda share: bars.update(task, completed=share)


def policies_of(parsed_args: argparse.Namespace) -> dict[str, "Policy"]:
    """The policies to compare by their column's name. Raises BadInput."""
    from watari.policy.load import load_policy

    wanted = [parsed_args.policy or "default", *parsed_args.against]
    if not parsed_args.no_published:
        wanted.append(PUBLISHED)
    policies: dict[str, Policy] = {}
    for ref in dict.fromkeys(wanted):
        policy = load_policy(ref)
        if policy not in policies.values():
            names = chain((policy.name, ref), (f"{policy.name} {n}" for n in number(2)))
            policies[next(name for name in names if name not in (*policies, MEASURE, NOTHING))] = policy
    return policies


def findings(path: str, trace: "Trace", policies: dict[str, "Policy"]) -> Iterator[str]:
    """What a person should know before believing the numbers."""
    if trace.holes:
        total = trace.fractions.size
        yield (
            f"{path}: {trace.holes:,} of {total:,} samples are missing; each was filled with the value before it "
            "(holes of more than three samples are refused)"
        )
    largest = float(trace.fractions.max())
    if 0 < largest <= SMALLEST_PEAK:
        yield f"{path}: the largest value is {show_share(largest)}: if these are shares from 0 to 1, add --scale 100"
    yield from judged_alike(policies)


def judged_alike(policies: dict[str, "Policy"]) -> Iterator[str]:
    """By whose thresholds, where policies differ."""
    limits = {name: (p.detect.steal, p.detect.load_per_vcpu) for name, p in policies.items()}
    if len(set(limits.values())) > 1:
        judge, (steal, load) = next(iter(limits.items()))
        yield (
            f"the policies call different servers starved; all are judged by {judge}: "
            f"steal {show_share(steal)} and load {load:g}"
        )


def setup(trace: "Trace", setting: Any) -> str:
    """What was simulated, in a line."""
    series, samples = trace.fractions.shape
    disks = "local disks" if setting.local_disk else "shared disks"
    return (
        f"{setting.hosts:,} hosts, {setting.servers:,} servers, seed {setting.seed}, {disks}; {series:,} series of "
        f"{format_duration(samples * trace.interval_s)}, loads x {setting.scale:g}, "
        f"a look every {format_duration(setting.round_s)}"
    )


def stretch(recorded: "Recorded", scale: float, round_s: float) -> str:
    """What was played of a history, in a line."""
    from watari.app.history.slots import SLOT_S, moment

    first, last = moment(recorded.begins[0]), moment(recorded.begins[-1] + SLOT_S)
    return (
        f"{recorded.source.cloud}, {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC: {len(recorded.spec.hosts):,} "
        f"hosts, {len(recorded.spec.servers):,} servers, {format_duration(len(recorded.begins) * SLOT_S)} seen, "
        f"loads x {scale:g}, a look every {format_duration(round_s)}"
    )


def _days(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 10_000:
        raise argparse.ArgumentTypeError(f'"{text}" is no number of days such as 7 or 0.5')
    return value


def _whole(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1_000_000:
        raise argparse.ArgumentTypeError(f'"{text}" is not a whole number from 1 to 1,000,000')
    return int(text)


def _scale(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1000:
        raise argparse.ArgumentTypeError(f'"{text}" is not a factor such as 2.5')
    return value


def _duration(text: str) -> float:
    try:
        value = seconds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    if not 0 < value <= 86400:
        raise argparse.ArgumentTypeError(f"{text}: give a time of up to a day, such as 60s")
    return value
