"""Server groups of all projects."""

from collections.abc import Iterator

from watari.drivers.openstack.calls import PAGE, Calls, Json, Params, Version
from watari.model.compute import GroupId, GroupPolicy, ServerGroup, ServerId

LIST = Version("2.64", "2.53", "reading server groups")
POLICIES: tuple[GroupPolicy, ...] = ("affinity", "anti-affinity", "soft-affinity", "soft-anti-affinity")


def all_groups(calls: Calls) -> Iterator[ServerGroup]:
    """Every group of every project. Their list has no links: it is over when a page is empty."""
    offset = 0
    while True:
        params: Params = {"all_projects": "True", "limit": PAGE, "offset": offset}
        rows = calls.get("/os-server-groups", LIST, "list the server groups of all projects", params)["server_groups"]
        yield from (group for row in rows if (group := group_of(row)))
        if not rows:
            return
        offset += len(rows)


def one_group(calls: Calls, id: str) -> ServerGroup | None:
    """Raises Refused for a group that the cloud does not know."""
    return group_of(calls.get(f"/os-server-groups/{id}", LIST, f"show server group {id}")["server_group"])


def group_of(row: Json) -> ServerGroup | None:
    """None for a policy that no Nova has had in ten years.

    An anti-affinity group that allows several members per host (rules.max_server_per_host) counts as a strict one:
    moves that Nova would still take are not proposed, but nothing is proposed that it refuses.
    """
    policy = row.get("policy") or next(iter(row.get("policies") or ()), "")
    known = next((p for p in POLICIES if p == policy), None)
    if known is None:
        return None
    return ServerGroup(GroupId(row["id"]), row["name"], known, frozenset(ServerId(m) for m in row["members"]))
