"""The real API over the desk in memory, on a port of loopback: `python -m page.served` serves it by hand."""

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from page.fake_desk import FakeDesk
from unit.web.fake_feed import FakeFeed
from watari.web.api.app import create_api
from watari.web.api.callers import Anybody, Caller, Doorkeeper
from watari.web.api.context import Api
from watari.web.api.rates import Rates
from watari.web.api.rules import Rules
from watari.web.serving import Server


@dataclass(frozen=True)
class Viewer:
    """Somebody who may read, and nothing else."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        return self.caller(headers)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        return Caller("guest", "guest", ("reader",), system=True)


@dataclass(frozen=True)
class Stranger:
    """Somebody whom Keystone knows, and nobody else."""

    def known(self, headers: Mapping[str, str]) -> Caller | None:
        return self.caller(headers)

    def caller(self, headers: Mapping[str, str]) -> Caller:
        return Caller("stranger", "stranger", ("member",), project="a-tenant")


class Page:
    """The page of a desk while it is entered. `stop` and `start` take the server away and bring it back."""

    def __init__(self, desk: FakeDesk, door: Doorkeeper | None = None, port: int = 0) -> None:
        self.desk, self._door, self._port = desk, door or Anybody(), port
        self._server: Server | None = None
        self.url = ""

    def start(self) -> None:
        api = Api(self.desk, self._door, Rules(), Rates("2000/second"))
        api.streams.look_s = 0.1
        api.fresh.fresh_s = 0.0
        self._server = Server(create_api(api, loopback=True), port=self._port, closing=api.streams.close)
        self._server.__enter__()
        self.url = self._server.url
        self._port = int(self.url.rsplit(":", 1)[1].strip("/"))

    def stop(self) -> None:
        assert self._server is not None
        self._server.__exit__(None, None, None)
        self._server = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for cloud in self.desk.clouds():
            if hub := self.desk.hub(cloud.name):
                hub.close()  # else its open streams would hold up the end
        if self._server is not None:
            self.stop()


def main() -> None:
    """Serve it until Ctrl-C; time goes by."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--hosts", type=int, default=80)
    parser.add_argument("--several", action="store_true", help="two clouds")
    options = parser.parse_args()
    desk = FakeDesk(FakeFeed(options.hosts), several=options.several)
    with Page(desk, port=options.port) as page:
        print(page.url, flush=True)
        while True:
            time.sleep(0.5)
            desk.advance(0.5)


if __name__ == "__main__":
    main()
