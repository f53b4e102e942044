"""Empty hosts before they are worked on, or before they die: everything that can leave goes to a good place."""

from watari.jobs.drain.planner import plan
from watari.jobs.drain.request import DrainRequest, known_hosts

__all__ = ["DrainRequest", "known_hosts", "plan"]
