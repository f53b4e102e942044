"""`python -m watari.lab up|status|down|reset [--dir DIR] [--computes N] [--zones N] [--base-port PORT]`."""

import argparse
import sys
from pathlib import Path

from watari.errors import WatariError
from watari.lab.lab import Lab
from watari.lab.paths import default_dir

SHAPE = ("computes", "zones", "base_port")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m watari.lab")
    parser.add_argument("verb", choices=("up", "status", "down", "reset"))
    parser.add_argument("--dir", type=Path, default=default_dir())
    parser.add_argument("--computes", type=int)
    parser.add_argument("--zones", type=int)
    parser.add_argument("--base-port", type=int)
    asked = parser.parse_args()
    shape = {name: value for name in SHAPE if (value := getattr(asked, name)) is not None}
    try:
        lab = Lab.described(asked.dir, shape, print) if asked.verb == "up" else Lab.open(asked.dir, print)
        if asked.verb == "status":
            for row in lab.status():
                where = f"{row.pid or '':>7} {row.port or '':>6} {row.memory_mib:6.0f}"
                print(f"{row.name:20} {row.state:7} {where} {row.note}")
        else:
            getattr(lab, asked.verb)()
    except WatariError as error:
        print(f"watari: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
