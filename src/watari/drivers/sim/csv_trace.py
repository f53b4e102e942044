"""Read a CPU trace from CSV, long or wide.

Long form: a header with the columns `time`, `server`, `cpu` (in any order), one row per sample. Wide form: the first
column is `time`, every other column is a server. Times are seconds, or ISO 8601 dates, on an even grid; CPU is percent
of the server's vCPUs, 0-100. A time without a row, an empty field and 'nan' are holes.
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from watari.drivers.sim.series import BRIDGED, Trace, bridge, percent
from watari.errors import BadInput

LONG = ("time", "server", "cpu")
Sample = tuple[float, str, float, int]  # time in seconds, server, percent, line


def read_csv(path: Path) -> Trace:
    """Raises BadInput, naming file and line."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        try:
            rows = csv.reader(file, strict=True)
            header = [name.strip() for name in next(rows, [])]
            samples = list(_samples(header, rows, path))
        except csv.Error as why:
            raise BadInput(f"{path}:{rows.line_num}: not CSV: {why}") from why
        except UnicodeDecodeError as why:
            raise BadInput(f"{path}: not UTF-8 text: {why.reason}") from why
    if not samples:
        raise BadInput(f"{path}: no samples; after the header comes one row per time")
    names = tuple(dict.fromkeys(server for _, server, _, _ in samples))
    first, interval_s, count = _grid(samples, path)
    percents = np.full((len(names), count), math.nan)
    seen = np.zeros(percents.shape, dtype=np.bool_)
    number = {name: row for row, name in enumerate(names)}
    for time_s, server, value, line in samples:
        at = number[server], round((time_s - first) / interval_s)
        if seen[at]:
            raise BadInput(f"{path}:{line}: {server} has a sample for this time already")
        seen[at] = True
        percents[at] = value
    fractions, holes = bridge(percents, names, str(path))
    return Trace(names, fractions, interval_s, holes)


def _samples(header: Sequence[str], rows: Iterable[list[str]], path: Path) -> Iterator[Sample]:
    lower = [name.lower() for name in header]
    if sorted(lower) == sorted(LONG):
        return _long([lower.index(name) for name in LONG], rows, path)
    if len(header) >= 2 and lower[0] == "time":
        doubles = [name for name, times in Counter(header).items() if times > 1 or not name]
        if doubles:
            raise BadInput(f"{path}:1: the column {doubles[0]!r} must have a name of its own")
        return _wide(header, rows, path)
    raise BadInput(
        f"{path}:1: the header is {','.join(header)[:80]!r}; right is time,server,cpu or time and one column per server"
    )


def _long(order: Sequence[int], rows: Iterable[list[str]], path: Path) -> Iterator[Sample]:
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        where = f"{path}:{line}"
        if len(row) != len(LONG):
            raise BadInput(f"{where}: {len(row)} fields; right is time,server,cpu")
        time_text, server, cpu = (row[column].strip() for column in order)
        if not server:
            raise BadInput(f"{where}: no server's name")
        yield _seconds(time_text, where), server, percent(cpu, where), line


def _wide(header: Sequence[str], rows: Iterable[list[str]], path: Path) -> Iterator[Sample]:
    for line, row in enumerate(rows, start=2):
        if not row:
            continue
        where = f"{path}:{line}"
        if len(row) != len(header):
            raise BadInput(f"{where}: {len(row)} fields, the header has {len(header)}")
        time_s = _seconds(row[0], where)
        for server, text in zip(header[1:], row[1:], strict=True):
            yield time_s, server, percent(text, f"{where}: {server}"), line


def _seconds(text: str, where: str) -> float:
    text = text.strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise BadInput(f"{where}: the time {text[:40]!r} is neither seconds nor an ISO 8601 date") from None
        seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise BadInput(f"{where}: the time {text[:40]!r} is not a moment")
    return seconds


def _grid(samples: Sequence[Sample], path: Path) -> tuple[float, float, int]:
    """First time, interval and number of samples. A gap is measured before anything of its size is allocated."""
    lines: dict[float, int] = {}
    for time_s, _, _, line in samples:
        lines.setdefault(time_s, line)
    times = np.array(sorted(lines))
    if times.size < 2:
        raise BadInput(f"{path}: only one time; a trace has at least two, so that its interval is known")
    gaps = np.diff(times)
    widths, counts = np.unique(gaps.round(6), return_counts=True)
    interval_s = float(widths[np.argmax(counts)])
    steps = gaps / interval_s
    for k in np.flatnonzero(np.abs(steps - steps.round()) > 1e-6):
        line = lines[float(times[k + 1])]
        raise BadInput(
            f"{path}:{line}: {gaps[k]:g} s after the time before it; the other times are {interval_s:g} s apart"
        )
    for k in np.flatnonzero(steps.round() > BRIDGED + 1):
        line = lines[float(times[k + 1])]
        raise BadInput(
            f"{path}:{line}: no server has values for {gaps[k]:g} s before this; "
            f"holes of up to {BRIDGED} samples are bridged"
        )
    return float(times[0]), interval_s, int(steps.round().sum()) + 1
