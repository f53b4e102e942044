"""`watari stop` and `watari go`: the stop switch."""

import argparse
from datetime import UTC, datetime

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE
from watari.cli.options import actor, add_database, whoami
from watari.errors import BadInput

ALL = "all clouds"


class Stop(WatariCommand):
    """Set the stop switch: nothing begins any more, on one cloud or on all, whoever wants it

    Controllers, workers and `watari apply` obey at once. What moves already arrives; a server that was taken out of its
    orchestrator and has not begun to move goes back into it. What waits goes on with `watari go`. Moves under way are
    cancelled with `watari runs cancel`. Simulated clouds know no switch.
    """

    examples = """
        examples:
          watari stop --why "the storage network flaps, ticket 4711"
          watari stop --cloud prod --why "upgrade of Nova until 14:00"
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_cloud(super().get_parser(prog_name))
        parser.add_argument("--why", metavar="TEXT", required=True, help="what everybody is told who has to wait")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.act.durable.audit import audited
        from watari.act.durable.stops import clouds_known, set_stop
        from watari.app import database

        if not (why := " ".join(parsed_args.why.split())):
            raise BadInput("--why is empty: say what others have to know")
        with database.opened(parsed_args.database) as store:
            with audited(store, actor(), "stop", parsed_args.cloud or ALL, why, parsed_args.cloud):
                stop = set_stop(store, parsed_args.cloud, whoami(), why, datetime.now(UTC))
            known = clouds_known(store)
        if parsed_args.cloud and parsed_args.cloud not in known:
            others = f"; it knows {', '.join(sorted(known))}" if known else ""
            self.hint(f"beware: nothing in this database has to do with a cloud called {parsed_args.cloud}{others}")
        self.hint(f"{parsed_args.cloud or 'all clouds'} stopped: {stop}; lift it: {_go(parsed_args.cloud)}")
        return DONE


class Go(WatariCommand):
    """Lift the stop switch

    What waited goes on, unless its plan has expired meanwhile. The switch of one cloud and that of all are two.
    """

    examples = """
        examples:
          watari go
          watari go --cloud prod
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = _with_cloud(super().get_parser(prog_name))
        parser.add_argument("--why", metavar="TEXT", default="", help="for the record of changes (watari audit)")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.act.durable.audit import audited
        from watari.act.durable.stops import lift_stop, stop_of
        from watari.app import database

        with database.opened(parsed_args.database) as store:
            with audited(store, actor(), "go", parsed_args.cloud or ALL, parsed_args.why, parsed_args.cloud):
                was = lift_stop(store, parsed_args.cloud)
            still = stop_of(store, parsed_args.cloud)
        self.hint(f"{f'{was.cloud} goes' if was.cloud else 'all clouds go'} on; it was stopped for: {was}")
        if still is not None:
            self.hint(f"but all clouds are stopped: {still}; lift that with `watari go`")
        return DONE


def _with_cloud(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--cloud", metavar="NAME", default="", help="one cloud; without it: all")
    add_database(parser)
    return parser


def _go(cloud: str) -> str:
    return f"watari go --cloud {cloud}" if cloud else "watari go"
