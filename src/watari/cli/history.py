"""`watari history list`: what controllers have kept of clouds, for `watari replay --history`."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from watari.cli.base import WatariLister
from watari.cli.options import add_database
from watari.plan.text import printable

LIST = ("Cloud", "From", "To", "Slots", "Covered", "Servers", "MiB")


class HistoryList(WatariLister):
    """List the clouds whose loads `watari serve` has kept

    A slot is five minutes in which somebody looked; `Covered` is their share of the time from first to last, in
    percent. `Servers` is the most in one slot. Times are UTC. The policy says how long it is kept:
    `serve: {history: 30 d}`.
    """

    examples = """
        examples:
          watari history list
          watari replay --history prod --days 7 --policy mine.yaml
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.act.durable.histories import all_kept
        from watari.app import database
        from watari.app.history.slots import SLOT_S, moment

        self.check_columns(parsed_args, LIST)
        with database.opened(parsed_args.database) as store:
            found = all_kept(store)
        rows = []
        for kept in found:
            first, end = moment(kept.first), moment(kept.last + SLOT_S)
            times = (at.isoformat(timespec="seconds") for at in (first, end))
            covered = round(100 * kept.slots * SLOT_S / (end - first).total_seconds(), 1)
            size = round(kept.size / 2**20, 2)
            rows.append((printable(kept.cloud), *times, kept.slots, covered, kept.servers, size))
        if found:
            self.afterword = f"play one: watari replay --history {found[0].cloud} --policy mine.yaml"
        else:
            self.afterword = "there is no history; `watari serve` keeps it (serve.history in the policy)"
        return LIST, rows
