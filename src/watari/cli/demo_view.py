"""The demo on a terminal: a live view, or a line per hour where there is none, and the numbers at the end."""

from typing import TYPE_CHECKING, Self, TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from watari.cli.blocks import curves
from watari.plan.text import count, format_duration, percent, printable

if TYPE_CHECKING:
    from watari.app.demo import Demo, FlightFrame, Frame, ZoneFrame

HOUR_S = 3600.0
ROWS = 10  # title, totals, legend, hours, headings and blanks
FLIGHTS = 6  # rows kept for moves under way, so that the view does not jump


class LiveView:
    """Redraws the whole screen with every `show`; the terminal is as it was afterwards."""

    def __init__(self, demo: "Demo", stdout: TextIO, url: str) -> None:
        self._demo = demo
        self._url = url
        self._console = Console(file=stdout, highlight=False)
        self._live = Live(console=self._console, screen=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self) -> None:
        """Draw this moment."""
        size = self._console.size
        ascii_only = not (self._console.encoding or "").lower().startswith("utf")
        picture = drawn(self._demo, self._url, size.width, size.height, ascii_only=ascii_only)
        self._live.update(picture, refresh=True)


class HourLines:
    """Writes a line per hour of the cloud's clock."""

    def __init__(self, demo: "Demo", stdout: TextIO, url: str) -> None:
        self._demo = demo
        self._stdout = stdout
        self._url = url
        self._hour = 0

    def __enter__(self) -> Self:
        on = format_clock(self._demo.switch_on_s)
        where = f", page {self._url}" if self._url else ""
        self._stdout.write(f"{self._demo.spec.name}, policy {self._demo.policy.name}, balancer on at {on}{where}\n")
        self._stdout.flush()
        return self

    def __exit__(self, *_: object) -> None:
        self._stdout.flush()

    def show(self) -> None:
        """Write the line of the hour that has begun, if one has."""
        hour = int(self._demo.steps * self._demo.cloud.step_s // HOUR_S)
        if hour == self._hour:
            return
        self._hour = hour
        f = self._demo.frame()
        self._stdout.write(
            f"{hour:02d}:00  starved {f.starved:>4} (do nothing {f.starved_shadow:>4})  "
            f"steal {f.stolen_cores:>7.1f} cores (do nothing {f.stolen_cores_shadow:>7.1f})  "
            f"moves {f.moves_done:>4} done, {f.moves_running} under way, {f.moves_failed + f.moves_undone} failed\n"
        )
        self._stdout.flush()


def numbers(demo: "Demo") -> str:
    """What it brought: since the balancer was switched on, beside doing nothing."""
    since, until = format_clock(demo.switch_on_s), format_clock(demo.steps * demo.cloud.step_s)
    if not demo.acting:
        return f"ended at {until}, before the balancer was switched on at {since}: nothing to compare\n"
    r = demo.result()
    lines = [
        f"{demo.spec.name}, policy {demo.policy.name}: {since} to {until}, beside doing nothing",
        f"  starved     {r.starved_minutes:,.0f} of {r.starved_minutes_nothing:,.0f} server-minutes left "
        f"({percent(r.starved_share)})",
        f"  steal       {r.stolen_core_s:,.0f} of {r.stolen_core_s_nothing:,.0f} core-seconds left",
        f"  avoided     {100 * r.avoided:.1f} % of the steal that could be avoided",
        f"  longest     {r.longest_minutes:,.0f} of {r.longest_minutes_nothing:,.0f} minutes starved without a break",
        f"  moves       {r.moves:,} done, {r.failed:,} failed, {r.went_back:,} back within a day",
        f"  moved       {r.memory_gib:,.0f} GiB memory, {r.disk_gib:,.0f} GiB disk",
    ]
    return "".join(f"{line}\n" for line in lines)


def drawn(demo: "Demo", url: str, width: int, height: int, *, ascii_only: bool = False) -> RenderableType:
    """One moment as a picture of at most `height` lines."""
    frame = demo.frame()
    parts: list[RenderableType] = [_title(demo, frame, url, width), _totals(frame), Text()]
    fixed = ROWS + len(frame.zones) + FLIGHTS
    chart = max(3, min(10, (height - fixed) // 2))
    parts += [_legend(frame, ascii_only), *_chart(frame, demo, width, chart, ascii_only)]
    parts += [Text(), _zones(frame.zones), Text(), Text(f"{count(len(frame.flights), 'move')} under way", "bold")]
    parts += [_flight(flight, ascii_only) for flight in frame.flights[:FLIGHTS]]
    parts += [Text()] * (FLIGHTS - len(frame.flights))
    latest = frame.lines[-max(1, height - fixed - chart) :]
    parts += [Text(printable(line), "dim", no_wrap=True, overflow="crop") for line in latest]
    return Group(*parts)


def format_clock(second_of_day: float) -> str:
    """`12:15`; the end of the day is 24:00."""
    minute = round(second_of_day / 60)
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _title(demo: "Demo", frame: "Frame", url: str, width: int) -> RenderableType:
    row = Table.grid(expand=True)
    row.add_column()
    row.add_column(justify="right")
    state = "on" if frame.acting else f"watching, on at {format_clock(demo.switch_on_s)}"
    left = Text.assemble(("watari demo  ", "bold"), f"{demo.spec.name}  ", (f"{frame.now:%H:%M:%S}", "bold cyan"))
    left.append(f"  balancer {state}", "green" if frame.acting else "yellow")
    row.add_row(left, Text(url, "underline") if url else Text("Ctrl-C ends it", "dim"))
    return row


def _totals(f: "Frame") -> RenderableType:
    failed = f.moves_failed + f.moves_undone
    return Text.assemble(
        "starved ",
        (f"{f.starved}", "bold red" if f.starved else "bold green"),
        f" (do nothing {f.starved_shadow})   steal ",
        (f"{f.stolen_cores:.1f}", "bold"),
        f" cores (do nothing {f.stolen_cores_shadow:.1f})\nmoves ",
        (f"{f.moves_done}", "bold"),
        f" done, {failed} failed   {f.memory_gib:,.0f} GiB memory and {f.disk_gib:,.0f} GiB disk moved",
        no_wrap=True,
        overflow="crop",
    )


def _legend(frame: "Frame", ascii_only: bool) -> RenderableType:
    measured, nothing = ("#", ":") if ascii_only else ("█", "░")
    most = max((*frame.curve, *frame.curve_shadow, 0.0))
    return Text.assemble(
        ("cores asked for and not given  ", "bold"),
        (measured, "red"),
        " this cloud  ",
        (nothing, "bright_black"),
        f" when nothing is done  (top: {most:.0f})",
    )


def _chart(frame: "Frame", demo: "Demo", width: int, rows: int, ascii_only: bool) -> list[RenderableType]:
    columns = max(24, min(width - 1, 144))
    slots = demo.steps_total * demo.cloud.step_s / 300.0
    lines = curves(frame.curve, frame.curve_shadow, slots, columns, rows, ascii_only=ascii_only)
    out: list[RenderableType] = []
    for line in lines:
        text = Text(no_wrap=True)
        for kind, run in line:
            text.append(run, {"measured": "red", "nothing": "bright_black"}.get(kind, ""))
        out.append(text)
    hours = ""
    for hour in range(0, 24, 3):
        hours = hours.ljust(hour * columns // 24) + f"{hour:02d}"
    return [*out, Text(hours, "dim")]


def _zones(zones: tuple["ZoneFrame", ...]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("zone", min_width=10)
    for name in ("hosts", "servers", "starved", "steal, cores", "moving"):
        table.add_column(name, justify="right")
    for z in zones:
        starved = Text(str(z.starved), "bold red" if z.starved else "")
        table.add_row(
            Text(printable(z.name)), str(z.hosts), str(z.servers), starved, f"{z.stolen_cores:.1f}", str(z.moving)
        )
    return table


def _flight(f: "FlightFrame", ascii_only: bool) -> RenderableType:
    row = Table.grid(padding=(0, 1))
    row.add_column(width=36, no_wrap=True, overflow="crop")
    row.add_column(width=20)
    row.add_column(no_wrap=True, overflow="crop")
    name = Text(printable(f"  {f.name} {f.source} -> {f.target}"))
    eta = f", {format_duration(f.eta_s)} left" if f.eta_s is not None else ""
    bar: RenderableType = ProgressBar(total=1.0, completed=min(f.share, 1.0), width=20)
    if ascii_only:
        bar = Text("#" * round(20 * min(f.share, 1.0)))
    row.add_row(name, bar, Text(f"{f.share:>4.0%} {f.phase} {f.rate_mib_s:.0f} MiB/s{eta}"))
    return row
