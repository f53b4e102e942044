"""`watari runs list|show|resume|cancel|undo`: what was carried out, goes on, or waits to be taken up again."""

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from watari.cli.apply import carried_out
from watari.cli.base import WatariCommand, WatariLister
from watari.cli.exits import DONE, INTERRUPTED, PARTLY
from watari.cli.interrupts import Interrupts
from watari.cli.options import actor, add_database
from watari.plan.text import count, printable

if TYPE_CHECKING:
    from watari.act.durable.records import RunRow
    from watari.act.journal import OperationRecord

LIST = ("Run", "Job", "Cloud", "State", "Started", "Operations")
SHOW = ("Operation", "Subject", "Step", "State", "Took", "Note")
JOURNAL = ("At", "Operation", "Subject", "Step", "State", "Text")


class RunsList(WatariLister):
    """List runs, newest first

    A run is a plan that is carried out on a real cloud. "stopped" and "running" ones without a process are taken up
    again with `watari runs resume`.
    """

    examples = """
        examples:
          watari runs list
          watari runs list --open -f json
          watari runs list --database postgresql://watari@db/watari
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--open", action="store_true", help="only those that are not over")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.act.durable.records import list_runs
        from watari.app import database

        with database.opened(parsed_args.database) as store:
            rows = list_runs(store, only_open=parsed_args.open, limit=max(1, parsed_args.limit))
            self.afterword = "" if rows else f"no runs in {store.shown} yet"
        return LIST, [_row(row) for row in rows]


class RunsShow(WatariLister):
    """Show what became of every operation of a run

    With --journal: everything that was written down, before and after every change, oldest first.
    """

    examples = """
        examples:
          watari runs show r-1a2b3c4d
          watari runs show r-1a2b3c4d --journal
          watari runs show r-1a2b3c4d -f json | jq -r '.[] | select(.State == "failed") | .Note'
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_run(super().get_parser(prog_name))
        parser.add_argument("--journal", action="store_true", help="show the journal")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.act.durable.records import load_run
        from watari.app import database

        with database.opened(parsed_args.database) as store:
            row = database.find_run(store, parsed_args.run)
            self.afterword = _how_to_go_on(row)
            if parsed_args.journal:
                lines = database.journal(store, row.id)
                return JOURNAL, [
                    (e.at.isoformat(timespec="milliseconds"), e.operation, e.subject, e.step, e.state, e.text)
                    for e in lines
                ]
            return SHOW, [_shown(record) for record in load_run(store, row.id).operations]


class RunsResume(WatariCommand):
    """Go on with a run that was interrupted

    What the cloud was asked for before is found and watched, not asked for again. What has not begun, and whose plan
    has expired meanwhile, is skipped. One worker does the same for all runs: `watari worker`.
    """

    examples = """
        examples:
          watari runs resume r-1a2b3c4d

        exit codes: as those of `watari apply`
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_why(_with_run(super().get_parser(prog_name)))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.act.durable.asking import ask_to_go_on
        from watari.act.durable.audit import audited
        from watari.app import applying, database

        with database.opened(parsed_args.database) as store:
            row = database.find_run(store, parsed_args.run)
            if row.ended_at is not None:
                with Interrupts() as interrupts:
                    applying.measure(store, row.id, lambda: interrupts.stopping, self.hint)
                self.hint(f"{row.id} is over ({row.state}); see `watari runs show {row.id}`")
                return DONE if row.state == "done" else PARTLY
            with audited(store, actor(), "resume run", row.id, parsed_args.why, row.cloud):
                ask_to_go_on(store, row.id)  # from here on the run's own journal tells
            return carried_out(
                self, lambda watch, stopping, say: applying.resume(store, row.id, watch, stopping, say), row.id
            )


class RunsCancel(WatariCommand):
    """Stop a run: what is under way is aborted, what has not begun is skipped

    A server that has arrived stays where it is: `watari runs undo` moves it back. When another process carries the run
    out it is told to stop, and this one returns at once.
    """

    examples = """
        examples:
          watari runs cancel r-1a2b3c4d
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        return _with_why(_with_run(super().get_parser(prog_name)))

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.act.durable.asking import ask_to_cancel
        from watari.act.durable.audit import audited
        from watari.app import database, runs

        with database.opened(parsed_args.database) as store:
            row = database.find_run(store, parsed_args.run)
            with audited(store, actor(), "cancel run", row.id, parsed_args.why, row.cloud):
                ask_to_cancel(store, row.id)
            run = runs.give_up(store, row.id, lambda run, now: None)
            if run is None:
                self.hint(f"told; watch it with `watari runs show {row.id}`")
                return DONE
        kinds = {state: run.count(state) for state in ("done", "undone", "failed", "skipped")}
        self.hint(f"{row.id}: {', '.join(f'{n} {state}' for state, n in kinds.items() if n) or 'nothing had begun'}")
        if kinds["done"]:
            self.hint(f"what is done stays, hosts that were disabled too; take it back: watari runs undo {row.id}")
        return DONE


class RunsUndo(WatariCommand):
    """Take a run back: servers that it moved move back, hosts that it disabled are enabled

    Shows the way back as a plan and asks. Every move back is checked, waits for budgets and may be refused like any
    other.
    """

    examples = """
        examples:
          watari runs undo r-1a2b3c4d
          watari runs undo r-1a2b3c4d --yes

        exit codes: as those of `watari apply`
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_why(_with_run(super().get_parser(prog_name)))
        parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.act.durable.audit import audited
        from watari.app import applying, database, runs
        from watari.cli.apply import agreed
        from watari.plan.render import render

        with database.opened(parsed_args.database) as store:
            row = database.find_run(store, parsed_args.run)
            plan, cloud, policy = runs.undo_plan(store, row.id)
            if not plan.operations:
                self.hint(f"{row.id} has done nothing that could be taken back")
                return DONE
            self.stdout.write(render(plan))
            if not parsed_args.yes and not agreed(self, f"Carry out {count(len(plan.operations), 'operation')}?"):
                self.hint("nothing was done")
                return INTERRUPTED
            with audited(store, actor(), "undo run", row.id, parsed_args.why, row.cloud):
                back, _ = runs.begin(store, plan, cloud, policy)
            return carried_out(
                self, lambda watch, stopping, say: applying.finish(store, back, cloud, watch, stopping, say), back
            )


def _with_run(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("run", metavar="RUN", help="its id (watari runs list), or its plan's")
    add_database(parser)
    return parser


def _with_why(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--why", metavar="TEXT", default="", help="for the record of changes (watari audit)")
    return parser


def _row(row: "RunRow") -> tuple[object, ...]:
    counts = ", ".join(f"{n} {state}" for state, n in sorted(row.counts.items())) or "none"
    return (row.id, row.job, printable(row.cloud), row.state, row.started_at.isoformat(timespec="seconds"), counts)


def _shown(record: "OperationRecord") -> tuple[object, ...]:
    from watari.act.journal import in_words

    r = record.current
    began, ended = record.steps[0].asked_at, record.steps[-1].ended_at
    took = f"{(ended - began).total_seconds():.0f} s" if began and ended else ""
    note = record.note or (f"waits: {record.waits}" if record.waits and not record.over else "")
    if record.under_way and r.total_mib > 0:
        note = f"{r.done_mib:.0f} of {r.total_mib:.0f} MiB, {r.rate_mib_s:.0f} MiB/s"
    op = record.operation
    return (op.id, printable(op.name), in_words(r.step), record.state, took, printable(note))


def _how_to_go_on(row: "RunRow") -> str:
    if row.ended_at is None:
        return f"{row.id} is {row.state}; watari runs resume {row.id} goes on with it, runs cancel stops it"
    if row.counts.get("done"):
        return f"{row.id} is over ({row.state}); take it back: watari runs undo {row.id}"
    return ""
