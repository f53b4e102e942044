"""The API of a controller on loopback, with everything behind it real but the cloud."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from durable.serving.api.tokens import KnownTokens
from durable.serving.conftest import Desk, Sit
from durable.serving.metered_cloud import NAME
from watari.web.api.app import create_api
from watari.web.api.context import Api
from watari.web.api.rates import Rates
from watari.web.api.rules import Rules
from watari.web.api.store_desk import Served, StoreDesk
from watari.web.details import live_details
from watari.web.hub import Hub
from watari.web.live import LiveFeed
from watari.web.serving import Server


@dataclass(slots=True)
class Office:
    """A desk with an API before it."""

    desk: Desk
    api: Api
    feed: LiveFeed
    url: str

    def look(self) -> None:
        """A look at the cloud, and what the page shows of it."""
        self.desk.look()
        self.feed.look(self.desk.reconciler)

    def client(self, token: str = "deciding") -> httpx.Client:
        headers = {b"X-Auth-Token": token.encode()} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=20, trust_env=False)


Open = Callable[..., Office]


@pytest.fixture
def office(sit: Sit) -> Iterator[Open]:
    """Makes offices: `office("approve", rate="5/minute")`."""
    with ExitStack() as stack:

        def new(mode: str = "approve", rate: str = "10000/second", more: str = "") -> Office:
            desk = sit(mode, more)
            hub = Hub()
            feed = LiveFeed(desk.store, NAME, hub)
            hub.details = lambda id: live_details(feed, id)
            store_desk = StoreDesk(desk.store, {NAME: Served(desk.reconciler.policy, feed)})
            api = Api(store_desk, KnownTokens(), Rules(operators_project="operators"), Rates(rate))
            api.fresh.fresh_s, api.streams.look_s = 0.0, 0.05

            def closing() -> None:
                hub.close()
                api.streams.close()

            server = stack.enter_context(Server(create_api(api, loopback=True), closing=closing))
            return Office(desk, api, feed, server.url)

        yield new


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state directory."""
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"


def listened(office: Office, path: str, until: Callable[[str], bool], act: Callable[[], None]) -> str:
    """Open a stream, `act` once it has begun, and read until what came satisfies `until`."""
    text, acted = "", threading.Event()
    with office.client() as client, client.stream("GET", path) as response:
        assert response.status_code == 200, response.read()
        for chunk in response.iter_text():
            text += chunk
            if not acted.is_set():
                acted.set()
                threading.Thread(target=act, daemon=True).start()
            if until(text):
                return text
    raise AssertionError(f"the stream ended after: {text}")
