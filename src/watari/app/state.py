"""Where Watari keeps what has to survive a process: journals and simulated clouds."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from watari.errors import BadInput, Permanent


def state_dir() -> Path:
    """`$WATARI_STATE_DIR`, else the platform's place for state (`$XDG_STATE_HOME` or ~/.local/state) + /watari."""
    named = os.environ.get("WATARI_STATE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "watari"


def write_atomically(path: Path, content: bytes) -> None:
    """All or nothing, also when the disk is full: a temporary file beside it, fsync, rename.

    Raises BadInput for what is there and is not a file (a device, a folder): it must not be replaced.
    """
    if path.exists() and not path.is_file():
        raise BadInput(f"{path} is not a regular file; name another")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            try:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
        Path(file.name).replace(path)
    except OSError as e:
        raise Permanent(f"cannot write {path}: {e.strerror or e}. Free space or name another place.") from e


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in the file; None if there is no such file."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as e:
        raise BadInput(f"{path}: cannot be read ({e}); delete it to start anew") from e
    if not isinstance(value, dict):
        raise BadInput(f"{path}: does not hold an object; delete it to start anew")
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
