"""`watari plan balance`: who starves, why, and which moves would end it."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from watari.cli.planning import PlanCommand


class PlanBalance(PlanCommand):
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

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.app.plans import explain, plan_balance

        snapshot, policy, findings = self.read(parsed_args)
        plan = plan_balance(snapshot, policy, findings)
        return self.answer(parsed_args, plan, lambda server: explain(snapshot, policy, server))
