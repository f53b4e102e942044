"""`watari serve`: the controller."""

import argparse
import threading
from contextlib import ExitStack
from datetime import datetime

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE
from watari.cli.interrupts import two_steps
from watari.cli.options import add_database, add_policy
from watari.errors import BadInput


class Serve(WatariCommand):
    """Look after clouds for ever: observe, plan, and carry out what the policy allows or a person approves

    What it does by itself stands in the policy, per job: `serve: {balance: suggest}` makes plans to look at (watari
    plans list), `approve` carries them out once a person agrees (watari plans approve), `automatic` at once; `observe`
    only measures. The policy is read again at every look; one that is broken meanwhile changes nothing and is found.
    A meter or a cloud that does not answer means that nothing is decided.

    A second `watari serve` on the same database stands by and takes over when the first one dies. Ctrl-C, or SIGTERM:
    moves under way are finished, then it ends; twice: at once, and the next one goes on from there.
    """

    examples = """
        examples:
          watari serve --cloud prod --policy prod.yaml
          watari serve --cloud prod --cloud lab --database postgresql://watari@db/watari
          watari serve --cloud prod --metrics 127.0.0.1:9178
          watari serve --cloud prod --notify notify.yaml
          watari status                          what it sees and does
          watari stop --why "storage trouble"    nothing begins any more, until `watari go`
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "--cloud",
            action="append",
            metavar="NAME",
            help="of clouds.yaml or libvirt.yaml; may be given several times",
        )
        parser.add_argument("--metrics", metavar="HOST:PORT", help="answer Prometheus there, such as 127.0.0.1:9178")
        parser.add_argument("--notify", metavar="FILE", help="whom to tell: webhooks and Slack, a YAML file")
        add_policy(parser)
        add_database(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app import database
        from watari.app.serving.controller import open_clouds, serve
        from watari.app.serving.metrics import registry
        from watari.exporter.listening import listening, read_address

        if not parsed_args.cloud:
            raise BadInput("name the clouds to look after, such as --cloud prod")
        address = read_address(parsed_args.metrics, "--metrics") if parsed_args.metrics else None
        ended = threading.Event()
        with two_steps(ended), database.opened(parsed_args.database) as store, ExitStack() as stack:
            clouds = open_clouds(parsed_args.cloud)
            if address is not None:
                self._say(f"metrics on http://{stack.enter_context(listening(registry(store), address))}/metrics")
            serve(store, clouds, parsed_args.policy, ended, self._say, notify=parsed_args.notify)
        return DONE

    def _say(self, line: str) -> None:
        self.stdout.write(f"{datetime.now():%H:%M:%S} {line}\n")
        self.stdout.flush()
