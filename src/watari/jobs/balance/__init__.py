"""Move servers off hosts where they starve: fewest moves until no server is starved."""

from watari.jobs.balance.explain import Explanation, explain, lines
from watari.jobs.balance.planner import plan
from watari.jobs.placement.memory import Memory, needs_help, remember

__all__ = ["Explanation", "Memory", "explain", "lines", "needs_help", "plan", "remember"]
