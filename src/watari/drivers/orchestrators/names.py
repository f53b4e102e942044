"""Servers by their names, for orchestrators whose members are called like them."""

from collections import defaultdict
from collections.abc import Collection, Mapping

from watari.model.compute import Server, ServerId


def called(servers: Collection[Server]) -> Mapping[str, list[ServerId]]:
    """All servers of each name. Of several of one name nobody knows which is the member: each counts as one.

    To take a member out although another server moves does no harm; to move the member in its service does.
    """
    found: dict[str, list[ServerId]] = defaultdict(list)
    for server in servers:
        found[server.name].append(server.id)
    return found
