"""Share the hosts' links among the copies that run."""

from collections.abc import Sequence

from watari.model.links import fair_shares

Pair = tuple[int, int]  # (source, target): indices of hosts


def fair_rates(
    pairs: Sequence[Pair], caps: Sequence[float], out_mib_s: Sequence[float], in_mib_s: Sequence[float]
) -> list[float]:
    """MiB/s of each copy, max-min fair. A link carries what its source sends and its target receives apart (full
    duplex). `caps` may be infinite.
    """
    uses = [(("out", source), ("in", target)) for source, target in pairs]
    capacity = {("out", source): out_mib_s[source] for source, _ in pairs}
    capacity |= {("in", target): in_mib_s[target] for _, target in pairs}
    return fair_shares(uses, caps, capacity)
