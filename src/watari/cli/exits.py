"""How a command ends: the exit codes, and what is said on standard error when it fails."""

import errno
import sys
import traceback
from typing import Final, TextIO

from watari.errors import BadInput, Busy, Stale, WatariError
from watari.plan.text import printable

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
PARTLY: Final = 3  # finished, but operations failed or were skipped
CHANGES: Final = 4  # the plan is not empty; only when asked for
FINDINGS: Final = 5  # nothing could be planned because of what was found
BUSY: Final = 11  # another watari works on the same cloud
STALE: Final = 12
INTERRUPTED: Final = 130  # 128 + SIGINT
PIPE_CLOSED: Final = 141  # 128 + SIGPIPE: whoever read the output went away

_CODES: Final[tuple[tuple[type[BaseException], int], ...]] = (
    (BadInput, USAGE),
    (Busy, BUSY),
    (Stale, STALE),
    (WatariError, FAILED),
    (KeyboardInterrupt, INTERRUPTED),
    (BrokenPipeError, PIPE_CLOSED),
)


def exit_code(error: BaseException) -> int:
    """The exit code of an error that ended a command; 1 for one that nobody foresaw."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def report(error: BaseException, stderr: TextIO, *, debug: bool) -> int:
    """Say on `stderr` what ended the command, with a traceback only if `debug`; returns the exit code."""
    if debug and not isinstance(error, BrokenPipeError):
        traceback.print_exception(error, file=stderr)
    if words := _words(error, debug):
        say(words, stderr)
    return exit_code(error)


def say(text: str, stderr: TextIO) -> None:
    """Lines for a person, after `watari: `; never fails, as there is nowhere left to complain."""
    try:
        stderr.write(f"watari: {chr(10).join(printable(line) for line in text.splitlines())}\n")
        stderr.flush()
    except (OSError, ValueError):  # ValueError: the stream is closed
        return


def _words(error: BaseException, debug: bool) -> str:
    match error:
        case BrokenPipeError():
            return ""
        case KeyboardInterrupt():
            return "interrupted"
        case WatariError():
            return str(error)
        case OSError(errno=errno.ENOSPC | errno.EIO | errno.EDQUOT):
            return f"the output cannot be written: {error.strerror}"
        case MemoryError():
            return "out of memory; plan a smaller part of the cloud, or use a machine with more"
    again = "" if debug else "; this is a bug; run again with --debug"
    words = " ".join(str(error).split())
    return f"{type(error).__name__}{f': {words}' if words else ''}{again}"


def streams_are_safe() -> None:
    """No name on earth may end a command: what a terminal's encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
