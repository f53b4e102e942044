"""Share the hosts' links among the copies that run: max-min fair, by progressive filling."""

from collections.abc import Sequence

Pair = tuple[int, int]  # (source, target): indices of hosts


def fair_rates(
    pairs: Sequence[Pair], caps: Sequence[float], out_mib_s: Sequence[float], in_mib_s: Sequence[float]
) -> list[float]:
    """MiB/s of each copy. A link carries what its source sends and its target receives apart (full duplex).

    No copy is over its cap, no link over its capacity, and no copy could have more without taking it from one that has
    no more than itself. `caps` may be infinite. There are few copies at a time, so lists do.
    """
    rates = [0.0] * len(pairs)
    free = {("out", source): float(out_mib_s[source]) for source, _ in pairs}
    free |= {("in", target): float(in_mib_s[target]) for _, target in pairs}
    rising = list(range(len(pairs)))
    while rising:
        users = dict.fromkeys(free, 0)
        for k in rising:
            users["out", pairs[k][0]] += 1
            users["in", pairs[k][1]] += 1
        limits = {k: min(caps[k], *(max(0.0, free[link]) / users[link] for link in _links(pairs[k]))) for k in rising}
        least = min(limits.values())
        still = []
        for k in rising:
            if limits[k] > least:
                still.append(k)
                continue
            rates[k] = least
            for link in _links(pairs[k]):
                free[link] -= least
        rising = still
    return rates


def _links(pair: Pair) -> tuple[tuple[str, int], tuple[str, int]]:
    return ("out", pair[0]), ("in", pair[1])
