"""Read CPU traces: PlanetLab folders and archives, and CSV."""

import lzma
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from watari.drivers.sim.csv_trace import read_csv
from watari.drivers.sim.series import Trace, bridge, percent
from watari.errors import BadInput

__all__ = ["Trace", "read_trace"]

PLANETLAB_INTERVAL_S = 300.0
PLANETLAB_SAMPLES = 288
MEMBER_BYTES = 4 << 20  # no day of a server is longer; guards against archives that unpack without end
ARCHIVE_BYTES = 1 << 30
ARCHIVES = (".tar", ".tar.xz", ".txz", ".tar.gz", ".tgz", ".tar.bz2")
FORMS = "a PlanetLab folder (one file per server), the same as .tar, .tar.xz or .tar.gz, or a .csv file"


def read_trace(path: str | Path) -> Trace:
    """Read a trace in any of the known forms; the name tells which.

    PlanetLab: one file per server, one number per line (percent of its CPU, 0-100), 288 lines of 300 s a day; series
    are in the order of their names. CSV: see `watari.drivers.sim.csv_trace`. A hole ('nan' or nothing) of up to 3
    samples takes the value before it (at the very start, the one after it). Raises BadInput, naming file and line, for
    longer holes, other numbers of samples, values outside 0-100, broken archives and everything else.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _planetlab(path, _folder(path))
        if not path.exists():
            raise BadInput(f"{path}: no such file or folder; give {FORMS}")
        if path.name.lower().endswith(ARCHIVES):
            return _planetlab(path, _archive(path))
        if path.suffix.lower() == ".csv":
            return read_csv(path)
    except OSError as why:
        raise BadInput(f"{path}: cannot be read: {why.strerror or why}") from why
    raise BadInput(f"{path}: not a trace that is known; give {FORMS}")


def _planetlab(path: Path, files: Iterator[tuple[str, bytes]]) -> Trace:
    series: dict[str, list[float]] = {}
    where = ""
    samples = 0
    for name, content in files:
        where = f"{path}: {name}"
        if name in series:
            raise BadInput(f"{where} is there twice; give one day at a time")
        series[name] = values = _values(content, where)
        if not samples and len(values) % PLANETLAB_SAMPLES == 0:
            samples = len(values)
        if not values or len(values) != (samples or PLANETLAB_SAMPLES):
            raise BadInput(
                f"{where} has {len(values)} samples; right is {samples or PLANETLAB_SAMPLES} lines, "
                f"one percent every {PLANETLAB_INTERVAL_S:.0f} s"
            )
    if not series:
        raise BadInput(
            f"{path}: no files in it; a PlanetLab trace has one file per server, {PLANETLAB_SAMPLES} lines each"
        )
    names = sorted(series)
    fractions, holes = bridge(np.array([series[name] for name in names]), names, str(path))
    return Trace(tuple(names), fractions, PLANETLAB_INTERVAL_S, holes)


def _values(content: bytes, where: str) -> list[float]:
    try:
        lines = content.decode("ascii").splitlines()
    except UnicodeDecodeError:
        raise BadInput(f"{where} is not text; a PlanetLab file has one percent per line") from None
    while len(lines) > PLANETLAB_SAMPLES and not lines[-1].strip():
        del lines[-1]
    return [percent(line, f"{where}:{number}") for number, line in enumerate(lines, start=1)]


def _folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(path.iterdir()):
        if file.name.startswith("."):
            continue
        if file.is_dir():
            raise BadInput(f"{path}: {file.name} is a folder; give the folder of one day, with one file per server")
        if file.stat().st_size > MEMBER_BYTES:
            raise BadInput(f"{file} is larger than {MEMBER_BYTES >> 20} MiB; a PlanetLab file has one percent per line")
        yield file.name, file.read_bytes()


def _archive(path: Path) -> Iterator[tuple[str, bytes]]:
    """Members in memory, one after the other: nothing is extracted to disk, so no path in the archive matters."""
    unpacked = 0
    try:
        with tarfile.open(path, "r:*") as archive:
            for member in archive:
                name = member.name.rsplit("/", 1)[-1]
                if member.isdir() or name.startswith("."):
                    continue
                content = archive.extractfile(member) if member.isfile() else None
                if content is None:
                    raise BadInput(
                        f"{path}: {member.name} is no plain file; a PlanetLab archive holds only plain files"
                    )
                unpacked += member.size
                if member.size > MEMBER_BYTES or unpacked > ARCHIVE_BYTES:
                    raise BadInput(f"{path}: {member.name} is too large; a PlanetLab file has one percent per line")
                data = content.read()
                if len(data) != member.size:
                    raise BadInput(f"{path}: ends in the middle of {member.name}; fetch the archive again")
                yield name, data
    except (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as why:
        raise BadInput(f"{path}: the archive is broken or cut off ({why}); fetch it again") from why
