"""`python -m lab.few N …`: the command, with room for N operations in a process: small runs are shared, too."""

import sys
from functools import partial

from watari.app import runs
from watari.cli.main import main

if __name__ == "__main__":
    runs.Engine = partial(runs.Engine, at_once=int(sys.argv[1]))  # type: ignore[attr-defined, assignment]
    sys.exit(main(sys.argv[2:]))
