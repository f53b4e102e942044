"""What the history has of one server, for people who look at it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from watari.act.durable.store import Store
from watari.app.history.codes import decode
from watari.app.history.recorded import Source
from watari.app.history.recorder import read_items
from watari.app.history.slots import LOAD, MOST, STEAL, WINDOW_S, Slot, epoch_of, moment, slot_of, window_of
from watari.errors import BadInput
from watari.model.compute import Server

LONGEST: Final = timedelta(hours=8)  # a hundred slots: as much as a curve of a few centimetres shows


@dataclass(frozen=True, slots=True)
class Point:
    """Means of five minutes from `at` on; None where the load was not known."""

    at: datetime
    steal: float | None
    load_per_vcpu: float | None


def points(store: Store, cloud: str, server: str, now: datetime, longest: timedelta = LONGEST) -> list[Point]:
    """The last hours of a server, oldest first; empty for one that is not in the history.

    What cannot be read is left out. Raises what the database says.
    """
    since = slot_of(now - longest)
    out: list[Point] = []
    numbers: dict[int, list[int]] = {}
    for begin in range(window_of(since), slot_of(now) + 1, WINDOW_S):
        epoch = epoch_of(begin)
        if epoch not in numbers:
            numbers[epoch] = _numbers(store, cloud, epoch, server)
        if numbers[epoch]:
            slots, _ = Source("", cloud).slots(store, begin)
            out += _of(slots, numbers[epoch], since)
    return out


def _numbers(store: Store, cloud: str, epoch: int, server: str) -> list[int]:
    """The items that stand for a server: another one after every resize."""
    try:
        items = read_items(store, cloud, epoch).items
    except (ValueError, BadInput):
        return []
    return [n for n, item in enumerate(items) if isinstance(item, Server) and item.id == server]


def _of(slots: list[Slot], numbers: list[int], since: int) -> Iterator[Point]:
    for slot in slots:
        found = np.flatnonzero(np.isin(slot.servers, numbers)) if slot.begin >= since else ()
        for column in found:
            steal, load = (_value(float(decode(slot.codes[row, column], MOST[row]))) for row in (STEAL, LOAD))
            yield Point(moment(slot.begin), steal, load)


def _value(number: float) -> float | None:
    return None if np.isnan(number) else round(number, 4)
