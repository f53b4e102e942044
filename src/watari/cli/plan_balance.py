"""`watari plan balance`: who starves, why, and which moves would end it."""

import argparse
import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from watari.cli.base import TEXT, TextLister
from watari.cli.exits import CHANGES, FINDINGS
from watari.cli.options import add_cloud, add_policy, check_cloud, check_output
from watari.errors import BadInput
from watari.plan.render import COLUMNS, render, render_table

if TYPE_CHECKING:
    from watari.model.compute import ComputeSnapshot
    from watari.plan.plan import Plan
    from watari.policy.values import Policy


class PlanBalance(TextLister):
    """Plan the moves after which no server is starved

    A server is starved when its steal and its load are over the policy's thresholds. The plan says for every move why
    this server, why that host, and which others lost; and for every starved server that stays, why. Nothing is moved:
    `watari apply` carries a plan out.
    """

    examples = """
        examples:
          watari plan balance --cloud sim -o plan.json        plan, keep it for `watari apply plan.json`
          watari plan balance --snapshot cluster.json         plan for a cluster that was exported or written by hand
          watari plan balance --cloud sim --explain web-0107  why this one is moved, refused or left alone
          watari plan balance --cloud sim -f json -c server -c to
          watari snapshot --cloud sim | watari plan balance --snapshot - --policy cautious --exit-code

        exit codes:
          0 planned   2 usage or bad input   4 the plan is not empty (--exit-code)   5 nothing to plan on: findings
    """

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

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.app.clouds import snapshot_of
        from watari.app.plans import plan_balance, save_plan
        from watari.policy.load import load_policy

        self.check_columns(parsed_args, COLUMNS)
        if parsed_args.explain is not None and parsed_args.formatter != TEXT:
            raise BadInput("--explain answers in sentences; leave -f away")
        check_output(parsed_args.output)
        check_cloud(parsed_args)
        policy = load_policy(parsed_args.policy)
        snapshot, findings = snapshot_of(parsed_args.cloud, parsed_args.snapshot)
        plan = plan_balance(snapshot, policy, findings)
        if parsed_args.explain is not None:
            self.text = explained(snapshot, policy, parsed_args.explain)
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


def explained(snapshot: "ComputeSnapshot", policy: "Policy", server: str) -> str:
    """What the plan does with one server, as lines. Raises BadInput for a server that the snapshot lacks."""
    from watari.app.plans import explain

    return "".join(f"{line}\n" for line in explain(snapshot, policy, server))


def how_to_go_on(plan: "Plan", path: str | None, policy: str | None) -> str:
    """The command that carries the plan out, with what the plan itself does not say."""
    from watari.app.clouds import sim_name

    words = ["watari", "apply", path or "plan.json"]
    if sim_name(plan.cloud) is None:
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
