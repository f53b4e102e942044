"""`watari apply`: carry a plan out, with progress."""

import argparse
import sys
from typing import TYPE_CHECKING

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE, INTERRUPTED, PARTLY
from watari.cli.interrupts import Interrupts
from watari.cli.options import add_cloud, add_policy, check_cloud
from watari.errors import BadInput
from watari.plan.render import render
from watari.plan.text import count, format_duration, printable

if TYPE_CHECKING:
    from watari.act.journal import Run
    from watari.app.clouds import Cloud
    from watari.app.plans import Applied
    from watari.plan.plan import Plan
    from watari.policy.values import Policy


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
        parser.add_argument("plan", metavar="PLAN", help="the file that `watari plan balance -o` wrote")
        add_cloud(parser, "apply it to this cloud (default: the one it was made for)")
        add_policy(parser)
        parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app.plans import check_fresh, load_plan
        from watari.policy.load import load_policy

        policy = load_policy(parsed_args.policy)
        plan = load_plan(parsed_args.plan)
        check_cloud(parsed_args)
        on_terminal = self.stdout.isatty()
        summary = self.stdout if on_terminal else self.stderr
        if on_terminal or not self.quiet:
            summary.write(headline(plan))
        check_fresh(plan, policy, parsed_args.cloud)
        if not plan.operations:
            return DONE
        if not parsed_args.yes and not self._agreed(plan):
            self.hint("nothing was done")
            return INTERRUPTED
        applied, interrupted = self._carry_out(plan, policy, parsed_args.cloud, on_terminal)
        if on_terminal or not self.quiet:
            summary.write(result(applied))
        if interrupted and applied.left:
            self.hint(f"interrupted; go on with: watari apply {parsed_args.plan}")
            return INTERRUPTED
        return PARTLY if applied.left else DONE

    def _agreed(self, plan: "Plan") -> bool:
        if not sys.stdin or not sys.stdin.isatty():
            raise BadInput(
                f"nothing was done: this would carry out {count(len(plan.operations), 'move')}; add --yes to go ahead"
            )
        self.stderr.write(f"Carry out {count(len(plan.operations), 'move')}? [y/N] ")
        self.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def _carry_out(
        self, plan: "Plan", policy: "Policy", cloud: str | None, on_terminal: bool
    ) -> tuple["Applied", bool]:
        from watari.app.plans import apply_plan
        from watari.cli.apply_view import Bars, JsonLines

        view = Bars(self.stdout) if on_terminal and not self.quiet else JsonLines(self.stdout, silent=on_terminal)
        with view, Interrupts() as interrupts:

            def watch(run: "Run", at: "Cloud") -> None:
                view.show(run, at.clock.now())
                interrupts.check()

            try:
                applied = apply_plan(plan, policy, cloud, watch, lambda: interrupts.stopping)
            except KeyboardInterrupt:
                self.hint("ended at once: what the cloud was asked for goes on there")
                raise
            view.end(applied)
        return applied, interrupts.stopping


def headline(plan: "Plan") -> str:
    """The first lines of the plan's text: what it does and should bring."""
    lines = render(plan).splitlines()
    return "".join(f"{line}\n" for line in lines[:1] + [line for line in lines[1:2] if line.startswith("  starved")])


def result(applied: "Applied") -> str:
    """How it ended, for people."""
    from watari.cli.apply_view import label

    run = applied.run
    counts = [f"{run.count('done')} done", f"{run.count('failed') + run.count('undone')} failed"]
    counts.append(f"{run.count('skipped')} skipped")
    if waiting := sum(not record.over for record in run.operations):
        counts.append(f"{waiting} not started")
    lines = [f"{', '.join(counts)} in {format_duration(applied.seconds)} of the cloud's time"]
    lines += [f"  {record.state} {label(record)}: {record.note}" for record in applied.left if record.over]
    lines.append(f"  starved {applied.starved_before} -> {applied.starved_after}")
    lines.append(f"  journal {applied.journal}")
    return "".join(f"{printable(line)}\n" for line in lines)
