"""Where everything of a lab lies, how its files are written, and who may work on it."""

import errno
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watari.errors import BadInput, Busy, Permanent

_FULL = (errno.ENOSPC, errno.EDQUOT)


def default_dir() -> Path:
    """`$WATARI_LAB_DIR`, else the platform's place for what can be made again (`$XDG_CACHE_HOME` or ~/.cache)."""
    if named := os.environ.get("WATARI_LAB_DIR"):
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "watari" / "lab"


@dataclass(frozen=True, slots=True)
class LabPaths:
    """The folders and files of the lab at `root` (absolute).

    `venv` OpenStack's Python packages · `etc` configuration, written anew by every start · `data` databases, keys,
    images, the hosts' servers: what the template holds, and what only lives while the lab does · `run` pid files ·
    `log` · `state` demand and faults, which tests write.
    """

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / "venv"

    @property
    def etc(self) -> Path:
        return self.root / "etc"

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def clouds_yaml(self) -> Path:
        return self.root / "clouds.yaml"

    @property
    def description(self) -> Path:
        return self.root / "lab.json"

    @property
    def template(self) -> Path:
        return self.root / "template.tar"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def demand(self) -> Path:
        """{server id: cores}, over what the servers' metadata say."""
        return self.state / "demand.json"

    @property
    def mute(self) -> Path:
        """[server id]: servers that send no data."""
        return self.state / "mute.json"

    @property
    def dead(self) -> Path:
        """[host]: hosts that are switched off, with everything on them."""
        return self.state / "dead.json"

    @property
    def counters(self) -> Path:
        return self.data / "counters.json"

    def knobs(self, host: str) -> Path:
        """Faults that the virt driver of `host` plays."""
        return self.state / "knobs" / f"{host}.json"

    def servers(self, host: str) -> Path:
        """The servers of `host`, written by its virt driver."""
        return self.data / "nova" / host / "servers.json"

    def log_of(self, service: str) -> Path:
        return self.log / f"{service}.log"

    def pid_of(self, service: str) -> Path:
        return self.run / f"{service}.pid"

    def bin(self, program: str) -> str:
        return str(self.venv / "bin" / program)

    def make(self) -> None:
        """Make the folders. Raises BadInput if that is not possible here."""
        with told(self.root):
            for folder in (self.root, self.etc, self.run, self.log, self.state, self.state / "knobs"):
                folder.mkdir(parents=True, exist_ok=True)
            probe = self.root / ".writable"
            probe.write_bytes(b"")
            probe.unlink()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an error of the file system into words. Raises BadInput for a bad place, Permanent for a full disk."""
    try:
        yield
    except OSError as e:
        where = e.filename or path
        if e.errno in _FULL:
            raise Permanent(f"cannot write {where}: {e.strerror}; free space, or name another place with --dir") from e
        raise BadInput(f"cannot write {where}: {e.strerror or e}; name another place with --dir") from e


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """All or nothing: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            file.write(text)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def read_json(path: Path, default: Any) -> Any:
    """`default` if there is no such file, or nothing that can be read as JSON."""
    try:
        return json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return default


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lab's lock. Raises Busy, naming the process, when another starts or stops the same lab."""
    with told(path), path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read(20).strip() or "unknown"
            raise Busy(f"another watari starts or stops the lab in {path.parent} (pid {pid}); wait for it") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
