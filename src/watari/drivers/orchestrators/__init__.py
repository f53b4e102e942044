"""What gives servers work, behind the Orchestrator port: see docs/reference/orchestrators.md."""

from watari.drivers.orchestrators.opening import Surroundings, open_orchestrators

__all__ = ["Surroundings", "open_orchestrators"]
