"""`watari plans list|show|approve|reject`: what controllers propose, and the answers."""

import argparse
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from watari.cli.base import TextLister, WatariCommand, WatariLister
from watari.cli.exits import DONE
from watari.cli.options import actor, add_database, check_output, whoami
from watari.errors import BadInput
from watari.plan.text import count, printable

if TYPE_CHECKING:
    from watari.act.durable.proposals import Proposal

LIST = ("Plan", "Job", "Cloud", "State", "Made", "Expires", "Operations", "Starved", "By", "Note", "Run")
SHOW = ("Operation", "Subject", "Source", "Target", "Wave", "MiB")


class PlansList(WatariLister):
    """List the plans of controllers (watari serve), newest first

    Only those that stand: suggested (to look at), waiting (for `watari plans approve`), approved (begins in a moment).
    """

    examples = """
        examples:
          watari plans list
          watari plans list --all --cloud prod
          watari plans list -f json | jq -r '.[] | select(.State == "waiting") | .Plan'
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--all", action="store_true", help="those that were decided, replaced or carried out, too")
        parser.add_argument("--cloud", metavar="NAME", help="of one cloud")
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.act.durable.proposals import OPEN, list_proposals
        from watari.app import database

        self.check_columns(parsed_args, LIST)
        with database.opened(parsed_args.database) as store:
            states = () if parsed_args.all else OPEN
            limit = max(1, parsed_args.limit)
            found = list_proposals(store, cloud=parsed_args.cloud, states=states, limit=limit)
        now = datetime.now(UTC)
        if not found:
            self.afterword = "there are no plans" if parsed_args.all else "no plan stands; --all shows those of before"
        elif waiting := next((p.id for p in found if p.state == "waiting" and p.expires_at > now), None):
            self.afterword = f"look at one: watari plans show {waiting}; agree: watari plans approve {waiting}"
        return LIST, [_row(p, "expired" if p.state in OPEN and p.expires_at < now else p.state) for p in found]


class PlansShow(TextLister):
    """Show a plan of a controller, with its reasons

    With -o it is saved as a plan file, as `watari plan` writes it.
    """

    examples = """
        examples:
          watari plans show p-1a2b3c4d
          watari plans show p-1a2b3c4d -o plan.json && watari apply plan.json
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("plan", metavar="PLAN", help="its id (watari plans list)")
        parser.add_argument("-o", "--output", metavar="FILE", help="write the plan to this file")
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.act.durable.proposals import proposed_plan
        from watari.app import database
        from watari.app.plans import save_plan
        from watari.plan.render import render

        self.check_columns(parsed_args, SHOW)
        check_output(parsed_args.output)
        with database.opened(parsed_args.database) as store:
            plan = proposed_plan(store, parsed_args.plan)
        self.text = render(plan)
        if parsed_args.output:
            save_plan(plan, parsed_args.output)
            self.afterword = f"written to {parsed_args.output}"
        return SHOW, [
            (o.id, printable(o.name), o.source, o.target, o.wave, round(o.cost.mib, 1)) for o in plan.operations
        ]


class _Decide(WatariCommand):
    approve = True

    @property
    def verb(self) -> str:
        return "approve" if self.approve else "reject"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("plan", metavar="PLAN", help="its id (watari plans list)")
        parser.add_argument(
            "--why", metavar="TEXT", default="", required=not self.approve, help="what others are told of the decision"
        )
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.act.durable.audit import audited
        from watari.act.durable.leading import last_seen
        from watari.act.durable.proposals import decide, find_proposal
        from watari.act.durable.stops import stop_of
        from watari.app import database

        why = " ".join(parsed_args.why.split())
        if not self.approve and not why:
            raise BadInput("--why is empty: say what is wrong with the plan")
        with database.opened(parsed_args.database) as store:
            cloud = find_proposal(store, parsed_args.plan).cloud
            with audited(store, actor(), f"{self.verb} plan", parsed_args.plan, why, cloud):
                found = decide(
                    store, parsed_args.plan, approve=self.approve, by=whoami(), why=why, now=datetime.now(UTC)
                )
            alive = any(seen.alive and seen.cloud == found.cloud for seen in last_seen(store))
            stop = stop_of(store, found.cloud)
        operations = count(found.operations, "operation")
        if self.approve:
            watch = f"watari runs show {found.run_id}" if found.run_id else "watari runs list --open"
            self.hint(f"{found.id} ({operations}) is {found.state}; watch it with `{watch}`")
            if found.state == "approved" and stop is not None:
                self.hint(f"it waits, {found.cloud} is stopped: {stop}")
            if found.state == "approved" and not alive:
                self.hint(f"nobody looks after {found.cloud}: it begins once `watari serve --cloud {found.cloud}` runs")
        else:
            until = f"{found.expires_at.astimezone():%H:%M}"
            self.hint(f"{found.id} is rejected: the same servers are not proposed again until {until}")
        return DONE


class PlansApprove(_Decide):
    """Agree to a plan: the controller begins it within seconds

    It is judged again before it begins, and every move once more before it starts; what the cloud no longer allows is
    skipped. While the stop switch is set it waits.
    """

    examples = """
        examples:
          watari plans approve p-1a2b3c4d
          watari plans approve p-1a2b3c4d --why "as agreed in change 815"

        exit codes:
          0 approved, or it was already   2 it does not wait for approval any more, with the reason
    """


class PlansReject(_Decide):
    """Say no to a plan: the same servers are not proposed again until it would have expired

    One that was approved and has not begun can still be rejected. A plan that wants other servers moved, too, is
    proposed.
    """

    approve = False
    examples = """
        examples:
          watari plans reject p-1a2b3c4d --why "db-1 is being backed up until 15:00"
    """


def _row(p: "Proposal", state: str) -> tuple[object, ...]:
    times = (at.isoformat(timespec="seconds") for at in (p.made_at, p.expires_at))
    who = (printable(p.decided_by), printable(p.why), p.run_id or "")
    return (p.id, p.job, printable(p.cloud), state, *times, p.operations, p.starved, *who)
