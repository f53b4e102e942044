"""The cloud in a file with a load: hosts of few threads, servers that each ask for one, and a meter that sees it.

A host's threads are shared evenly, so that a server's steal follows from how many are on its host. The meter can be
taken away, and what a server asks for can be set, for every process at once.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from durable.filed_cloud import FiledCloud
from watari.app.clouds import Cloud
from watari.errors import Transient
from watari.model.compute import Host, HostName, Load, PastMove, ServerId
from watari.ports import Inventory

CPUS = 4.0
NAME = "filed"
POLICY = """
detect: {hold_rounds: 1, smoothing: 0 s}
destination: {headroom: 0 %, caution: 0}
look_ahead: {horizon: 0 s}
serve: {every: 0.3 s, balance: MODE}
"""


class MeteredCloud(FiledCloud):
    """Compute, Meter and Clock. `settings` is a JSON file beside it: {"meter": "ok", "wants": {server: cores}}."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.settings = path.with_suffix(".json")

    def set(self, **values: object) -> None:
        """Change settings for every process."""
        new = self.settings.with_suffix(".new")
        new.write_text(json.dumps(self._set() | values))
        new.replace(self.settings)

    def inventory(self) -> Inventory:
        found = super().inventory()
        hosts = {name: replace(host, cpus=CPUS) for name, host in found.hosts.items()}
        return replace(found, hosts=hosts, past=tuple(self._past()))

    def host(self, name: HostName) -> Host | None:
        found = super().host(name)
        return None if found is None else replace(found, cpus=CPUS)

    def loads(self, servers: Collection[ServerId]) -> Mapping[ServerId, Load]:
        settings = self._set()
        if settings.get("meter", "ok") == "away":
            raise Transient("the meter does not answer")
        if settings.get("meter") == "blind":
            return {}
        wants: dict[str, float] = settings.get("wants", {})
        on = {s.id: s.host for s in super().inventory().servers.values()}
        asked: dict[str, float] = {}
        for id, host in on.items():
            asked[host] = asked.get(host, 0.0) + wants.get(id, 1.0)
        now, out = self.now(), {}
        for id in servers:
            want, given = wants.get(id, 1.0), min(1.0, CPUS / asked[on[id]])
            steal = want * (1 - given)
            out[id] = Load(steal, want / given, want, now, "filed")
        return out

    def _past(self) -> list[PastMove]:
        names = {"done": True, "failed": False}
        with self._open() as c:
            rows = c.execute("select server, source, target, ends, status from migrations").fetchall()
        return [
            PastMove(ServerId(s), HostName(a), HostName(b), datetime.fromtimestamp(ends).astimezone(), names[status])
            for s, a, b, ends, status in rows
            if status in names
        ]

    def _set(self) -> dict[str, Any]:
        return dict(json.loads(self.settings.read_text())) if self.settings.exists() else {}


def opened(path: Path) -> Cloud:
    """The same behind Watari's ports."""
    cloud = MeteredCloud(path)
    return Cloud(NAME, cloud, cloud, cloud, lambda: None, settle_s=0.0)
