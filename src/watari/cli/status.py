"""`watari status`: what controllers see and do."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from watari.cli.base import WatariLister
from watari.cli.exits import FINDINGS
from watari.cli.options import actor, add_database
from watari.plan.text import format_duration, printable

COLUMNS = ("Cloud", "Mode", "Looked", "Starved", "Doing", "Trouble", "Controller")
FINDING_COLUMNS = ("Cloud", "Severity", "Subject", "Code", "Text", "Help")


class StatusList(WatariLister):
    """Show what the controllers (watari serve) see and do

    One row per cloud. Trouble: why nothing is decided (a meter or the cloud does not answer, nobody looks) or that
    somebody set the stop switch. With --findings: what a person should look at.
    """

    examples = """
        examples:
          watari status
          watari status --findings
          watari status --forget lab             with what was learned of it
          watari status -f json | jq -r '.[] | select(.Trouble != "") | .Cloud'

        exit codes:
          0 all is well   5 there is trouble, or with --findings: there are findings
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--findings", action="store_true", help="what was found, with its cure")
        parser.add_argument("--forget", metavar="CLOUD", help="first forget a cloud that nobody looks after any more")
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.act.durable.audit import audited
        from watari.act.durable.leading import forget
        from watari.app import database
        from watari.app.serving.status import statuses

        columns = FINDING_COLUMNS if parsed_args.findings else COLUMNS
        self.check_columns(parsed_args, columns)
        with database.opened(parsed_args.database) as store:
            if parsed_args.forget:
                with audited(store, actor(), "forget cloud", parsed_args.forget, "", parsed_args.forget):
                    forget(store, parsed_args.forget)
            found = statuses(store)
            self.afterword = (
                "" if found else f"no controller has worked with {store.shown} yet: watari serve --cloud NAME"
            )
        if parsed_args.findings:
            rows = [(s.cloud, *(printable(str(f[key])) for key in _KEYS)) for s in found for f in s.findings]
            self.status = FINDINGS if rows else self.status
            return columns, rows
        self.status = FINDINGS if any(s.trouble for s in found) else self.status
        return columns, [
            (
                printable(s.cloud), s.mode, "never" if s.looked_s is None else f"{format_duration(s.looked_s)} ago",
                s.starved, printable(s.doing), printable(s.trouble), s.controller,
            )
            for s in found
        ]  # fmt: skip


_KEYS = ("severity", "subject", "code", "text", "help")
