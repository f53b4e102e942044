"""`python -m lab.dying before|after STATE …`: the command, killed just before or after it writes that state down.

Before: the transaction with the journal's entry is about to be committed. After: it has just been.
"""

import os
import signal
import sys
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine.default import DefaultDialect

from watari.cli.main import main


def die_when(moment: str, state: str) -> None:
    """From now on this process kills itself at the commit that writes an entry of that state."""
    marked: set[int] = set()

    @event.listens_for(sa.Engine, "before_cursor_execute")
    def see(connection: Any, cursor: Any, statement: str, parameters: Any, *_: object) -> None:
        words = parameters.values() if isinstance(parameters, dict) else parameters
        if statement.lower().startswith("insert into watari_entries") and state in words:
            marked.add(id(connection.connection.dbapi_connection))

    commit: Any = DefaultDialect.do_commit

    def do_commit(self: DefaultDialect, connection: Any) -> None:
        doomed = id(getattr(connection, "dbapi_connection", connection)) in marked
        if doomed and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        commit(self, connection)
        if doomed:
            os.kill(os.getpid(), signal.SIGKILL)

    DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]


if __name__ == "__main__":
    die_when(sys.argv[1], sys.argv[2])
    sys.exit(main(sys.argv[3:]))
