"""A cluster of four hosts as a snapshot file: one server moves, some are relieved, refused, healthy or silent."""

import json
from typing import Any

AT = "2026-01-05T12:00:00+00:00"


def server(name: str, host: str, demand: float | None, steal: float = 0.0, **more: Any) -> dict[str, Any]:
    """A server of 4 vCPUs; `demand` in cores, None: it sends no data."""
    load = None if demand is None else {"steal": steal, "load_per_vcpu": 1.5, "cpu_demand": demand}
    return {"id": f"id-{name}", "name": name, "host": host, "vcpus": 4, "memory_mib": 8192, "load": load, **more}


def host(name: str, zone: str) -> dict[str, Any]:
    """A host of 8 threads and 64 GiB."""
    return {"name": name, "zone": zone, "cpus": 8, "memory_mib": 65536}


def cluster(**changes: Any) -> dict[str, Any]:
    """h1 and h3 are over their capacity; h2 can help h1, nobody can help h3, which is alone in its zone."""
    return {
        "watari_snapshot": 1,
        "taken_at": AT,
        "hosts": [host("h1", "az1"), host("h2", "az1"), host("h3", "az2"), host("h4", "az1")],
        "servers": [
            server("web-1", "h1", 4, 0.33),
            server("db-1", "h1", 4, 0.33),
            server("api-1", "h1", 4, 0.33),
            server("queue-1", "h2", 1),
            server("cache-1", "h3", 4, 0.33),
            server("cache-2", "h3", 4, 0.33),
            server("cache-3", "h3", 4, 0.33),
            server("mute-1", "h4", None),
        ],
        **changes,
    }


def written(**changes: Any) -> str:
    """The cluster as the text of a file."""
    return json.dumps(cluster(**changes))
