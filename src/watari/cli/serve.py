"""`watari serve`: the controller."""

import argparse
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE
from watari.cli.interrupts import two_steps
from watari.cli.options import add_database, add_log_format, add_policy
from watari.errors import BadInput

if TYPE_CHECKING:
    from watari.app.serving.reconciler import Reconciler
    from watari.web.api.served import Settings


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
          watari serve --cloud prod --api 127.0.0.1:8765 --metrics 127.0.0.1:9178 --notify notify.yaml
          watari serve --cloud prod --api 0.0.0.0:8765 --api-keystone prod
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
        _add_api(parser)
        parser.add_argument("--notify", metavar="FILE", help="whom to tell: webhooks and Slack, a YAML file")
        add_policy(parser)
        add_database(parser)
        add_log_format(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app import database
        from watari.app.logs import saying
        from watari.app.serving.controller import open_clouds, policies, serve
        from watari.app.serving.metrics import registry
        from watari.app.tracing import exporting
        from watari.exporter.listening import listening, read_address

        if not parsed_args.cloud:
            raise BadInput("name the clouds to look after, such as --cloud prod")
        address = read_address(parsed_args.metrics, "--metrics") if parsed_args.metrics else None
        settings = _api_settings(parsed_args)
        ended = threading.Event()
        with two_steps(ended), database.opened(parsed_args.database) as store, ExitStack() as stack:
            say = stack.enter_context(saying(self.stdout, parsed_args.log_format))
            stack.enter_context(exporting())
            clouds = open_clouds(parsed_args.cloud)
            files = policies(parsed_args.policy, clouds)
            if address is not None:
                say(f"metrics on http://{stack.enter_context(listening(registry(store), address))}/metrics")
            seen: Callable[[Reconciler], None] = _unseen
            if settings is not None:
                from watari.web.api.served import served

                url, seen = stack.enter_context(served(store, files, settings))
                say(f"page and API on {url if self.stdout.isatty() else _without_token(url)}")
            serve(store, clouds, ended, say, files=files, seen=seen, notify=parsed_args.notify)
        return DONE


def _add_api(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--api",
        metavar="HOST:PORT",
        help="serve the page and the HTTP API there; on loopback with a generated token, elsewhere with --api-keystone",
    )
    parser.add_argument(
        "--api-keystone",
        metavar="CLOUD",
        default="",
        help="take tokens of the Keystone of this cloud of clouds.yaml, whose account there may validate tokens",
    )
    parser.add_argument("--api-rules", metavar="FILE", help="OpenStack policy rules instead of those shipped")
    parser.add_argument(
        "--api-operators", metavar="PROJECT", default="", help="id of the project whose readers and members count"
    )
    parser.add_argument(
        "--api-proxy",
        metavar="ADDRESS",
        action="append",
        default=[],
        help="of a proxy before it, or a network, whose X-Forwarded-For is believed; may be given several times",
    )
    parser.add_argument("--api-rate", metavar="RATE", help="requests of one caller at most (default: 200/second)")


def _api_settings(parsed_args: argparse.Namespace) -> "Settings | None":
    """How the API is served; None: not at all. Raises BadInput."""
    wanted = {"keystone": parsed_args.api_keystone, "rules": parsed_args.api_rules}
    wanted |= {"operators_project": parsed_args.api_operators, "rate": parsed_args.api_rate}
    wanted["proxies"] = tuple(parsed_args.api_proxy)
    given = {name: value for name, value in wanted.items() if value}
    if not parsed_args.api:
        if given:
            raise BadInput("--api-… says how the API is served: add --api HOST:PORT")
        return None
    from watari.exporter.listening import read_address
    from watari.web.api.served import Settings

    address = read_address(parsed_args.api, "--api")
    return Settings(address.host, address.port, **given)


def _without_token(url: str) -> str:
    """For logs: where the token is, not the token."""
    address, token, _ = url.partition("#token=")
    if not token:
        return url
    from watari.app.state import state_dir
    from watari.web.api.callers import TOKEN_FILE

    return f"{address}, with the token in {state_dir() / TOKEN_FILE}"


def _unseen(reconciler: "Reconciler") -> None:
    """Nobody watches."""
