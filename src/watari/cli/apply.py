"""`watari apply`: carry a plan out, with progress."""

import argparse
import sys
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE, INTERRUPTED, PARTLY
from watari.cli.interrupts import Interrupts
from watari.cli.options import actor, add_cloud, add_database, add_policy, check_cloud
from watari.errors import BadInput
from watari.plan.render import render
from watari.plan.steps import Attach, Detach
from watari.plan.text import count, format_duration, printable

if TYPE_CHECKING:
    from watari.act.journal import Run
    from watari.app.plans import Applied, Watch
    from watari.plan.plan import Plan

    Act = Callable[[Watch, Callable[[], bool], Callable[[str], None]], Applied]


class Apply(WatariCommand):
    """Carry out a plan that `watari plan` wrote

    Shows what the plan does and asks before it begins. On a terminal every move has a bar; elsewhere standard output is
    one JSON object per state change and a last one with the result. Ctrl-C once: moves under way are finished, none is
    started. Ctrl-C twice: ends at once; what the cloud was asked for, it goes on with. Applying the same plan again is
    safe: what is done already is left as it is.
    """

    examples = """
        examples:
          watari apply plan.json
          watari apply plan.json --yes | jq -r 'select(.state == "failed")'
          watari apply plan.json --cloud sim:100/1000@7      a plan that was made from a snapshot file

        exit codes:
          0 all done   2 usage or bad input   3 finished, but something failed or was skipped
          11 another watari works on this cloud
          12 the plan is stale: plan again    130 interrupted, or the question was answered with no
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("plan", metavar="PLAN", help="the file that `watari plan ... -o` wrote")
        add_cloud(parser, "apply it to this cloud (default: the one it was made for)")
        add_policy(parser)
        add_database(parser)
        parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
        parser.add_argument("--why", metavar="TEXT", default="", help="for the record of changes (watari audit)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app.applying import apply
        from watari.app.plans import check_fresh, load_plan
        from watari.policy.load import load_policy

        policy = load_policy(parsed_args.policy)
        plan = load_plan(parsed_args.plan)
        check_cloud(parsed_args)
        on_terminal = self.stdout.isatty()
        if on_terminal or not self.quiet:
            (self.stdout if on_terminal else self.stderr).write(headline(plan))
        check_fresh(plan, policy, parsed_args.cloud)
        if not plan.operations:
            return DONE
        if not parsed_args.yes and not agreed(self, f"Carry out {what(plan)}?"):
            self.hint("nothing was done")
            return INTERRUPTED
        place = parsed_args.policy, parsed_args.cloud, parsed_args.database
        asked = actor(), parsed_args.why
        return carried_out(
            self, lambda watch, stopping, say: apply(plan, *place, watch, stopping, say, asked), parsed_args.plan
        )


def agreed(command: WatariCommand, question: str) -> bool:
    """Ask. Raises BadInput where nobody can answer."""
    if not sys.stdin or not sys.stdin.isatty():
        doing = question.removeprefix("Carry out ").removesuffix("?")
        raise BadInput(f"nothing was done: this would carry out {doing}; add --yes to go ahead")
    command.stderr.write(f"{question} [y/N] ")
    command.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def what(plan: "Plan") -> str:
    """`12 moves`, or `14 operations` where not all of them move something."""
    moves = sum(op.move is not None for op in plan.operations)
    return count(moves, "move") if moves == len(plan.operations) else count(len(plan.operations), "operation")


def carried_out(command: WatariCommand, act: "Act", again: str) -> int:
    """Show a run while `act` carries it out, and how it ended; returns the exit code.

    `again` is what goes on with it later: a run's id, or a plan's file.
    """
    from watari.cli.apply_view import Bars, JsonLines

    on_terminal = command.stdout.isatty()
    bars = on_terminal and not command.quiet
    view = Bars(command.stdout) if bars else JsonLines(command.stdout, silent=on_terminal)
    with view, Interrupts() as interrupts:

        def watch(run: "Run", now: datetime) -> None:
            view.show(run, now)
            if interrupts.count > 1:
                later = "" if is_virtual(run) else f"; go on with: watari runs resume {run.id}"
                command.hint(f"ended at once: what the cloud was asked for goes on there{later}")
            if not is_virtual(run):
                interrupts.leave()
            interrupts.check()

        applied = act(watch, lambda: interrupts.stopping, command.hint)
        view.end(applied)
    if on_terminal or not command.quiet:
        (command.stdout if on_terminal else command.stderr).write(result(applied))
    if interrupts.stopping and applied.left:
        goes_on = f"watari apply {again}" if is_virtual(applied.run) else f"watari runs resume {applied.run.id}"
        command.hint(f"interrupted; go on with: {goes_on}")
        return INTERRUPTED
    return PARTLY if applied.left else DONE


def is_virtual(run: "Run") -> bool:
    """Carried out in this thread, on a simulated cloud: there is nothing to leave behind."""
    from watari.app.clouds import is_sim

    return is_sim(run.plan.cloud)


def headline(plan: "Plan") -> str:
    """The first lines of the plan's text: what it does and should bring."""
    lines = render(plan).splitlines()
    return "".join(f"{line}\n" for line in lines[:1] + [line for line in lines[1:2] if line.startswith("  starved")])


def out_of_service(run: "Run") -> list[str]:
    """What comes before everything else: servers that their orchestrators do not use any more because of us."""
    from watari.act.setbacks import LEFT_OUT

    cloud, lines = f" --cloud {run.plan.cloud}" if run.plan.cloud else "", []
    for record in run.left_out():
        if isinstance(step := record.step, Attach | Detach):
            why = record.note.removeprefix(LEFT_OUT.format(step.orchestrator))
            cure = f"put it back: watari members attach {step.member}{cloud}"
            lines.append(f"OUT OF SERVICE: {step.member} in {step.orchestrator}: {why}; {cure}")
    return lines


def result(applied: "Applied") -> str:
    """How it ended, for people."""
    from watari.cli.apply_view import label

    run = applied.run
    counts = [f"{run.count('done')} done", f"{run.count('failed') + run.count('undone')} failed"]
    counts.append(f"{run.count('skipped')} skipped")
    if waiting := sum(not record.over for record in run.operations):
        counts.append(f"{waiting} not started")
    whose = " of the cloud's time" if is_virtual(run) else ""
    lines = [f"{', '.join(counts)} in {format_duration(applied.seconds)}{whose}"]
    lines += [f"  {line}" for line in out_of_service(run)]
    lines += [f"  {record.state} {label(record)}: {record.note}" for record in applied.left if record.over]
    if applied.starved_after is not None:
        lines.append(f"  starved {applied.starved_before} -> {applied.starved_after}")
    lines.append(f"  journal {applied.journal}")
    return "".join(f"{printable(line)}\n" for line in lines)
