"""`watari lab up|status|down|reset`: a real OpenStack on this machine."""

import argparse
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from watari.cli.base import WatariCommand, WatariLister
from watari.cli.exits import DONE

if TYPE_CHECKING:
    from watari.lab.lab import Lab

_COLUMNS = ("Service", "State", "PID", "Port", "Memory MiB", "Note")
_SHAPE = ("computes", "zones", "base_port")


class LabUp(WatariCommand):
    """Start a real OpenStack on this machine

    Keystone, Glance, Placement, Neutron and Nova with some compute hosts whose servers cost nothing, on RabbitMQ,
    MariaDB and memcached, watched by Prometheus; everything listens on 127.0.0.1 alone. Two hosts are overloaded from
    the start. The first time it installs what is missing and takes some minutes, later half a minute; on a lab that
    runs it starts what does not. Needs Debian or Ubuntu, and root as long as packages are missing.
    """

    examples = """
        examples:
          watari lab up
          watari lab up --computes 20 --dir /srv/lab
          watari lab up --dir /srv/other --base-port 22000      a second one beside the first

        exit codes:
          0 it runs   1 a service did not start (its log is shown)   2 usage, or packages are missing
          11 another watari starts or stops this lab   130 interrupted: what was started was stopped again
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        _add_dir(parser)
        _add_shape(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.lab.measured import wait_for_metrics

        lab = _described(parsed_args, self)
        lab.up()
        wait_for_metrics(lab.spec, self.hint)  # so that the next command finds every server's load
        if not self.quiet:
            self.stdout.write(next_steps(lab))
        return DONE


class LabStatus(WatariLister):
    """Show the services of the lab

    Every service with its state (up, down, paused; dead for a host that a test has killed), its process and memory, and
    what Nova says about the compute hosts.
    """

    examples = """
        examples:
          watari lab status
          watari lab status -f json | jq -r '.[] | select(.State != "up") | .Service'
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        _add_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[object, ...]]]:
        self.check_columns(parsed_args, _COLUMNS)
        lab = _existing(parsed_args, self)
        rows = lab.status()
        not_up = sum(row.state != "up" for row in rows)
        self.afterword = "start what does not run: watari lab up" if not_up else ""
        return _COLUMNS, [(row.name, row.state, row.pid, row.port, round(row.memory_mib), row.note) for row in rows]


class LabDown(WatariCommand):
    """Stop the lab

    Stops everything that `watari lab up` has started. Servers and data stay for the next `watari lab up`.
    """

    examples = """
        examples:
          watari lab down
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        _add_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        _existing(parsed_args, self).down()
        self.hint("stopped; data stays, `watari lab up` goes on with it")
        return DONE


class LabReset(WatariCommand):
    """Bring the lab back to its first state

    Stops everything, forgets data and faults, starts again with the sample servers.
    """

    examples = """
        examples:
          watari lab reset
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        _add_dir(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        lab = _existing(parsed_args, self)
        lab.reset()
        if not self.quiet:
            self.stdout.write(next_steps(lab))
        return DONE


def next_steps(lab: "Lab") -> str:
    """What to try in a lab that runs."""
    cloud = shlex.quote(str(lab.paths.clouds_yaml))
    hot = lab.spec.hosts[0]
    return f"""\
the lab runs; to use it in this shell:
  export OS_CLIENT_CONFIG_FILE={cloud}
then:
  watari plan balance --cloud lab -o p.json
  watari apply p.json
  watari plan drain {hot} --cloud lab
  openstack --os-cloud lab server list --all-projects --long
Prometheus: {lab.spec.url("prometheus")}    logs: {lab.paths.log}
"""


def _add_dir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir",
        type=Path,
        metavar="DIR",
        help="the lab's folder (default: $WATARI_LAB_DIR, else $XDG_CACHE_HOME/watari/lab or ~/.cache/watari/lab)",
    )


def _add_shape(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--computes", type=int, metavar="N", help="compute hosts, 1 to 80 (default: as before, else 6)")
    parser.add_argument("--zones", type=int, metavar="N", help="availability zones (default: as before, else 2)")
    parser.add_argument(
        "--base-port",
        type=int,
        metavar="PORT",
        help="the first of a dozen ports in a row (default: as before, else 21000)",
    )


def _described(parsed_args: argparse.Namespace, command: WatariCommand) -> "Lab":
    """The lab in the folder, changed as the options say; a new one if there is none."""
    from watari.lab.lab import Lab
    from watari.lab.paths import default_dir

    shape = {name: value for name in _SHAPE if (value := getattr(parsed_args, name)) is not None}
    return Lab.described(parsed_args.dir or default_dir(), shape, command.hint)


def _existing(parsed_args: argparse.Namespace, command: WatariCommand) -> "Lab":
    from watari.lab.lab import Lab
    from watari.lab.paths import default_dir

    return Lab.open(parsed_args.dir or default_dir(), command.hint)
