"""`watari demo`: a day of the embedded cloud in about a minute, with a view, a page and the numbers."""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE, INTERRUPTED
from watari.cli.interrupts import Interrupts
from watari.cli.options import SIM
from watari.errors import BadInput

if TYPE_CHECKING:
    from watari.app.demo import Demo
    from watari.web.api.context import Api
    from watari.web.hub import Hub

PORT = 8765
LARGEST_PORT = 65535
DAY_S = 86400.0


class DemoDay(WatariCommand):
    """Watch a simulated cloud through a day, with nothing to configure

    80 hypervisors and 1,000 servers live from midnight to midnight in about a minute. Until 12:15 the balancer only
    watches, then it is switched on; a twin of the cloud, in which nothing is ever moved, runs beside it. Ctrl-C ends it
    with the numbers so far.
    """

    examples = """
        examples:
          watari demo
          watari demo --cloud sim:40/500@7 --policy cautious --seconds 120
          watari demo --approve                    you decide: plans wait on the page
          watari demo --stay                       the page stays after the last hour, until Ctrl-C
          watari demo --seconds 0 --no-page        as fast as it goes: only the numbers
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("--cloud", metavar="CLOUD", default="sim", help=f"{SIM}; default: sim:80/1000@1")
        parser.add_argument("--policy", metavar="NAME|FILE", help="a shipped policy or a YAML file (default: default)")
        parser.add_argument(
            "--seconds",
            type=_seconds,
            default=60.0,
            metavar="N",
            help="how long the day lasts; default: 60; 0: no rest",
        )
        parser.add_argument(
            "--port",
            type=_port,
            metavar="N",
            help=f"of the page on 127.0.0.1; default: {PORT}, or any if that is taken",
        )
        parser.add_argument(
            "--approve", action="store_true", help="plans wait for you on the page, and time stands still meanwhile"
        )
        parser.add_argument("--no-page", action="store_true", help="serve no page")
        parser.add_argument("--no-view", action="store_true", help="a line per hour instead of the live view")
        parser.add_argument("--stay", action="store_true", help="keep the page when the day is over, until Ctrl-C")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app.clouds import sim_size
        from watari.app.demo import Demo
        from watari.policy.load import load_policy

        policy, size = load_policy(parsed_args.policy), sim_size(parsed_args.cloud)
        if parsed_args.stay and parsed_args.no_page:
            raise BadInput("--stay keeps the page, --no-page serves none: leave one of them away")
        live = self.stdout.isatty() and not parsed_args.no_view
        if parsed_args.approve and parsed_args.no_page:
            raise BadInput("--approve waits for you on the page, --no-page serves none: leave one of them away")
        demo = Demo(policy, size, approve=parsed_args.approve)
        with ExitStack() as stack:
            url, publish = "", _nothing
            if not parsed_args.no_page:
                url, publish = stack.enter_context(_page(demo, parsed_args.seconds, parsed_args.port))
            interrupts = stack.enter_context(Interrupts())
            self._live_through(demo, parsed_args.seconds, url, live, publish, interrupts)
            if interrupts.stopping:
                return INTERRUPTED
            if parsed_args.stay:
                self.stdout.write(f"the page stays at {url} until Ctrl-C\n")
                self.stdout.flush()
                while not interrupts.stopping:
                    time.sleep(0.1)
        return DONE

    def _live_through(
        self,
        demo: "Demo",
        seconds: float,
        url: str,
        live: bool,
        publish: Callable[[], None],
        interrupts: Interrupts,
    ) -> None:
        """The whole day, or until Ctrl-C; then the numbers."""
        from watari.app.demo import run_demo
        from watari.cli.demo_view import HourLines, LiveView, numbers

        view = LiveView(demo, self.stdout, url) if live else HourLines(demo, self.stdout, url)

        def on_frame() -> None:
            view.show()
            publish()
            interrupts.check()

        with view:
            run_demo(demo, seconds, on_frame, lambda: interrupts.stopping)
        self.stdout.write(numbers(demo))
        self.stdout.flush()


@contextmanager
def _page(demo: "Demo", seconds: float, port: int | None) -> Iterator[tuple[str, Callable[[], None]]]:
    """Serve the page; gives its address and what has to be called after every batch of steps."""
    from watari.web.api.callers import Anybody
    from watari.web.api.context import Api
    from watari.web.api.demo_desk import DemoDesk
    from watari.web.api.rates import Rates
    from watari.web.api.rules import Rules
    from watari.web.details import Inspector
    from watari.web.feed import DemoFeed
    from watari.web.hub import Hub

    hub, feed = Hub(Inspector(demo).details), DemoFeed(demo, pace=DAY_S / seconds if seconds > 0 else DAY_S)
    hub.publish_state(feed.state())
    api = Api(DemoDesk(demo, hub), Anybody(), Rules(), Rates("1000/second"))
    with _served(api, hub, port) as url:
        yield url, lambda: hub.publish_tick(feed.tick())


@contextmanager
def _served(api: "Api", hub: "Hub", port: int | None) -> Iterator[str]:
    """The page's address. A port that was asked for must be free; the usual one need not. Raises BadInput."""
    from watari.web.api.app import create_api
    from watari.web.serving import Server

    def closing() -> None:
        hub.close()
        api.streams.close()

    app = create_api(api, loopback=True)
    with ExitStack() as stack:
        try:
            page = stack.enter_context(Server(app, port=PORT if port is None else port, closing=closing))
        except BadInput:
            if port is not None:
                raise
            page = stack.enter_context(Server(app, closing=closing))
        yield page.url


def _nothing() -> None:
    return


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > LARGEST_PORT:
        raise argparse.ArgumentTypeError(f'"{text}" is not a port from 0 (any free one) to {LARGEST_PORT}')
    return int(text)


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= DAY_S:
        raise argparse.ArgumentTypeError(f'"{text}" is not a number of seconds from 0 to 86400')
    return value
