"""The fewest moves that any plan needs: a yardstick that no planner can beat."""

from collections import defaultdict

from benchmarks.cluster import Cluster


def fewest_moves(cluster: Cluster) -> int:
    """A lower bound on the moves after which no host is asked for more CPU than it has.

    Why no plan can do with fewer: only a server that leaves lowers a host's demand; one that arrives raises it. Among
    all choices of k servers of a host, the k with the largest demand lower it most. So the smallest k for which the k
    largest bring a host down to its capacity is the least number of departures from that host, whatever else the plan
    does. Every server is on one host, so departures of different hosts are different moves, and the sum is a bound.

    It may not be reachable: it asks neither where the servers go nor whether they fit there (memory, zone, role).
    """
    demands = defaultdict(list)
    for server in cluster.servers:
        demands[server.host].append(server.demand)
    return sum(fewest_departures(demands[i], host.cpus) for i, host in enumerate(cluster.hosts) if i in demands)


def fewest_departures(demands: list[float], capacity: float) -> int:
    """How many of the servers with these demands (cores) have to leave until the rest fits into `capacity` (cores)."""
    largest_first = sorted(demands, reverse=True)
    left = sum(largest_first)
    for gone, demand in enumerate(largest_first):
        if left <= capacity:
            return gone
        left -= demand
    return len(largest_first)
