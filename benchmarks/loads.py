"""Where the CPU loads of the benchmark's servers come from: a day of the PlanetLab traces, or a built-in stand-in."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from statistics import NormalDist

from watari.errors import BadInput

NOON = 144  # a trace file has one sample per 5 minutes from midnight on


@dataclass(frozen=True, slots=True)
class Loads:
    """Samples of CPU utilisation in percent of a server's vCPUs, in a fixed order, and a sentence on their origin."""

    percent: tuple[int, ...]
    origin: str
    synthetic: bool


def planetlab(path: Path) -> Loads:
    """The samples at 12:00 of one day: a folder with a file per server, or that folder as .tar.xz.

    The order is that of the sorted file names, because the cluster draws from the list by index.
    Raises BadInput for a path that is neither, and for a file that has no integer at 12:00.
    """
    if not path.exists():
        raise BadInput(f"{path}: no such file or folder; give one day of the PlanetLab traces, as folder or .tar.xz")
    try:
        texts = sorted(_folder(path) if path.is_dir() else _archive(path))
    except tarfile.TarError as error:
        raise BadInput(f"{path}: not a tar archive ({error}); give a folder or .tar.xz of one day") from error
    if not texts:
        raise BadInput(f"{path}: no trace files in it; give the folder of one day, with one file per server")
    return Loads(tuple(_noon(path, name, text) for name, text in texts), f"{path.name} at 12:00", synthetic=False)


def synthetic() -> Loads:
    """A heavy-tailed stand-in for when no trace is at hand; its results are not comparable with published figures.

    1,000 quantiles of a log-normal distribution, capped at 100 %. Median 5 % and sigma 1.25 were chosen by hand so that
    the mean is about 11 % and 1 to 2 % of the samples are over 70 %, which is what is documented of the PlanetLab days.
    """
    median, sigma, samples = 5.0, 1.25, 1000
    normal = NormalDist(log(median), sigma)
    percent = tuple(min(100, int(exp(normal.inv_cdf((i + 0.5) / samples)))) for i in range(samples))
    return Loads(percent, "built-in log-normal distribution", synthetic=True)


def _folder(path: Path) -> Iterator[tuple[str, str]]:
    for file in path.iterdir():
        if file.is_file():
            yield file.name, file.read_text(encoding="utf-8", errors="replace")


def _archive(path: Path) -> Iterator[tuple[str, str]]:
    with tarfile.open(path) as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None:
                yield Path(member.name).name, content.read().decode("utf-8", errors="replace")


def _noon(path: Path, name: str, text: str) -> int:
    samples = text.split()
    try:
        return int(samples[NOON])
    except (IndexError, ValueError):
        raise BadInput(
            f"{path}: {name} has no whole number as sample {NOON + 1} (12:00) of its {len(samples)}; "
            "a PlanetLab file has 288 lines, one per 5 minutes"
        ) from None
