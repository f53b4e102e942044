"""Keep what a controller sees: gather looks into slots, write each once it is over, pack what is over for longer."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from watari.act.durable import histories
from watari.act.durable.histories import Packed
from watari.act.durable.leading import Place
from watari.act.durable.store import Store
from watari.app.history.gathering import Gathering
from watari.app.history.items import Items, metadata_keys
from watari.app.history.slots import EPOCH_S, WINDOW_S, Slot, epoch_of, merged, moment, pack, slot_of, unpack, window_of
from watari.jobs.placement.world import Readings
from watari.model.compute import ComputeSnapshot
from watari.policy.values import Policy

log = logging.getLogger(__name__)
MOST_WAITING: Final = 12  # slots that wait for a database that does not answer: an hour


@dataclass(slots=True)
class Recorder:
    """One cloud's. Only who holds the `place` writes. What was seen of the present slot is in memory alone."""

    place: Place
    _open: Gathering | None = None
    _over: list[Gathering] = field(default_factory=list)
    _items: Items | None = None  # as the database has them; None: to be read
    problem: str = ""  # why nothing more is kept for a while

    def begin_anew(self) -> None:
        """Another process may have written meanwhile."""
        self._open, self._items, self.problem = None, None, ""
        self._over.clear()

    def look(self, snapshot: ComputeSnapshot, readings: Readings, policy: Policy) -> None:
        """Add a look, and write what is over by now. Raises what the database says; then it is tried again later."""
        if policy.serve.history_s is None:
            self.begin_anew()
            return
        begin = slot_of(snapshot.taken_at)
        if self._open is not None and self._open.begin != begin:  # over, or the clock was set
            self._over = [*self._over, self._open][-MOST_WAITING:]
            self._open = None
        if self._open is None:
            self._open = Gathering(begin)
        self._open.add(snapshot, readings)
        self._write(policy, begin)

    def keep(self, policy: Policy) -> None:
        """Write the present slot as far as it has been seen; the next process goes on with it."""
        if self._open is None or policy.serve.history_s is None:
            return
        begin = self._open.begin
        self._over.append(self._open)
        self._open = None
        self._write(policy, begin)

    def _write(self, policy: Policy, now: int) -> None:
        """Everything that is over: each slot in a transaction, then each window that is complete."""
        wrote = bool(self._over)
        while self._over:
            self._write_slot(self._over[0], policy, now)
            del self._over[0]
        if wrote:
            self._pack_windows(now)

    def _write_slot(self, seen: Gathering, policy: Policy, now: int) -> None:
        if (items := self._items_of(epoch_of(seen.begin))) is None:
            return
        slot, cloud = seen.closed(items, metadata_keys(policy)), self.place.cloud
        for kept in histories.slots_of(self.place.store, cloud, slot.begin, slot.begin + 1).values():
            slot = _joined(kept, slot)
        body, fresh = pack([slot]), items.fresh()
        self._items = None  # until it is certain that the database has them
        with self.place.writing() as c:
            if fresh:
                histories.put_items(c, cloud, items.epoch, items.kept, fresh)
            histories.put_slot(c, cloud, _packed([slot], slot.begin, body))
            if policy.serve.history_s is not None:
                histories.prune(c, cloud, int(now - WINDOW_S - policy.serve.history_s), EPOCH_S)
        items.kept = len(items.items)
        self._items = items

    def _pack_windows(self, now: int) -> None:
        """What is in windows that are over goes into one row each."""
        store, cloud = self.place.store, self.place.cloud
        begins = {window_of(begin) for begin in histories.slot_begins(store, cloud)} - {window_of(now)}
        for begin in sorted(begins):
            single = histories.slots_of(store, cloud, begin, begin + WINDOW_S)
            found = {slot.begin: slot for body in single.values() for slot in _read(body)}
            if (kept := histories.window(store, cloud, begin)) is not None:  # the clock was set back: the first stays
                found |= {slot.begin: slot for slot in _read(kept)}
            slots = [found[key] for key in sorted(found)]
            packed = _packed(slots, begin, pack(slots)) if slots else None
            with self.place.writing() as c:
                if packed is None:
                    histories.drop_slots(c, cloud, list(single))
                else:
                    histories.put_window(c, cloud, packed, list(single))

    def _items_of(self, epoch: int) -> Items | None:
        """The items of an epoch, from the database if another one was in use; None if they cannot be read."""
        if self._items is not None and self._items.epoch == epoch:
            return self._items
        try:
            self._items = read_items(self.place.store, self.place.cloud, epoch)
        except ValueError as e:
            end = f"{moment(epoch + EPOCH_S):%Y-%m-%d %H:%M} UTC"
            self.problem = (
                f"its inventory cannot be read until {end} begins another ({e}); `watari status --forget` begins anew"
            )
            return None
        self.problem = ""
        return self._items


def read_items(store: Store, cloud: str, epoch: int) -> Items:
    """The items of an epoch as they are kept. Raises ValueError for what cannot be read."""
    items = Items(epoch)
    for body in histories.items_of(store, cloud, epoch):
        items.add(body)
    return items


def _joined(kept: bytes, slot: Slot) -> Slot:
    for earlier in _read(kept):
        slot = merged(earlier, slot)
    return slot


def _read(body: bytes) -> Sequence[Slot]:
    """What cannot be read is a gap, not the end of keeping."""
    try:
        return unpack(body)
    except ValueError as e:
        log.warning("a piece of the history cannot be read, it becomes a gap: %s", e)
        return ()


def _packed(slots: Sequence[Slot], begin: int, body: bytes) -> Packed:
    return Packed(begin, slots[0].begin, slots[-1].begin, len(slots), max(len(s.servers) for s in slots), body)
