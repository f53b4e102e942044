"""What all commands that make a plan share: options, the answer in every format, how to go on, exit codes."""

import argparse
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from watari.cli.base import TEXT, TextLister
from watari.cli.exits import CHANGES, FINDINGS
from watari.cli.options import add_cloud, add_policy, check_cloud, check_output
from watari.errors import BadInput
from watari.plan.render import COLUMNS, render, render_table

if TYPE_CHECKING:
    from watari.model.compute import ComputeSnapshot
    from watari.model.reasons import Finding
    from watari.plan.plan import Plan
    from watari.policy.values import Policy


class PlanCommand(TextLister):
    """A command that reads a cloud, makes a plan and answers with it; it carries nothing out."""

    need_loads = True  # False: it can plan for servers of unknown load

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_cloud(parser, "plan for this cloud as it is now")
        parser.add_argument("--snapshot", metavar="FILE", help="plan for a snapshot file; - is standard input")
        add_policy(parser)
        parser.add_argument("-o", "--output", metavar="PLAN", help="write the plan there, for `watari apply`")
        parser.add_argument("--explain", metavar="SERVER", help="only say what happens to this server (id or name)")
        parser.add_argument(
            "--long", action="store_true", help="list every server that stays, refusal, ruled-out host and finding"
        )
        parser.add_argument("--exit-code", action="store_true", help="exit with 4 if the plan is not empty")
        return parser

    def read(self, parsed_args: argparse.Namespace) -> "tuple[ComputeSnapshot, Policy, tuple[Finding, ...]]":
        """What to plan on, by which policy, and what the reader of a file found. Raises BadInput."""
        from watari.app.clouds import snapshot_of
        from watari.policy.load import load_policy

        self.check_columns(parsed_args, COLUMNS)
        if parsed_args.explain is not None and parsed_args.formatter != TEXT:
            raise BadInput("--explain answers in sentences; leave -f away")
        check_output(parsed_args.output)
        check_cloud(parsed_args)
        policy = load_policy(parsed_args.policy)
        snapshot, findings = snapshot_of(parsed_args.cloud, parsed_args.snapshot, need_loads=self.need_loads)
        return snapshot, policy, findings

    def answer(
        self, parsed_args: argparse.Namespace, plan: "Plan", explained: Callable[[str], Iterable[str]]
    ) -> tuple[Sequence[str], Iterable[Any]]:
        """Show the plan as it was asked for and write it; `explained` says in lines what becomes of one server."""
        from watari.app.plans import save_plan

        if parsed_args.explain is not None:
            self.text = "".join(f"{line}\n" for line in explained(parsed_args.explain))
        elif parsed_args.formatter == TEXT:
            self.text = render(plan, verbose=parsed_args.long)
        else:
            self.hint(beside_the_table(render(plan, verbose=parsed_args.long)))
        if parsed_args.output is not None:
            save_plan(plan, parsed_args.output)
        if plan.operations and (parsed_args.explain is None or parsed_args.output is not None):
            self.afterword = how_to_go_on(plan, parsed_args.output, parsed_args.policy)
        if parsed_args.explain is None:
            self.status = status_of(plan, exit_code=parsed_args.exit_code)
        return render_table(plan)


def how_to_go_on(plan: "Plan", path: str | None, policy: str | None) -> str:
    """The command that carries the plan out, with what the plan itself does not say."""
    words = ["watari", "apply", path or "plan.json"]
    if not plan.cloud:
        words += ["--cloud", "CLOUD"]
    if policy is not None:
        words += ["--policy", policy]
    command = shlex.join(words)
    return f"to carry it out, keep it with -o plan.json, then: {command}" if path is None else f"apply it: {command}"


def beside_the_table(text: str) -> str:
    """Of a rendered plan, what is no operation: the headline, the forecast, who stays, refusals and findings."""
    lines = text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(("    ", "  wave ")))


def status_of(plan: "Plan", *, exit_code: bool) -> int:
    """The exit code of a plan: an empty one that rests on nothing must not look like "all is well"."""
    if plan.operations:
        return CHANGES if exit_code else 0
    unusable = any(f.severity == "error" or f.code == "empty-cloud" for f in plan.findings)
    return FINDINGS if unusable else 0
