"""Show a run while it goes on: bars on a terminal, JSON lines elsewhere."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, TextIO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from watari.act.journal import OperationRecord, Run, in_words
from watari.plan.steps import VERBS, Attach, Detach
from watari.plan.text import format_duration, printable

if TYPE_CHECKING:
    from watari.app.plans import Applied


class Bars:
    """A bar for every move under way, a line for every one that is over, and the cloud's clock."""

    def __init__(self, stdout: TextIO) -> None:
        self._console = Console(file=stdout, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.percentage:>3.0f} %  {task.fields[facts]}"),
            console=self._console,
            transient=True,
        )
        self._all: TaskID | None = None
        self._tasks: dict[str, TaskID] = {}
        self._told: set[str] = set()
        self._said = False

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, run: Run, now: datetime) -> None:
        """Bring the bars to the state of the run."""
        if run.stopping and not self._said:
            self._said = True
            self._console.print(STOPPING)
        if self._all is None:
            self._all = self._progress.add_task("", total=len(run.operations), facts="")
        over = sum(record.over for record in run.operations)
        left = sum(not record.over and not record.under_way for record in run.operations)
        self._progress.update(
            self._all,
            completed=over,
            description=f"{now:%H:%M:%S} all",
            facts=f"{over} of {len(run.operations)} over, {left} waiting",
        )
        for record in run.operations:
            if record.under_way:
                self._bar(record)
            elif record.over and record.operation.id not in self._told:
                self._close(record)

    def end(self, applied: "Applied") -> None:
        """Nothing more to draw."""

    def _bar(self, record: OperationRecord) -> None:
        step, name = record.current, record.operation.id
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(f"  {escape(label(record))}", total=None, facts="")
        rate, left = step.rate_mib_s, step.total_mib - step.done_mib
        facts = (
            f"{rate:.0f} MiB/s, {format_duration(left / rate)} left" if rate > 0 else escape(step.note or "asked for")
        )
        total = step.total_mib or None
        self._progress.update(self._tasks[name], completed=step.done_mib, total=total, facts=facts)

    def _close(self, record: OperationRecord) -> None:
        self._told.add(record.operation.id)
        if (task := self._tasks.pop(record.operation.id, None)) is not None:
            self._progress.remove_task(task)
        note = f": {printable(record.note)}" if record.note else ""
        self._console.print(escape(f"{record.state:>7} {label(record)}{note}"), soft_wrap=True)


class JsonLines:
    """One object per state change of an operation, and a last one with the result. `silent`: none at all."""

    def __init__(self, stdout: TextIO, *, silent: bool = False) -> None:
        self._stdout = stdout
        self._silent = silent
        self._last: dict[str, str] = {}
        self._said = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, run: Run, now: datetime) -> None:
        """Write what has changed since the last call."""
        if run.stopping and not self._said:
            self._said = True
            self._write({"at": now.isoformat(), "event": "stopping", "text": STOPPING})
        for record in run.operations:
            if record.state != self._last.get(record.operation.id, "pending"):
                self._last[record.operation.id] = record.state
                op = record.operation
                self._write(
                    {
                        "at": now.isoformat(),
                        "event": "operation",
                        "operation": op.id,
                        "server": op.name,
                        "from": op.source or op.subject,
                        "to": op.target,
                        "action": VERBS[type(record.current.step)],
                        "state": record.state,
                        "text": record.note,
                    }
                )

    def end(self, applied: "Applied") -> None:
        """Write the result."""
        run = applied.run
        self._write(
            {
                "event": "result",
                "run": run.id,
                "done": run.count("done"),
                "failed": run.count("failed") + run.count("undone"),
                "undone": run.count("undone"),
                "skipped": run.count("skipped"),
                "not_started": sum(not record.over for record in run.operations),
                "out_of_service": [r.step.member for r in run.left_out() if isinstance(r.step, Attach | Detach)],
                "starved_before": applied.starved_before,
                "starved_after": applied.starved_after,
                "seconds": applied.seconds,
                "journal": str(applied.journal),
            }
        )

    def _write(self, row: dict[str, Any]) -> None:
        if not self._silent:
            self._stdout.write(f"{json.dumps(row)}\n")
            self._stdout.flush()


STOPPING = "finishing the moves under way, starting no more; Ctrl-C again ends at once"


def label(record: OperationRecord) -> str:
    """`web-1 h1 -> h2`, or the step in words where nothing moves."""
    op = record.operation
    return printable(f"{op.name} {op.source} -> {op.target}" if op.move else in_words(record.steps[0].step))
