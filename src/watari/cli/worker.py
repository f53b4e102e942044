"""`watari worker`: one more process that carries runs out."""

import argparse
import threading

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE
from watari.cli.interrupts import two_steps
from watari.cli.options import add_database, add_log_format
from watari.errors import BadInput


class Worker(WatariCommand):
    """Carry out every run of a database, until Ctrl-C

    With PostgreSQL any number of workers, on any machines that reach it and the clouds, share the work: each operation
    belongs to one of them, budgets are kept over all, and what a dead one left is taken over within 30 s. With a SQLite
    file there is one at a time. Ctrl-C: moves under way are finished, then it ends; twice: at once, and another worker
    (or `watari runs resume`) goes on. Of runs that were stopped only what is under way is brought to its end.
    """

    examples = """
        examples:
          watari worker --database postgresql://watari@db/watari
          watari worker --at-once 8             leaves more of a run to the other workers
          watari worker                         takes up what was interrupted, from the SQLite file of `watari apply`
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_database(parser)
        add_log_format(parser)
        parser.add_argument(
            "--at-once", type=int, metavar="N", help="operations that it takes, waiting ones included (64)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app import database, runs
        from watari.app.logs import saying
        from watari.app.tracing import exporting

        if parsed_args.at_once is not None and parsed_args.at_once < 1:
            raise BadInput(f"--at-once {parsed_args.at_once}: a worker takes at least one operation")
        ended = threading.Event()
        with (
            two_steps(ended),
            saying(self.stdout, parsed_args.log_format) as say,
            exporting(),
            database.opened(parsed_args.database) as store,
        ):
            runs.work(store, ended, say, parsed_args.at_once)
        return DONE
