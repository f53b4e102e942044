"""A cluster in the text format of Ganeti's htools, and a plan read from what hbal prints."""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.cluster import Cluster

GROUP = "11111111-1111-1111-1111-111111111111"
VCPU_RATIO = 8.0  # the cluster is filled to 6 vCPUs per CPU
ZONE_TAG = "zone"

# "   12. v000820 h00053        => h00095          8.71250689 a=fa:h00095"
MOVE = re.compile(r"^\s*\d+\.\s+(?P<server>\S+)\s+(?P<source>\S+)\s+=>\s+(?P<target>\S+)\s", re.MULTILINE)


def write_cluster(cluster: Cluster, data: Path, utilisation: Path, keep_zones: bool) -> None:
    """Write the files for `hbal -t DATA -U UTILISATION`.

    `keep_zones` tags every node with its zone and makes that a migration tag, which is Ganeti's way to say that servers
    do not move between them. htools has no word for "no less spread than before", so roles are not told.
    """
    data.write_text("\n".join(_data_lines(cluster, keep_zones)) + "\n", encoding="utf-8")
    loads = "".join(f"{server.name} {server.demand:.4f} 0 0 0\n" for server in cluster.servers)
    utilisation.write_text(loads, encoding="utf-8")


def read_placement(cluster: Cluster, printed: str) -> tuple[int, ...]:
    """Per server its host after the moves that hbal printed, be it all of them or those until it was stopped."""
    host_index = {host.name: i for i, host in enumerate(cluster.hosts)}
    server_index = {server.name: i for i, server in enumerate(cluster.servers)}
    placement = list(cluster.placement)
    for move in MOVE.finditer(printed):
        placement[server_index[move["server"]]] = host_index[move["target"]]
    return tuple(placement)


def _data_lines(cluster: Cluster, keep_zones: bool) -> Iterator[str]:
    """Five sections, an empty line between them: groups, nodes, instances, cluster tags, instance policies."""
    used_memory_mib = [0] * len(cluster.hosts)
    used_disk_gib = [0] * len(cluster.hosts)
    for server in cluster.servers:
        used_memory_mib[server.host] += server.memory_mib
        used_disk_gib[server.host] += server.disk_gib
    yield f"default|{GROUP}|preferred||"
    yield ""
    for i, host in enumerate(cluster.hosts):
        free_mib = host.memory_mib - used_memory_mib[i]
        disk_mib, free_disk_mib = host.disk_gib * 1024, (host.disk_gib - used_disk_gib[i]) * 1024
        master = "M" if i == 0 else "N"
        tags = f"{ZONE_TAG}:{host.zone}" if keep_zones else ""
        yield (
            f"{host.name}|{host.memory_mib}|0|{free_mib}|{disk_mib}|{free_disk_mib}|{host.cpus}|{master}|{GROUP}"
            f"|1|{tags}|N|0|0|1.0"
        )
    yield ""
    for server in cluster.servers:
        where = cluster.hosts[server.host].name
        # ext: the disks lie on shared storage
        yield f"{server.name}|{server.memory_mib}|{server.disk_gib * 1024}|{server.vcpus}|running|Y|{where}||ext||1|-"
    yield ""
    if keep_zones:
        yield f"htools:migration:{ZONE_TAG}"
    yield ""
    smallest, largest = "4096,1,10240,1,1,1", "1048576,64,10485760,16,8,64"
    for owner in ("", "default"):
        yield f"{owner}|{smallest}|{smallest};{largest}|ext,plain,drbd,rbd|{VCPU_RATIO}|64.0"
