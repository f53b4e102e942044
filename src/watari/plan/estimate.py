"""What a live migration is expected to take, before it starts."""

from watari.plan.plan import Cost

DIRTY_MIB_S_PER_CORE = 25.0  # memory that a busy core rewrites per second; a web or database guest, not a worst case
DOWNTIME_S = 0.5  # allowed pause of the guest at the end (Nova's live_migration_downtime default)
MOST_DIRTY = 0.75  # auto-converge slows a guest that writes faster than this share of the copy's rate
SETUP_S = 2.0


def estimate_move(memory_mib: float, disk_mib: float, busy_cores: float, rate_mib_s: float) -> Cost:
    """Disk first, then memory in rounds, each of what was rewritten during the one before: a geometric series.

    `rate_mib_s` is what the slowest of link, budget and move limit gives.
    """
    rate = max(rate_mib_s, 1e-9)
    rewritten = min(MOST_DIRTY, DIRTY_MIB_S_PER_CORE * busy_cores / rate)
    sent_mib = memory_mib / (1 - rewritten)
    seconds = SETUP_S + (disk_mib + sent_mib) / rate
    return Cost(memory_mib, disk_mib, round(seconds, 1), DOWNTIME_S)
