"""`watari snapshot`: export what planning sees."""

import argparse
import shlex

from watari.cli.base import WatariCommand
from watari.cli.exits import DONE
from watari.cli.options import add_cloud, check_cloud
from watari.errors import BadInput
from watari.plan.text import count


class Snapshot(WatariCommand):
    """Export a cloud as a snapshot file

    One reading of all hosts, servers, groups, loads and migrations as JSON: what `watari plan balance --snapshot` plans
    on, on any machine. A name that ends in .gz is compressed.
    """

    examples = """
        examples:
          watari snapshot --cloud sim -o cluster.json
          watari snapshot --cloud sim:1000/10000@7 -o big.json.gz
          watari snapshot --schema > snapshot.schema.json      to check files that you write yourself
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        add_cloud(parser, "the cloud to read")
        parser.add_argument("-o", "--output", metavar="FILE", default="-", help="default: standard output")
        parser.add_argument("--schema", action="store_true", help="print the JSON schema of snapshot files instead")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        from watari.app.snapshots import export_snapshot, snapshot_schema

        if parsed_args.schema:
            self.stdout.write(snapshot_schema())
            return DONE
        check_cloud(parsed_args)
        if not parsed_args.cloud:
            raise BadInput("name the cloud to read, such as --cloud sim")
        self.stdout.flush()
        path = parsed_args.output
        snapshot = export_snapshot(parsed_args.cloud, path)
        if path != "-":
            size = f"{count(len(snapshot.hosts), 'host')}, {count(len(snapshot.servers), 'server')}"
            self.hint(f"wrote {size}; plan for them: {shlex.join(['watari', 'plan', 'balance', '--snapshot', path])}")
        return DONE
