"""What a migration is expected to take, before it starts."""

from watari.plan.plan import Cost

DIRTY_MIB_S_PER_CORE = 25.0  # memory that a busy core rewrites per second; a web or database guest, not a worst case
DOWNTIME_S = 0.5  # allowed pause of the guest at the end (Nova's live_migration_downtime default)
MOST_DIRTY = 0.75  # auto-converge slows a guest that writes faster than this share of the copy's rate
SETUP_S = 2.0
STOP_S = 20.0  # a guest that shuts down when asked; Nova waits 60 s at most (shutdown_timeout)
BOOT_S = 20.0  # until it serves again


def estimate_move(memory_mib: float, disk_mib: float, busy_cores: float, rate_mib_s: float) -> Cost:
    """Disk first, then memory in rounds, each of what was rewritten during the one before: a geometric series.

    `rate_mib_s` is what the slowest of link, budget and move limit gives.
    """
    rate = max(rate_mib_s, 1e-9)
    rewritten = min(MOST_DIRTY, DIRTY_MIB_S_PER_CORE * busy_cores / rate)
    sent_mib = memory_mib / (1 - rewritten)
    seconds = SETUP_S + (disk_mib + sent_mib) / rate
    return Cost(memory_mib, disk_mib, round(seconds, 1), DOWNTIME_S)


def estimate_cold_move(disk_mib: float, rate_mib_s: float, *, stops: bool) -> Cost:
    """The disk only; a server that runs (`stops`) is shut down before and booted after, and down for all of it."""
    seconds = SETUP_S + disk_mib / max(rate_mib_s, 1e-9) + (STOP_S + BOOT_S if stops else 0.0)
    return Cost(0.0, disk_mib, round(seconds, 1), round(seconds, 1) if stops else 0.0)
