"""Options that several commands have, worded and checked once."""

import argparse
from pathlib import Path

from watari.errors import BadInput

SIM = "sim[:HOSTS[/SERVERS]][@SEED]"


def add_cloud(parser: argparse.ArgumentParser, why: str) -> None:
    """--cloud, --fresh and --os-cloud."""
    parser.add_argument("--cloud", metavar="CLOUD", help=f"{why}; {SIM} is the embedded, simulated one")
    parser.add_argument(
        "--fresh", action="store_true", help="begin with a simulated cloud anew instead of where the last command left"
    )
    parser.add_argument("--os-cloud", metavar="NAME", help="a cloud of clouds.yaml (comes with a later release)")


def add_policy(parser: argparse.ArgumentParser) -> None:
    """--policy."""
    parser.add_argument(
        "--policy", metavar="NAME|FILE", help="a shipped policy or a YAML file (default: the shipped default policy)"
    )


def check_cloud(parsed_args: argparse.Namespace) -> None:
    """Refuse what does not exist yet or fits nothing; forget a simulated cloud if asked to. Raises BadInput."""
    if parsed_args.os_cloud is not None:
        raise BadInput(
            f"--os-cloud {parsed_args.os_cloud}: real clouds come with a later release; use --cloud sim or --snapshot"
        )
    if parsed_args.fresh:
        if not parsed_args.cloud:
            raise BadInput("--fresh begins with a simulated cloud anew: name it with --cloud sim")
        from watari.app.clouds import forget_sim

        forget_sim(parsed_args.cloud)


def check_output(path: str | None) -> None:
    """A plan is written by renaming over `path`, so it must not be a device, a pipe or a directory. Raises BadInput."""
    if path is not None and Path(path).exists() and not Path(path).is_file():
        raise BadInput(f"{path}: is no regular file; name one, such as plan.json")
    if path in ("", "-"):
        raise BadInput("-o names the file to write, such as -o plan.json")
