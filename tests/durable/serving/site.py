"""A cloud whose servers starve, a database, and controllers that are real processes."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from durable.filed_cloud import make
from durable.serving.controller_process import Controller, Serving
from durable.serving.metered_cloud import CPUS, POLICY, MeteredCloud
from watari.act.durable.store import Store
from watari.app.logs import Format

HOSTS = [f"h{i}" for i in range(6)]
CROWDED = {f"s{i}": "h0" for i in range(9)} | {f"t{i}": "h1" for i in range(8)}


@dataclass(slots=True)
class Site:
    """A cloud whose servers starve, a database, and controllers."""

    folder: Path
    url: str
    cloud: MeteredCloud = field(init=False)
    store: Store = field(init=False)
    controllers: list[Controller] = field(default_factory=list)

    def __post_init__(self) -> None:
        make(self.folder / "cloud.db", CROWDED, HOSTS, move_s=0.3)
        self.cloud, self.store = MeteredCloud(self.folder / "cloud.db"), Store(self.url)
        self.write("automatic")

    def write(self, mode: str, every: str = "0.3 s") -> None:
        (self.folder / "policy.yaml").write_text(POLICY.replace("MODE", mode).replace("0.3 s", every))

    def serve(self, log: Format = "text", *, api: bool = False, traces: str = "") -> Controller:
        out = self.folder / f"controller-{len(self.controllers)}.out"
        orders = Serving(
            self.url, str(self.cloud.path), str(self.folder / "policy.yaml"), str(out), log=log, api=api, traces=traces
        )
        self.controllers.append(Controller(orders))
        return self.controllers[-1]

    def looking(self) -> Controller:
        """One that has begun to look after the cloud."""
        one = self.serve()
        self.until(lambda: "looking after it" in one.out())
        return one

    def until(self, true: Callable[[], bool], seconds: float = 60.0) -> None:
        end = time.monotonic() + seconds
        while not true():
            said = "\n".join(c.out() for c in self.controllers)
            assert time.monotonic() < end, f"waited for {seconds} s; {self.cloud.calls()[-5:]}; {said}"
            time.sleep(0.05)

    def crowd(self) -> int:
        """The most servers that any host has to bear."""
        on = [s.host for s in self.cloud.inventory().servers.values()]
        return max(map(on.count, on))

    def is_calm(self) -> bool:
        return self.crowd() <= CPUS and not self.cloud.flights()

    def asked(self) -> list[str]:
        return [c.subject for c in self.cloud.calls("start") if c.answer == "ok"]

    def intended(self) -> int:
        """How many moves were written down as about to be asked for."""
        with self.store.reading() as c:
            return int(c.exec_driver_sql("select count(*) from watari_entries where state = 'intended'").scalar() or 0)

    def close(self) -> None:
        for one in self.controllers:
            one.kill()
        self.store.close()


Build = Callable[[], Site]
