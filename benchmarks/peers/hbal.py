"""Ganeti's hbal as a contender: its Debian packages unpacked under `.bench/`, and one run of it."""

import os
import re
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cluster import Cluster
from benchmarks.contender import Absent, Answer
from benchmarks.peers.hbal_text import read_placement, write_cluster
from benchmarks.peers.openstack_watcher import last_line

PACKAGE = "ganeti-htools"


@dataclass(frozen=True, slots=True)
class Hbal:
    """An hbal that runs here; `libraries` are folders with shared libraries that the machine itself does not have."""

    binary: Path
    libraries: tuple[Path, ...]
    work: Path

    def plan(self, cluster: Cluster, max_moves: int, keep_zones: bool, limit_s: float) -> Answer:
        """Let hbal look for up to `max_moves` moves; one that is stopped after `limit_s` counts with what it found.

        Its CPU seconds are those of the whole process: reading the cluster's files takes about 0.1 s of them.
        """
        data, utilisation = self.work / "hbal.data", self.work / "hbal.util"
        write_cluster(cluster, data, utilisation, keep_zones)
        command = [str(self.binary), "-t", str(data), "-U", str(utilisation), "-l", str(max_moves)]
        note = f"at most {max_moves} moves"
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            done = subprocess.run(command, capture_output=True, text=True, env=self._environment(), timeout=limit_s)
            printed = done.stdout
            if done.returncode:
                raise Absent(f"hbal failed: {last_line(done.stderr or done.stdout)}")
        except subprocess.TimeoutExpired as error:
            # Bytes even with text=True; hbal flushes every move that it prints, so they are whole lines but the last.
            printed = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else (error.stdout or "")
            note += f", stopped after {limit_s:.0f} s"
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Answer(cpu_s, read_placement(cluster, printed), note=note)

    def _environment(self) -> dict[str, str]:
        environment = dict(os.environ, LC_ALL="C.UTF-8")
        if self.libraries:
            environment["LD_LIBRARY_PATH"] = os.pathsep.join(map(str, self.libraries))
        return environment


def prepare(bench: Path) -> Hbal:
    """The machine's own hbal, else the one of Debian's or Ubuntu's packages, unpacked under `bench`. Absent if neither.

    Nothing is installed: packages are downloaded with apt (no root needed) and unpacked, so no service, no user and no
    configuration of Ganeti comes to the machine.
    """
    if own := shutil.which("hbal"):
        return Hbal(Path(own), (), bench)
    home = bench / "htools"
    unpacked = home / "unpacked"
    if not unpacked.exists():
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
            raise Absent("hbal is not on the PATH, and there is no apt to fetch ganeti-htools with")
        print(f"== making {home}: {PACKAGE} with apt, unpacked there, not installed (once)", flush=True)
        _download(home)
        partial = home / "partial"
        for package in sorted(home.glob("*.deb")):
            _run(["dpkg-deb", "--extract", str(package), str(partial)])
        partial.rename(unpacked)
    binary = next((path for path in sorted(unpacked.glob("usr/lib/ganeti/*/usr/bin/hbal"))), unpacked / "usr/bin/hbal")
    if not binary.exists():
        raise Absent(f"the package {PACKAGE} of this distribution has no hbal where it is looked for ({binary})")
    libraries = tuple(sorted({path.parent for path in unpacked.glob("**/lib/**/*.so.*")}))
    hbal = Hbal(binary, libraries, bench)  # not resolved: one binary does what its name says
    _run([str(hbal.binary), "--version"], hbal._environment())
    return hbal


def _download(home: Path) -> None:
    """The package and those it depends on that the machine does not have, as .deb files."""
    home.mkdir(parents=True, exist_ok=True)
    ask = ["apt-get", "install", "--simulate", "--no-install-recommends", PACKAGE]
    asked = subprocess.run(ask, capture_output=True, text=True)
    if asked.returncode and os.geteuid() == 0:  # a fresh container has no package lists
        _run(["apt-get", "update", "--quiet"])
        asked = subprocess.run(ask, capture_output=True, text=True)
    if asked.returncode:
        raise Absent(f"apt does not know {PACKAGE}: {last_line(asked.stderr)} (is `apt-get update` needed?)")
    missing = re.findall(r"^Inst (\S+)", asked.stdout, re.MULTILINE)
    _run(["apt-get", "download", "--quiet", *missing], cwd=home)


def _run(command: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=cwd)
    if done.returncode:
        raise Absent(f"{' '.join(command[:2])} failed: {last_line(done.stderr or done.stdout)}")
