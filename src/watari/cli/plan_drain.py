"""`watari plan drain`: how a host would be emptied, how long it takes, and what would stay on it and why."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from watari.cli.planning import PlanCommand


class PlanDrain(PlanCommand):
    """Plan to empty hosts: disable them, then move everything off

    Servers move live; those that are off move cold; what runs and cannot move live stays unless the policy or the
    server's own wish (its metadata, watari:drain) allows a stop. Destinations follow the same rules as in a balance.
    The plan says how long every server takes, and for every one that stays, why and what would help. Nothing is
    moved: `watari apply` carries a plan out.
    """

    need_loads = False
    examples = """
        examples:
          watari plan drain az1-h07 --cloud sim --reason "broken DIMM" -o drain.json
          watari plan drain az1-h07 --cloud sim --then enable         bring it back when everything has left
          watari plan drain h1 h2 h3 --snapshot cluster.json          all three together; none receives anything
          watari plan drain az1-h07 --cloud sim --explain db-0003     why this one moves, how, or stays
          watari plan drain az1-h07 --cloud sim -f json -c server -c seconds -c action

        exit codes:
          0 planned   2 usage or bad input   4 the plan is not empty (--exit-code)   5 nothing was planned: findings
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("hosts", metavar="HOST", nargs="+", help="a host to empty; several are emptied together")
        parser.add_argument(
            "--reason", metavar="TEXT", default="", help="why; the cloud shows it while the host is disabled"
        )
        parser.add_argument(
            "--then", choices=["enable"], help="bring each host back into service once everything has left it"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.app.drain import asked, explain, plan_drain

        snapshot, policy, findings = self.read(parsed_args)
        then_enable = parsed_args.then == "enable"
        request = asked(snapshot, policy, parsed_args.hosts, parsed_args.reason, then_enable=then_enable)
        plan = plan_drain(snapshot, policy, request, findings)
        return self.answer(parsed_args, plan, lambda server: explain(snapshot, plan, request, server))
