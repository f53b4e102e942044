"""`watari audit`: who changed what, and why."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from watari.cli.base import WatariLister
from watari.cli.options import add_database
from watari.plan.text import printable

COLUMNS = ("At", "By", "Via", "Action", "Subject", "Why", "Outcome", "Address", "Cloud")


class Audit(WatariLister):
    """List changes that people made, newest first: decisions on plans, runs, the stop switch

    Each was written down before it was made. Outcome: "done", why it was refused, or "asked" while nobody knows: the
    process that made it died.
    """

    examples = """
        examples:
          watari audit
          watari audit --limit 1000 -f json | jq -r '.[] | select(.By == "mai@ops") | .Action'
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--limit", type=int, default=50, metavar="N", help="at most so many (default: 50)")
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.act.durable.audit import audit_lines
        from watari.app import database

        self.check_columns(parsed_args, COLUMNS)
        with database.opened(parsed_args.database) as store:
            lines = audit_lines(store, limit=max(1, parsed_args.limit))
            self.afterword = "" if lines else f"nobody has changed anything in {store.shown} yet"
        return COLUMNS, [
            (
                line.at.isoformat(timespec="seconds"), printable(line.actor.user), line.actor.via, line.action,
                printable(line.subject), printable(line.why), printable(line.outcome), line.actor.address,
                printable(line.cloud),
            )
            for line in lines
        ]  # fmt: skip
