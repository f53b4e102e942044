"""Where Watari keeps what has to survive a process: journals and simulated clouds."""

import errno
import fcntl
import json
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from watari.errors import BadInput, Busy, Permanent

_FULL = (errno.ENOSPC, errno.EDQUOT)


def state_dir() -> Path:
    """`$WATARI_STATE_DIR`, else the platform's place for state (`$XDG_STATE_HOME` or ~/.local/state) + /watari."""
    named = os.environ.get("WATARI_STATE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "watari"


def database_url(named: str | None = None) -> str:
    """Where runs are kept: `--database`, else `$WATARI_DATABASE`, else what stands in the file `$WATARI_DATABASE_FILE`,
    else runs.db in the state directory. Raises BadInput, without the URL: it may hold a password.
    """
    place = named or os.environ.get("WATARI_DATABASE") or ""
    if not place and (file := os.environ.get("WATARI_DATABASE_FILE")):
        return _url_in(Path(file))
    if place and "://" not in place and not Path(place).expanduser().absolute().parent.is_dir():
        raise BadInput(f"{place}: there is no folder {Path(place).expanduser().parent}; make it, or name another place")
    return place or str(state_dir() / "runs.db")


def _url_in(file: Path) -> str:
    where = f"WATARI_DATABASE_FILE: {file}"
    try:
        url = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise BadInput(f"{where} cannot be read: {getattr(e, 'strerror', None) or 'it is no text'}") from None
    if "://" not in url or len(url.splitlines()) != 1:
        raise BadInput(f"{where} holds no URL; write one line into it: postgresql://USER:PASSWORD@HOST/NAME")
    return url


def write_atomically(path: Path, content: bytes) -> None:
    """All or nothing, also when the disk is full: a temporary file beside it, fsync, rename.

    A link stays, what it points to is replaced; a file keeps its mode, a new one gets the umask's. Raises BadInput for
    what is there and is not a file (a device, a folder), as it must not be replaced, and for a folder that is missing:
    only folders of the state directory are made.
    """
    try:
        target = Path(os.path.realpath(path))
        mode = _mode_of(target, path)
        if target.is_relative_to(os.path.realpath(state_dir())):
            target.parent.mkdir(parents=True, exist_ok=True)
        elif not target.parent.is_dir():
            raise BadInput(f"cannot write {path}: no such folder {target.parent}; make it, or name another place")
        _replace(target, content, mode)
    except OSError as e:
        advice = "; free space or name another place" if e.errno in _FULL else ""
        raise Permanent(f"cannot write {path}: {e.strerror or e}{advice}") from e


@contextmanager
def alone(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file at `path` while at work on `what`. Raises Busy, naming the process, when another holds it.

    The file stays: if it were deleted, one process could lock the old and another the new one.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as e:
        raise Permanent(f"cannot write {path}: {e.strerror or e}") from e
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            pid = file.read(20).strip() or "unknown"
            raise Busy(f"another watari works on {what} (pid {pid}); wait for it") from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def _mode_of(target: Path, named: Path) -> int | None:
    """The permissions of the file that will be replaced; None if there is none. Raises BadInput for what is no file."""
    try:
        mode = target.lstat().st_mode
    except (FileNotFoundError, NotADirectoryError):  # the latter is told as a missing folder
        return None
    if not stat.S_ISREG(mode):
        raise BadInput(f"{named} is not a regular file; name another")
    return stat.S_IMODE(mode)


def _replace(target: Path, content: bytes, mode: int | None) -> None:
    beside = target.with_name(f".{target.name[:200]}.{secrets.token_hex(6)}")
    number = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)  # less the umask
    try:
        with os.fdopen(number, "wb") as file:
            if mode is not None:
                os.fchmod(number, mode)
            file.write(content)
            file.flush()
            os.fsync(number)
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None if there is no such file. Raises BadInput, without the file's name."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as e:
        raise BadInput(f"cannot be read ({e})") from e
    if not isinstance(value, dict):
        raise BadInput("does not hold an object")
    return value


class JournalFile:
    """Journal entries as JSON lines, each on disk before the call returns."""

    def __init__(self, path: Path) -> None:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("a", encoding="utf-8")
        except OSError as e:
            raise Permanent(f"cannot write the journal {path}: {e.strerror or e}") from e
        self.path = path

    def write(self, row: dict[str, Any]) -> None:
        """Raises Permanent when the disk is full: nothing may be asked for that is not written down."""
        try:
            self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as e:
            raise Permanent(f"cannot write the journal {self.path}: {e.strerror or e}") from e

    def close(self) -> None:
        self._file.close()
