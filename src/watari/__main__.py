"""`python -m watari` is `watari`."""

import sys

from watari.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
