"""`watari members`: who works for which orchestrator, and putting back who was left out of service."""

import argparse
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

from watari.cli.base import WatariCommand, WatariLister
from watari.cli.exits import DONE
from watari.cli.options import actor, add_cloud, add_database, add_policy, check_cloud
from watari.errors import BadInput, WatariError

COLUMNS = ("Orchestrator", "Member", "Server", "State", "Note")


class MembersList(WatariLister):
    """List the servers that work for Kubernetes, Consul and other orchestrators, and how they stand there

    States: serving, not fit (its checks fail), out (somebody took it out of service), out by watari (a run is at work
    on it, or it was left so).
    """

    examples = """
        examples:
          watari members list --cloud tokyo
          watari members list --cloud tokyo -f json | jq '.[] | select(.State == "out by watari")'
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_cloud(parser, "whose servers")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.app.members import members

        self.check_columns(parsed_args, COLUMNS)
        rows = []
        for member in members(_cloud(parsed_args)):
            note = (member.standing.left or member.standing.note) if member.standing else ""
            rows.append((member.orchestrator, member.name, member.server.name, member.state, note))
        return COLUMNS, rows


class MembersAttach(WatariCommand):
    """Put a member back into service that Watari took out of it, and wait until it serves

    For what a run could not put back itself: it says so at its end, and every plan says so until it is done. What
    somebody else took out of service stays out.
    """

    examples = """
        examples:
          watari members attach node-7 --cloud tokyo
          watari members attach node-7 --cloud tokyo --orchestrator prod-k8s

        exit codes:
          0 it serves   1 it does not, in time   2 usage, or it is not out because of watari
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("member", metavar="MEMBER", help="what its orchestrator calls it: see watari members list")
        parser.add_argument("--orchestrator", metavar="NAME", help="only into this one")
        parser.add_argument(
            "--anyway",
            action="store_true",
            help="even if nobody noted that watari took it out (HAProxy, hooks)",
        )
        add_cloud(parser, "whose server it is")
        parser.add_argument("--why", metavar="TEXT", default="", help="for the record of changes (watari audit)")
        add_policy(parser)
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app.clouds import is_sim
        from watari.app.members import attach
        from watari.policy.load import load_policy

        patience_s = load_policy(parsed_args.policy).orchestration.attach_deadline_s
        cloud = _cloud(parsed_args)
        anyway = parsed_args.anyway
        with ExitStack() as stack:
            if not is_sim(cloud.name):
                self._written_down(stack, parsed_args)
            done = attach(cloud, parsed_args.member, parsed_args.orchestrator, patience_s, self.hint, anyway=anyway)
        self.stdout.write(f"{parsed_args.member} is back in {', '.join(done)}\n")
        return DONE

    def _written_down(self, stack: ExitStack, parsed_args: argparse.Namespace) -> None:
        """In the record of changes, if there can be one: a server that is out of service does not wait for a disk."""
        from watari.act.durable.audit import audited
        from watari.app import database

        try:
            store = stack.enter_context(database.opened(parsed_args.database))
            what = ("attach member", parsed_args.member, parsed_args.why, parsed_args.cloud)
            stack.enter_context(audited(store, actor(), *what))
        except WatariError as e:
            self.hint(f"this is not in the record of changes: {e}")


def _cloud(parsed_args: argparse.Namespace) -> Any:
    from watari.app.clouds import open_cloud

    check_cloud(parsed_args)
    if not parsed_args.cloud:
        raise BadInput("name a cloud, such as --cloud tokyo")
    return open_cloud(parsed_args.cloud)
