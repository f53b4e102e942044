"""Move servers off hosts where they starve: fewest moves until no server is starved."""

from watari.jobs.balance.memory import Memory, remember
from watari.jobs.balance.planner import plan

__all__ = ["Memory", "plan", "remember"]
