"""`watari serve` as a process of a test, on the cloud with a load."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from durable.rig import FORKS
from durable.serving.metered_cloud import NAME, opened
from watari.act.durable import engine as engine_module
from watari.act.durable.engine import Engine
from watari.act.durable.store import Store
from watari.app import runs
from watari.app.clouds import Cloud
from watari.app.logs import Format, saying
from watari.app.serving import controller
from watari.app.serving.reconciler import Reconciler
from watari.app.tracing import exporting
from watari.errors import WatariError
from watari.web.api.served import Settings, served

TTL_S = 2.0
FAILED = 7


@dataclass(frozen=True, slots=True)
class Serving:
    """What a controller process is to do; its output goes to `out`."""

    database: str
    cloud: str
    policy: str
    out: str
    api: bool = False
    log: Format = "text"
    traces: str = ""  # where a collector listens
    notify: str | None = None


class Controller:
    """A process."""

    def __init__(self, orders: Serving) -> None:
        self.orders = orders
        Path(orders.out).touch()
        self.process = FORKS.Process(target=serve, args=(orders,))
        self.process.start()

    def kill(self) -> None:
        if self.process.is_alive():
            assert self.process.pid is not None
            os.kill(self.process.pid, signal.SIGKILL)
        self.process.join(30)

    def end(self, number: int = signal.SIGTERM) -> int | None:
        assert self.process.pid is not None
        os.kill(self.process.pid, number)
        self.process.join(60)
        return self.process.exitcode

    def out(self) -> str:
        return Path(self.orders.out).read_text(encoding="utf-8")


@contextmanager
def quick(store: Store, only: set[str] | None, clouds: Mapping[str, Cloud]) -> Iterator[Engine]:
    """A worker with a lease and polls that a test can wait for."""
    with runs.working(store, only, clouds=clouds, ttl_s=TTL_S) as engine:
        engine.carrier.poll_s, engine.carrier.wait_s = 0.05, 0.3
        yield engine


def unseen(reconciler: Reconciler) -> None:
    """Nobody watches."""


def serve(orders: Serving) -> None:
    """The process: what `watari serve` does, quicker."""
    with Path(orders.out).open("ab", buffering=0) as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    engine_module.QUEUE_POLL_S = 0.1
    for name in ("TURN_S", "STANDBY_S"):
        setattr(controller, name, 0.1)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    try:
        store = Store(orders.database)
        clouds = {NAME: opened(Path(orders.cloud))}
        files = controller.policies(orders.policy, clouds)
        with ExitStack() as stack:
            if orders.traces:
                os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = orders.traces
                stack.enter_context(exporting())
            say = stack.enter_context(saying(sys.stdout, orders.log))
            seen: Callable[[Reconciler], None] = unseen
            if orders.api:
                url, seen = stack.enter_context(served(store, files, Settings("127.0.0.1", 0)))
                say(f"page on {url}")
            controller.serve(store, clouds, ended, say, files=files, seen=seen, notify=orders.notify, worker=quick)
    except WatariError as e:
        sys.stderr.write(f"{type(e).__name__}: {e}\n")
        sys.stderr.flush()
        os._exit(FAILED)
