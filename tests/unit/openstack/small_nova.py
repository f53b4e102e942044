"""A Nova of plain lists behind the stub: rows as Nova writes them, filtered and paged as Nova does."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from unit.openstack.stub import Answer, Asked, Json, Stub

NEVER = "1970-01-01T00:00:00.000000"


def server_row(id: str, host: str | None = "h1", **more: Any) -> Json:
    flavor = {"vcpus": 4, "ram": 8192, "disk": 40, "ephemeral": 0, "swap": 0, "original_name": "m1", "extra_specs": {}}
    return {
        "id": id, "name": more.pop("name", id), "status": "ACTIVE", "tenant_id": "p1", "metadata": {},
        "image": {"id": "i"}, "OS-EXT-SRV-ATTR:host": host, "OS-EXT-AZ:availability_zone": "az1",
        "OS-EXT-STS:task_state": None, "server_groups": [], "flavor": flavor | more.pop("flavor", {}), **more,
    }  # fmt: skip


def service_row(host: str, zone: str = "az1", **more: Any) -> Json:
    return {
        "id": f"svc-{host}", "host": host, "binary": "nova-compute", "zone": zone, "status": "enabled", "state": "up",
        "disabled_reason": None, "forced_down": False, **more,
    }  # fmt: skip


def node_row(host: str, **more: Any) -> Json:
    return {
        "id": f"rp-{host}", "hypervisor_hostname": host, "hypervisor_type": "QEMU",
        "service": {"host": host, "id": "s"}, "vcpus": 64, "memory_mb": 262144, "local_gb": 4000, **more,
    }  # fmt: skip


def record_row(number: int, server: str, status: str, made: str, **more: Any) -> Json:
    return {
        "id": number, "uuid": f"m-{number}", "instance_uuid": server, "status": status,
        "migration_type": "live-migration", "source_compute": "h1", "dest_compute": "h2",
        "created_at": made, "updated_at": made, **more,
    }  # fmt: skip


def action_row(request: str, began: str, name: str = "live-migration", events: list[Json] | None = None) -> Json:
    return {
        "action": name, "request_id": request, "start_time": began, "updated_at": began, "message": None,
        "events": events or [],
    }  # fmt: skip


def event_row(name: str, began: str, ended: str | None = None, details: str | None = None) -> Json:
    result = None if ended is None else "Error" if details else "Success"
    return {"event": name, "start_time": began, "finish_time": ended, "result": result, "details": details}


@dataclass
class SmallNova:
    """`biggest` is the cloud's own limit for a page. `start` gets each action posted to a server."""

    stub: Stub
    servers: list[Json] = field(default_factory=list)
    services: list[Json] = field(default_factory=list)
    nodes: list[Json] = field(default_factory=list)
    aggregates: list[Json] = field(default_factory=list)
    groups: list[Json] = field(default_factory=list)
    records: list[Json] = field(default_factory=list)  # newest first, as Nova lists them
    actions: dict[str, list[Json]] = field(default_factory=dict)  # of each server, newest first
    copying: dict[int, Json] = field(default_factory=dict)  # numbers of migrations that are in progress
    inventories: dict[str, Json] = field(default_factory=dict)  # by provider; all others are alike
    full: set[str] = field(default_factory=set)  # providers without room
    start: Callable[[str, Json], Answer] = lambda server, body: Answer({}, 202, {"x-openstack-request-id": "req-1"})
    biggest: int = 1000

    def __post_init__(self) -> None:
        on = self.stub.on
        on("GET", r"/compute/servers/[^/]+", self._show_server)
        on("GET", "/compute/servers/detail", self._list_servers)
        on("GET", "/compute/os-services", self._list_services)
        on("GET", "/compute/os-hypervisors/detail", lambda a: self._page(a, "hypervisors", self.nodes, "id"))
        on("GET", r"/compute/os-hypervisors/rp-[^/]+", self._show_node)
        on("GET", "/compute/os-aggregates", lambda _: Answer({"aggregates": self.aggregates}))
        on("GET", "/compute/os-server-groups", self._list_groups)
        on("GET", r"/compute/os-server-groups/[^/]+", self._show_group)
        on("GET", "/compute/os-migrations", self._list_records)
        on("GET", r"/compute/servers/[^/]+/os-instance-actions", self._list_actions)
        on("GET", r"/compute/servers/[^/]+/os-instance-actions/[^/]+", self._show_action)
        on("GET", r"/compute/servers/[^/]+/migrations/\d+", self._show_progress)
        on("POST", r"/compute/servers/[^/]+/action", lambda a: self.start(a.path.split("/")[3], a.body))
        on("PUT", r"/compute/os-services/[^/]+", self._set_service)
        on("GET", "/placement/allocation_candidates", self._candidates)
        on("GET", r"/placement/resource_providers/[^/]+/inventories", self._inventories)
        on("GET", r"/placement/resource_providers/[^/]+/usages", lambda _: Answer({"usages": {"MEMORY_MB": 258048}}))

    def _page(self, asked: Asked, key: str, rows: list[Json], id: str) -> Answer:
        marker = asked.query.get("marker", [""])[0]
        first = 0
        if marker:
            at = [i for i, row in enumerate(rows) if row[id] == marker]
            if not at:
                return Answer({"badRequest": {"message": f"marker [{marker}] not found"}}, 400)
            first = at[0] + 1
        size = min(int(asked.query["limit"][0]), self.biggest)
        page = rows[first : first + size]
        href = f"{self.stub.url}{asked.path}?marker={page[-1][id]}" if page else ""
        links = {f"{key}_links": [{"rel": "next", "href": href}]} if len(page) == size else {}
        return Answer({key: page} | links)

    def _list_servers(self, asked: Asked) -> Answer:
        rows = self.servers
        if host := asked.query.get("host"):
            rows = [row for row in rows if row.get("OS-EXT-SRV-ATTR:host") in host]
        if status := asked.query.get("status"):
            rows = [row for row in rows if row["status"] in status]
        return self._page(asked, "servers", rows, "id")

    def _show_server(self, asked: Asked) -> Answer:
        return _one("server", [row for row in self.servers if row["id"] == asked.path.split("/")[3]])

    def _list_services(self, asked: Asked) -> Answer:
        host = asked.query.get("host")
        return Answer({"services": [row for row in self.services if not host or row["host"] in host]})

    def _show_node(self, asked: Asked) -> Answer:
        return _one("hypervisor", [row for row in self.nodes if row["id"] == asked.path.split("/")[3]])

    def _list_groups(self, asked: Asked) -> Answer:
        first = int(asked.query["offset"][0])
        return Answer({"server_groups": self.groups[first : first + min(int(asked.query["limit"][0]), self.biggest)]})

    def _show_group(self, asked: Asked) -> Answer:
        return _one("server_group", [row for row in self.groups if row["id"] == asked.path.split("/")[3]])

    def _list_records(self, asked: Asked) -> Answer:
        rows = self.records
        for key in ("instance_uuid", "migration_type"):
            if wanted := asked.query.get(key):
                rows = [row for row in rows if row[key] in wanted]
        if since := asked.query.get("changes-since"):
            rows = [row for row in rows if (row["updated_at"] or row["created_at"]) >= since[0].rstrip("Z")]
        return self._page(asked, "migrations", rows, "uuid")

    def _list_actions(self, asked: Asked) -> Answer:
        since = asked.query.get("changes-since", [NEVER])[0].rstrip("Z")
        rows = [row for row in self.actions.get(asked.path.split("/")[3], []) if row["updated_at"] >= since]
        plain = [{key: value for key, value in row.items() if key != "events"} for row in rows]
        return self._page(asked, "instanceActions", plain, "request_id")

    def _show_action(self, asked: Asked) -> Answer:
        _, _, _, server, _, request = asked.path.split("/")
        return _one("instanceAction", [row for row in self.actions.get(server, []) if row["request_id"] == request])

    def _show_progress(self, asked: Asked) -> Answer:
        number = int(asked.path.rpartition("/")[2])
        return _one("migration", [self.copying[number]] if number in self.copying else [])

    def _set_service(self, asked: Asked) -> Answer:
        row = next(row for row in self.services if row["id"] == asked.path.split("/")[3])
        row |= {"disabled_reason": None} | asked.body
        return Answer({"service": row})

    def _candidates(self, asked: Asked) -> Answer:
        wanted = asked.query.get("in_tree")
        providers = [n["id"] for n in self.nodes if n["id"] not in self.full and (not wanted or n["id"] in wanted)]
        have = {
            name: {"capacity": c, "used": 0} for name, c in (("VCPU", 256), ("MEMORY_MB", 261632), ("DISK_GB", 4000))
        }
        rows = {id: {"resources": have, "parent_provider_uuid": None} for id in providers}
        return Answer({"allocation_requests": [{} for _ in providers], "provider_summaries": rows})

    def _inventories(self, asked: Asked) -> Answer:
        provider = asked.path.split("/")[3]
        alike = {
            "VCPU": {"total": 64, "reserved": 0, "allocation_ratio": 4.0},
            "MEMORY_MB": {"total": 262144, "reserved": 512, "allocation_ratio": 1.0},
            "DISK_GB": {"total": 4000, "reserved": 0, "allocation_ratio": 1.0},
        }
        return Answer({"inventories": self.inventories.get(provider, alike)})


def progress_row(number: int, server: str, **more: Any) -> Json:
    mib = 1024 * 1024
    return {
        "id": number, "server_uuid": server, "status": "running", "source_compute": "h1", "dest_compute": "h2",
        "created_at": "2026-11-20T12:00:00.000000", "updated_at": "2026-11-20T12:00:00.000000",
        "memory_total_bytes": 8192 * mib, "memory_processed_bytes": 0, "memory_remaining_bytes": 8192 * mib,
        "disk_total_bytes": 0, "disk_processed_bytes": 0, "disk_remaining_bytes": 0, **more,
    }  # fmt: skip


def _one(key: str, rows: list[Json]) -> Answer:
    return Answer({key: rows[0]}) if rows else Answer({"itemNotFound": {"message": "it could not be found"}}, 404)
