"""What a process that runs for months says: lines for people, or JSON for those who collect it."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Literal, TextIO

import structlog

Format = Literal["text", "json"]
FORMATS: Final[tuple[Format, ...]] = ("text", "json")
log = logging.getLogger("watari.serve")


@contextmanager
def saying(stream: TextIO, form: Format) -> Iterator[Callable[[str], None]]:
    """What says a line on `stream` while this is entered.

    As JSON, warnings and errors of all libraries are there, too, one object a line: `at` (UTC), `level`, `logger`,
    `text`, and where it is known `cloud`, `run` and `operation`; and every change as it is written down in the journal.
    """
    if form == "text":

        def say(line: str) -> None:
            stream.write(f"{datetime.now():%H:%M:%S} {line}\n")
            stream.flush()

        yield say
        return
    root, ours = logging.getLogger(), logging.getLogger("watari")
    before, levels = root.handlers[:], (root.level, ours.level)
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_json())
    root.handlers[:] = [handler]
    ours.setLevel(min(logging.INFO, root.level or logging.INFO))
    try:
        yield lambda line: log.info("%s", line)
    finally:
        root.handlers[:] = before
        root.setLevel(levels[0])
        ours.setLevel(levels[1])


def _json() -> logging.Formatter:
    about: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=about,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.EventRenamer("text"),
            structlog.processors.JSONRenderer(ensure_ascii=False, sort_keys=True),
        ],
    )
