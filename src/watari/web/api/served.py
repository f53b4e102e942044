"""The API of a controller: who may ask, the live pictures, and the server."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from watari.act.durable.leading import is_elsewhere
from watari.act.durable.store import Store
from watari.app.serving.policy_file import PolicyFile
from watari.app.serving.reconciler import Reconciler
from watari.app.state import state_dir
from watari.errors import BadInput, WatariError
from watari.web.api.app import create_api
from watari.web.api.callers import Doorkeeper, local_token
from watari.web.api.context import Api
from watari.web.api.rates import Rates
from watari.web.api.rules import Rules
from watari.web.api.store_desk import Served, StoreDesk
from watari.web.details import live_details
from watari.web.headers import is_loopback
from watari.web.hub import Hub
from watari.web.live import LiveFeed
from watari.web.serving import Server

log = logging.getLogger(__name__)
TICK_S: Final = 1.0
RATE: Final = "200/second"


@dataclass(frozen=True, slots=True)
class Settings:
    """How the API is served.

    `keystone`: the cloud in clouds.yaml whose Keystone knows the callers. `proxies`: addresses before it whose word on
    a caller's address is taken.
    """

    host: str
    port: int
    keystone: str = ""
    rules: str | None = None
    operators_project: str = ""
    rate: str = RATE
    proxies: tuple[str, ...] = ()


@dataclass(slots=True)
class Pictures:
    """The live pictures of a process's clouds; what moves is shown every second between looks."""

    store: Store
    feeds: Mapping[str, LiveFeed]
    _ended: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread = field(init=False)

    def __post_init__(self) -> None:
        self._thread = threading.Thread(target=self._tick, daemon=True, name="pictures")
        self._thread.start()

    def seen(self, reconciler: Reconciler) -> None:
        """A look is over."""
        self.feeds[reconciler.cloud.name].look(reconciler)

    def close(self) -> None:
        self._ended.set()
        for feed in self.feeds.values():
            feed.hub.close()
        self._thread.join()

    def _tick(self) -> None:
        while not self._ended.wait(TICK_S):
            for feed in self.feeds.values():
                try:
                    if feed.hub.pages and is_elsewhere(self.store, feed.cloud):
                        feed.hub.end_streams()
                    feed.tick()
                except WatariError as e:
                    log.debug("%s: its picture stands still: %s", feed.cloud, e)
                except Exception:  # the outermost loop of this thread
                    log.exception("the picture of %s", feed.cloud)


@contextmanager
def served(
    store: Store, files: Mapping[str, PolicyFile], settings: Settings
) -> Iterator[tuple[str, Callable[[Reconciler], None]]]:
    """Serve the API and the page while it is entered; yields the address and what is to be called after each look.

    Without Keystone the address has the token in its fragment, which browsers send to nobody. Raises BadInput for an
    address that is not loopback without Keystone, for a port that is taken, and for rules that cannot be read.
    """
    loopback, door = _door(settings)
    rules, rates = Rules(settings.rules, settings.operators_project), Rates(settings.rate)
    feeds = {name: _feed(store, name) for name in files}
    desk = StoreDesk(store, {name: Served(files[name], feed) for name, feed in feeds.items()})
    api = Api(desk, door, rules, rates)
    pictures = Pictures(store, feeds)

    def closing() -> None:
        pictures.close()
        api.streams.close()
        desk.close()

    with Server(create_api(api, loopback=loopback), settings.host, settings.port, closing, settings.proxies) as server:
        token = getattr(door, "secret", "")
        yield server.url + (f"#token={token}" if token else ""), pictures.seen


def _door(settings: Settings) -> tuple[bool, Doorkeeper]:
    """Whether it is served on loopback only, and who knows the callers."""
    if settings.keystone:
        from watari.web.api.keystone import KeystoneTokens  # a second that others need not wait for

        return False, KeystoneTokens.of_cloud(settings.keystone)
    if not is_loopback(settings.host):
        raise BadInput(
            f"--api on {settings.host} needs --api-keystone CLOUD, which says who may ask; without it the API is "
            "served on loopback only, such as --api 127.0.0.1:8765"
        )
    return True, local_token(state_dir())


def _feed(store: Store, name: str) -> LiveFeed:
    hub = Hub()
    feed = LiveFeed(store, name, hub)
    hub.details = lambda id: live_details(feed, id)
    return feed
