"""A CPU trace as arrays, and what every form of it has in common: percents and holes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from watari.drivers.sim.contention import FloatArray
from watari.errors import BadInput

BRIDGED = 3  # samples in a row that may be missing


@dataclass(frozen=True, slots=True)
class Trace:
    """CPU use of servers over time.

    `fractions`: 0-1, shape (series, samples). `holes`: how many samples were missing and bridged.
    """

    names: tuple[str, ...]
    fractions: FloatArray
    interval_s: float
    holes: int = 0


def percent(text: str, where: str) -> float:
    """A number 0-100, or NaN for a hole. Raises BadInput."""
    text = text.strip()
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        raise BadInput(f"{where}: {text[:40]!r} is not a number; CPU use is given in percent, 0 to 100") from None
    if value < 0 or value > 100:
        raise BadInput(f"{where}: {text[:40]} is outside 0 to 100 percent")
    return value


def bridge(percents: FloatArray, names: Sequence[str], where: str) -> tuple[FloatArray, int]:
    """Percent to fractions, holes filled; and how many there were. Raises BadInput for a hole that is too long."""
    missing = np.isnan(percents)
    holes = int(missing.sum())
    if holes:
        for row in np.flatnonzero(missing.any(axis=1)).tolist():
            _bridge_row(percents[row], missing[row], f"{where}: {names[row]}")
    return percents / 100.0, holes


def _bridge_row(row: FloatArray, missing: NDArray[np.bool_], where: str) -> None:
    if missing.all():
        raise BadInput(f"{where}: no values at all; leave this series out")
    since = 0
    for sample in range(row.size):
        if not missing[sample]:
            since = 0
            continue
        since += 1
        if since > BRIDGED:
            raise BadInput(
                f"{where}: no values from sample {sample - since + 2} on for more than {BRIDGED} samples; "
                f"fill the hole or leave this series out"
            )
        if sample:
            row[sample] = row[sample - 1]
    first = int(np.argmin(np.isnan(row)))
    row[:first] = row[first]
