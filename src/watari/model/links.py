"""Share links among those who use several of them at once: max-min fair, by progressive filling."""

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

Link = TypeVar("Link", bound=Hashable)


def fair_shares(uses: Sequence[Sequence[Link]], caps: Sequence[float], capacity: Mapping[Link, float]) -> list[float]:
    """What each user gets of its links, in the capacity's unit; `uses` are the links of each, `caps` its own limit.

    No user is over its cap, no link over its capacity, and nobody could have more without taking it from one that has
    no more than itself. `caps` may be infinite. There are few users at a time, so lists do.
    """
    rates = [0.0] * len(uses)
    free = {link: float(capacity[link]) for links in uses for link in links}
    rising = list(range(len(uses)))
    while rising:
        users = dict.fromkeys(free, 0)
        for k in rising:
            for link in uses[k]:
                users[link] += 1
        limits = {k: min(caps[k], *(max(0.0, free[link]) / users[link] for link in uses[k])) for k in rising}
        least = min(limits.values())
        still = []
        for k in rising:
            if limits[k] > least:
                still.append(k)
                continue
            rates[k] = least
            for link in uses[k]:
                free[link] -= least
        rising = still
    return rates
