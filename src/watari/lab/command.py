"""Run a command to its end, its output in a log."""

import subprocess
import threading

from watari.errors import Permanent
from watari.lab.place import Place

_running: set[subprocess.Popen[bytes]] = set()  # so that an interrupted start can end them, whichever thread waits
_guard = threading.Lock()


def run_logged(place: Place, service: str, argv: tuple[str, ...]) -> None:
    """Run one command to its end, its output into the service's log. Raises Permanent with the log's last lines."""
    log = place.paths.log_of(service)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as file:
        try:
            process = subprocess.Popen(
                argv, env=place.environment(), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
            )
        except FileNotFoundError:
            raise Permanent(f"{service}: there is no program {argv[0]}; is its package installed?") from None
        with _guard:
            _running.add(process)
        try:
            code = process.wait()
        finally:
            with _guard:
                _running.discard(process)
    if code:
        raise Permanent(f"{service}: `{' '.join(argv[:4])} …` failed; the end of {log}:\n{tail(log.read_bytes())}")


def end_commands() -> None:
    """End the commands that run now; those who wait for them get an error."""
    with _guard:
        for process in _running:
            process.terminate()


def tail(content: bytes, lines: int = 15) -> str:
    """The last lines of a log, indented."""
    last = content.decode(errors="replace").rstrip().splitlines()[-lines:]
    return "\n".join(f"    {line[:300]}" for line in last)
