"""Options that several commands have, worded and checked once."""

import argparse
import getpass
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from watari.errors import BadInput

if TYPE_CHECKING:
    from watari.act.durable.audit import Actor

SIM = "sim[:HOSTS[/SERVERS]][@SEED]"


def add_cloud(parser: argparse.ArgumentParser, why: str) -> None:
    """--cloud, --fresh and --os-cloud."""
    parser.add_argument(
        "--cloud",
        metavar="CLOUD",
        help=f"{why}: a name of clouds.yaml or libvirt.yaml, or {SIM}, the embedded, simulated one",
    )
    parser.add_argument(
        "--fresh", action="store_true", help="begin with a simulated cloud anew instead of where the last command left"
    )
    parser.add_argument("--os-cloud", metavar="NAME", help="the same, as other OpenStack clients call it")


def add_policy(parser: argparse.ArgumentParser) -> None:
    """--policy."""
    parser.add_argument(
        "--policy", metavar="NAME|FILE", help="a shipped policy or a YAML file (default: the shipped default policy)"
    )


def add_database(parser: argparse.ArgumentParser) -> None:
    """--database."""
    parser.add_argument(
        "--database",
        metavar="FILE|URL",
        help="where runs are kept: a SQLite file or postgresql://... (default: $WATARI_DATABASE, else what stands in "
        "the file $WATARI_DATABASE_FILE, else runs.db in the state directory)",
    )


def add_log_format(parser: argparse.ArgumentParser) -> None:
    """--log-format."""
    parser.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="lines for people, or one JSON object a line with run and operation ids (default: text)",
    )


def actor() -> "Actor":
    """The same, for the record of changes (watari audit)."""
    from watari.act.durable.audit import Actor

    return Actor(whoami(), "cli")


def whoami() -> str:
    """Who asks, for the record: the user of this machine."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for its user
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def check_cloud(parsed_args: argparse.Namespace) -> None:
    """Settle which cloud is meant; forget a simulated one if asked to. Raises BadInput for what fits nothing."""
    if parsed_args.os_cloud is not None:
        if parsed_args.cloud is not None:
            raise BadInput("--cloud and --os-cloud exclude each other: name one")
        parsed_args.cloud = parsed_args.os_cloud
    if parsed_args.fresh:
        if not parsed_args.cloud or not parsed_args.cloud.startswith("sim"):
            raise BadInput("--fresh begins with a simulated cloud anew: name it with --cloud sim")
        from watari.app.clouds import forget_sim

        forget_sim(parsed_args.cloud)


def check_output(path: str | None) -> None:
    """A plan is written by renaming over `path`, so it must not be a device, a pipe or a directory. Raises BadInput."""
    if path is not None and Path(path).exists() and not Path(path).is_file():
        raise BadInput(f"{path}: is no regular file; name one, such as plan.json")
    if path in ("", "-"):
        raise BadInput("-o names the file to write, such as -o plan.json")
