"""Processes that outlive the command which started them: pid files that a re-used pid cannot fool, signals, memory."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watari.lab.paths import write_text

STOPPED = "T"
GONE = ("Z", "X")
TICK_S = 0.05
KILLED_S = 10.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A process for sure: its pid, when it began (clock ticks since boot), and in which boot of the machine."""

    pid: int
    started: int
    boot: str

    def __str__(self) -> str:
        return f"{self.pid} {self.started} {self.boot}\n"


def boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class Stat:
    """What the kernel says of a process: state letter, session, threads, start in clock ticks since boot."""

    state: str
    session: int
    threads: int
    started: int

    @property
    def gone(self) -> bool:
        """A zombie whose threads have ended as well: before that it still has its ports and files."""
        return self.state in GONE and self.threads <= 1


def stat_of(pid: int) -> Stat | None:
    """None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(")")[2].split()  # the command's name, in parentheses, may hold anything
    return Stat(fields[0], int(fields[3]), int(fields[17]), int(fields[19]))


def identify(pid: int) -> Identity | None:
    stat = stat_of(pid)
    return None if stat is None or stat.gone else Identity(pid, stat.started, boot_id())


def read_pid_file(path: Path) -> Identity | None:
    """The process of a pid file, if it still runs. What is not a pid file names no process."""
    try:
        pid, started, boot = path.read_text().split()
        claimed = Identity(int(pid), int(started), boot)
    except (FileNotFoundError, ValueError):
        return None
    with suppress(ChildProcessError):
        os.waitpid(claimed.pid, os.WNOHANG)  # our own child would stay a zombie
    return claimed if identify(claimed.pid) == claimed else None


def spawn(argv: Sequence[str], env: Mapping[str, str], log: Path, pid_file: Path) -> Identity | None:
    """Start a process in a session of its own, its output to the end of `log`. None if it ended at once."""
    log.parent.mkdir(parents=True, exist_ok=True)
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawnp(
        argv[0], list(argv), dict(env), file_actions=actions, setsid=True, setsigmask=(), setsigdef=[signal.SIGPIPE]
    )
    identity = identify(pid)
    if identity:
        write_text(pid_file, str(identity))
    return identity


def send(pid_file: Path, number: signal.Signals, *, whole_group: bool = True) -> None:
    """Signal a process, with those that it started; nothing if it does not run."""
    identity = read_pid_file(pid_file)
    if identity is None:
        return
    with suppress(ProcessLookupError):
        if whole_group:
            os.killpg(identity.pid, number)
        else:
            os.kill(identity.pid, number)


def kill(pid_file: Path) -> None:
    """SIGKILL to a process and all of its group, and wait until they are gone, with their ports and files."""
    identity = read_pid_file(pid_file)
    if identity is not None:
        _end_session(identity.pid)
    pid_file.unlink(missing_ok=True)


def stop(pid_file: Path, timeout_s: float, *, whole_group: bool = False) -> bool:
    """Ask a process to end, wait, then insist; what it leaves behind is killed. Whether it ended by itself."""
    identity = read_pid_file(pid_file)
    if identity is None:
        pid_file.unlink(missing_ok=True)
        return True
    send(pid_file, signal.SIGCONT)
    send(pid_file, signal.SIGTERM, whole_group=whole_group)
    by_itself = _until(lambda: read_pid_file(pid_file) is None, timeout_s)
    _end_session(identity.pid)
    pid_file.unlink(missing_ok=True)
    return by_itself


def sessions() -> Iterator[tuple[int, int]]:
    """(pid, session) of all processes that are not gone."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := stat_of(int(entry.name))) and not stat.gone:
            yield int(entry.name), stat.session


def paused(identity: Identity) -> bool:
    stat = stat_of(identity.pid)
    return stat is not None and stat.state == STOPPED


def memory_mib(leaders: Sequence[int]) -> dict[int, float]:
    """Memory of sessions by their leaders' pids, shared pages divided among those who share them (PSS)."""
    totals = dict.fromkeys(leaders, 0.0)
    for pid, session in sessions():
        if session in totals:
            with suppress(OSError):
                for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                    if line.startswith("Pss:"):
                        totals[session] += int(line.split()[1]) / 1024
    return totals


def _end_session(leader: int) -> None:
    """SIGKILL to whatever is left of a session that was started here. Its number is no one else's until it is empty."""
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)
    _until(lambda: all(session != leader for _, session in sessions()), KILLED_S)


def _until(reached: Callable[[], bool], timeout_s: float) -> bool:
    end = time.monotonic() + timeout_s
    while not reached():
        if time.monotonic() > end:
            return False
        time.sleep(TICK_S)
    return True
