"""Read a load trace for a replay."""

from watari.drivers.sim.series import Trace
from watari.drivers.sim.trace import read_trace

__all__ = ["Trace", "open_trace"]


def open_trace(path: str) -> Trace:
    """A PlanetLab folder or archive, or a CSV file. Raises BadInput that names file and line."""
    return read_trace(path)
