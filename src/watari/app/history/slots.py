"""Slots of five minutes as bytes: what a cloud was like in each, for as many as share a window of two hours.

Layout of a window. A header (JSON) names its slots and the host and group items of each. Then follow the distinct
server items in ascending order, as differences; and for each of them, in the order of time, the index of its host (the
largest number: not there) and the five columns of `Slot.codes`. Means are kept as the difference to the slot before,
maxima as the difference to their mean: both are small numbers, which compress well. All of it is one zlib stream, made
without a search for repeats: there are none but runs, and it takes a seventh of the time.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from watari.app.history.codes import LOAD_MOST, MISSING, SHARE_MOST, STEAL_MOST, Codes, decode, encode

Ints = NDArray[np.int64]

SLOT_S: Final = 300
WINDOW_S: Final = 7200  # slots that are packed together
EPOCH_S: Final = 7 * 86400  # windows that share a numbering of items
FORM: Final = 1
STEAL, STEAL_PEAK, LOAD, SHARE, SHARE_PEAK = range(5)  # rows of `codes`: means, and the largest of steal and share
MOST: Final = (STEAL_MOST, STEAL_MOST, LOAD_MOST, SHARE_MOST, SHARE_MOST)
_MEANS: Final = (STEAL, LOAD, SHARE)
_PEAKS: Final = {STEAL_PEAK: STEAL, SHARE_PEAK: SHARE}
_MAGIC: Final = b"WH"
_LEVEL: Final = 1


@dataclass(frozen=True, slots=True)
class Slot:
    """A cloud in five minutes from `begin` on (seconds since 1970), seen in so many `looks`.

    `hosts`, `groups` and `servers` are numbers of items; `servers` ascend, `place` is the index in `hosts` of where
    each one was at the end. `codes` has a row per quantity and a column per server.
    """

    begin: int
    looks: int
    hosts: tuple[int, ...]
    groups: tuple[int, ...]
    servers: Ints
    place: Ints
    codes: Codes


def slot_of(at: datetime) -> int:
    """The beginning of the slot that a moment lies in; slots are counted in UTC, so clocks of people do not matter."""
    return int(at.timestamp() // SLOT_S) * SLOT_S


def window_of(begin: int) -> int:
    """The beginning of the window that a slot lies in."""
    return begin // WINDOW_S * WINDOW_S


def epoch_of(begin: int) -> int:
    """The beginning of the epoch that a slot or a window lies in."""
    return begin // EPOCH_S * EPOCH_S


def moment(begin: int) -> datetime:
    """When a slot begins."""
    return datetime.fromtimestamp(begin, UTC)


def pack(slots: Sequence[Slot]) -> bytes:
    """Slots of one window, in the order of time, as bytes."""
    met = np.zeros(max(int(slot.servers.max(initial=-1)) for slot in slots) + 1, np.bool_)
    for slot in slots:
        met[slot.servers] = True
    rows = np.flatnonzero(met)
    hosts = sorted({number for slot in slots for number in slot.hosts})
    kind = "<u2" if len(hosts) < np.iinfo("<u2").max else "<u4"
    place = np.full((len(rows), len(slots)), np.iinfo(kind).max, kind)
    codes = np.full((len(MOST), len(rows), len(slots)), MISSING, np.uint8)
    frames: dict[tuple[tuple[int, ...], tuple[int, ...]], int] = {}
    index = {number: k for k, number in enumerate(hosts)}
    for k, slot in enumerate(slots):
        frames.setdefault((slot.hosts, slot.groups), len(frames))
        whole = len(rows) == len(slot.servers)
        at: slice | Ints = slice(None) if whole else np.searchsorted(rows, slot.servers)
        place[at, k] = np.array([index[number] for number in slot.hosts], kind)[slot.place]
        codes[:, at, k] = slot.codes
    for peak, mean in _PEAKS.items():
        codes[peak] -= codes[mean]
    for mean in _MEANS:
        codes[mean, :, 1:] -= codes[mean, :, :-1].copy()
    head = {
        "slots": [[slot.begin, slot.looks, frames[slot.hosts, slot.groups]] for slot in slots],
        "frames": [[_steps(frame_hosts), _steps(groups)] for frame_hosts, groups in frames],
        "hosts": _steps(hosts), "rows": len(rows), "place": kind,
    }  # fmt: skip
    text = json.dumps(head, separators=(",", ":")).encode()
    place[:, 1:] -= place[:, :-1].copy()
    numbers = np.diff(rows, prepend=0).astype("<i4")
    out = zlib.compressobj(_LEVEL, strategy=zlib.Z_RLE)
    parts = (len(text).to_bytes(4, "little"), text, numbers.tobytes(), place.tobytes(), codes.tobytes())
    return b"".join((_MAGIC, bytes([FORM]), *map(out.compress, parts), out.flush()))


def unpack(kept: bytes) -> list[Slot]:
    """The slots again. Raises ValueError for bytes that are none, or of another version."""
    if kept[:2] != _MAGIC or len(kept) < 3:
        raise ValueError("these are no slots of a history")
    if kept[2] != FORM:
        raise ValueError(f"form {kept[2]}, this version knows {FORM}")
    try:
        body = zlib.decompress(kept[3:])
        start = 4 + int.from_bytes(body[:4], "little")
        head = json.loads(body[4:start])
        return _slots(head, memoryview(body)[start:])
    except (zlib.error, KeyError, TypeError, IndexError) as e:
        raise ValueError(f"{type(e).__name__}: {e}") from e


def merged(earlier: Slot, later: Slot) -> Slot:
    """Two parts of one slot, as when a process was started again in the middle: who is there at the end, and where."""
    codes = later.codes.copy()
    at = np.searchsorted(earlier.servers, later.servers)
    both = np.flatnonzero(np.append(earlier.servers, -1)[np.minimum(at, len(earlier.servers))] == later.servers)
    old = earlier.codes[:, at[both]]
    weights = earlier.looks / (earlier.looks + later.looks)
    for row, most in enumerate(MOST):
        a, b = decode(old[row], most), decode(codes[row, both], most)
        one = np.fmax(a, b)  # the only one that is known, or the larger
        known = ~np.isnan(a) & ~np.isnan(b)
        mean = np.where(known, weights * a + (1 - weights) * b, one)
        codes[row, both] = encode(one if row in _PEAKS else mean, most)
    looks = earlier.looks + later.looks
    return Slot(later.begin, looks, later.hosts, later.groups, later.servers, later.place, codes)


def _slots(head: dict[str, Any], body: memoryview) -> list[Slot]:
    count, hosts = int(head["rows"]), np.array(_sums(head["hosts"]), np.int64)
    rows = np.cumsum(np.frombuffer(body, "<i4", count), dtype=np.int64)
    body = body[4 * count :]
    shape, kind = (count, len(head["slots"])), np.dtype(head["place"])
    size = count * shape[1]
    place = np.frombuffer(body, kind, size).reshape(shape)
    codes = np.frombuffer(body, np.uint8, len(MOST) * size, kind.itemsize * size).reshape((len(MOST), *shape)).copy()
    place = np.add.accumulate(place, axis=1, dtype=kind)
    for mean in _MEANS:
        codes[mean] = np.add.accumulate(codes[mean], axis=1, dtype=np.uint8)
    for peak, mean in _PEAKS.items():
        codes[peak] += codes[mean]
    frames = [(tuple(_sums(some)), tuple(_sums(groups))) for some, groups in head["frames"]]
    out = []
    for k, (begin, looks, frame) in enumerate(head["slots"]):
        there = np.flatnonzero(place[:, k] != np.iinfo(kind).max)
        own = np.array(frames[frame][0], np.int64)
        where_of = np.zeros(len(hosts), np.int64)  # from the index among the window's hosts to that among the slot's
        where_of[np.searchsorted(hosts, own)] = np.arange(len(own))
        where = where_of[place[there, k]]
        out.append(Slot(begin, looks, frames[frame][0], frames[frame][1], rows[there], where, codes[:, there, k]))
    return out


def _steps(numbers: Sequence[int]) -> list[int]:
    """Numbers as differences: of those that follow one another little is left."""
    return [b - a for a, b in zip((0, *numbers), numbers, strict=False)]


def _sums(steps: Sequence[int]) -> list[int]:
    return list(accumulate(steps))
