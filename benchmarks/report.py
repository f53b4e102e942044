"""The tables that a benchmark run ends with."""

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.results import (
    CPU_LIMITS_S,
    MEMORY_LIMITS_MB,
    WATARI,
    Outcome,
    Results,
    Round,
    ratio,
    verdicts,
)

SEEDS_LEGEND = (
    "fewest: moves that any plan needs at least. GiB: memory moved. starved, over: servers with more than 5 % steal\n"
    "and hosts over their capacity, before > after. zones: servers that left theirs. roles: those less spread than\n"
    "before. by zone: told of the zones by the peer's own means."
)
RATIOS_LEGEND = (
    "hbal is stopped at its limit of moves (see note above), whatever is starved then: below 1 is no merit there."
)
SCALE_LEGEND = "peak MB: the whole process, with interpreter, libraries, snapshot and plan."


def show(results: Results, console: Console) -> None:
    """Print everything that was finished: seeds, ratios, scale, limits, and what did not take part."""
    console.print(f"\nLoads: {results.loads}. Machine: {results.machine}.", highlight=False)
    if results.synthetic:
        console.print(
            "These loads are SYNTHETIC: the figures of docs/benchmark.md are comparable only with a run on the same "
            "trace (--planetlab PATH or WATARI_PLANETLAB).",
            style="bold",
        )
    if results.seeds:
        _show_table(console, _seeds(results.seeds), SEEDS_LEGEND)
    if results.scale:
        _show_table(console, _scale(results.scale), SCALE_LEGEND)
    rounds = [*results.seeds, *results.scale]
    if any(outcome.contender != WATARI for round in rounds for outcome in round.outcomes):
        _show_table(console, _ratios(rounds), RATIOS_LEGEND)
    _show_verdicts(results, console)
    for reason in results.absent:
        console.print(f"Not taken part: {reason}", highlight=False)


def _seeds(rounds: list[Round]) -> Table:
    table = _table(f"Plan against plan: {rounds[0].hosts} hosts, {rounds[0].servers:,} servers")
    _numbers(table, "seed", "fewest")
    table.add_column("planner", no_wrap=True)
    _numbers(table, "CPU s", "moves", "x fewest", "GiB", "starved", "over", "zones", "roles")
    table.add_column("note", no_wrap=True)
    for round in rounds:
        for i, outcome in enumerate(round.outcomes):
            head = (str(round.seed), str(round.bound)) if i == 0 else ("", "")
            table.add_row(*head, *_cells(round, outcome), style="bold" if outcome.contender == WATARI else None)
        table.add_section()
    return table


def _cells(round: Round, outcome: Outcome) -> tuple[str, ...]:
    before, after = round.before, outcome.after
    note = outcome.note
    if after.memory_over:
        note = f"{note}; {after.memory_over} hosts over their memory".lstrip("; ")
    return (
        outcome.contender,
        _seconds(outcome.cpu_s),
        str(after.moves),
        f"{ratio(after.moves, round.bound):.2f}",
        f"{after.moved_gib:,.0f}",
        f"{before.starved} > {after.starved}",
        f"{before.hosts_over} > {after.hosts_over}",
        str(after.zone_violations),
        str(after.role_violations),
        note,
    )


def _ratios(rounds: list[Round]) -> Table:
    table = _table("How many times Watari's a peer's is")
    _numbers(table, "hosts/servers", "seed")
    table.add_column("peer", no_wrap=True)
    _numbers(table, "CPU x", "moves x", "GiB x")
    for round in rounds:
        if watari := round.of(WATARI):
            for peer in (outcome for outcome in round.outcomes if outcome is not watari):
                size = f"{round.hosts:,}/{round.servers:,}"
                table.add_row(size, str(round.seed), peer.contender, *_times(peer, watari))
    return table


def _times(peer: Outcome, watari: Outcome) -> tuple[str, str, str]:
    return (
        f"{ratio(peer.cpu_s, watari.cpu_s):,.0f}",
        f"{ratio(peer.after.moves, watari.after.moves):.1f}",
        f"{ratio(peer.after.moved_gib, watari.after.moved_gib):.1f}",
    )


def _scale(rounds: list[Round]) -> Table:
    table = _table("Scale")
    _numbers(table, "hosts/servers", "fewest")
    table.add_column("planner", no_wrap=True)
    _numbers(table, "CPU s", "limit", "peak MB", "limit", "moves", "GiB", "starved", "over")
    table.add_column("limits", no_wrap=True)
    for round in rounds:
        size = (round.hosts, round.servers)
        for outcome in round.outcomes:
            own = outcome.contender == WATARI  # the limits bind nobody else
            cpu_limit, memory_limit = (CPU_LIMITS_S.get(size), MEMORY_LIMITS_MB.get(size)) if own else (None, None)
            table.add_row(
                f"{round.hosts:,}/{round.servers:,}",
                f"{round.bound:,}",
                outcome.contender,
                _seconds(outcome.cpu_s),
                f"{cpu_limit:g}" if cpu_limit else "-",
                "-" if outcome.peak_mb is None else f"{outcome.peak_mb:,.0f}",
                f"{memory_limit:,.0f}" if memory_limit else "-",
                f"{outcome.after.moves:,}",
                f"{outcome.after.moved_gib:,.0f}",
                f"{round.before.starved:,} > {outcome.after.starved:,}",
                f"{round.before.hosts_over:,} > {outcome.after.hosts_over:,}",
                _within(outcome, cpu_limit, memory_limit),
            )
    return table


def _within(outcome: Outcome, cpu_limit_s: float | None, memory_limit_mb: float | None) -> str:
    if cpu_limit_s is None and memory_limit_mb is None:
        return "-"
    slow = cpu_limit_s is not None and outcome.cpu_s > cpu_limit_s
    fat = memory_limit_mb is not None and (outcome.peak_mb or 0.0) > memory_limit_mb
    return "NOT met" if slow or fat else "met"


def _show_verdicts(results: Results, console: Console) -> None:
    found = list(verdicts(results))
    missed = [verdict for verdict in found if not verdict.met]
    if not found:
        console.print("\nNo limit was checked: Watari did not run.", style="bold")
        return
    console.print(f"\nWatari's own limits: {len(found) - len(missed)} of {len(found)} met.", style="bold")
    for verdict in missed:
        console.print(f"  NOT met  {verdict.where}: {verdict.limit}; it was {verdict.value}", highlight=False)


def _show_table(console: Console, table: Table, legend: str) -> None:
    console.print(table)
    console.print(legend, highlight=False)


def _table(title: str) -> Table:
    return Table(title=f"\n{title}", title_justify="left", box=SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0))


def _numbers(table: Table, *titles: str) -> None:
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)


def _seconds(value: float) -> str:
    return f"{value:.4f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:.0f}"
