"""`watari notify test`: whether notifications arrive."""

import argparse
from collections.abc import Iterable, Sequence
from typing import Any

from watari.cli.base import WatariLister
from watari.cli.exits import FAILED
from watari.errors import BadInput
from watari.plan.text import printable

COLUMNS = ("Target", "Kind", "Arrived", "Came back")


class NotifyTest(WatariLister):
    """Send a test message to the targets of a file, and say what came back

    The file is the one that `watari serve --notify` reads. Each target is tried once. No address and no key is shown.
    """

    examples = """
        examples:
          watari notify test notify.yaml
          watari notify test notify.yaml --target ops

        exit codes:
          0 all have taken it   1 one has not   2 the file is wrong
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.add_argument("file", metavar="FILE", help="the file of targets")
        parser.add_argument("--target", metavar="NAME", help="only this one")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[Sequence[str], Iterable[Any]]:
        from watari.app.notify.targets import parse_targets
        from watari.app.notify.trying import try_out
        from watari.app.serving.notify_file import read_targets

        self.check_columns(parsed_args, COLUMNS)
        targets = parse_targets(*read_targets(parsed_args.file))
        names = [target.name for target in targets]
        if parsed_args.target is not None and parsed_args.target not in names:
            known = ", ".join(names) or "none"
            raise BadInput(f"no target {parsed_args.target} in {parsed_args.file}; known: {known}")
        chosen = [target for target in targets if parsed_args.target in (None, target.name)]
        self.afterword = "" if chosen else f"{parsed_args.file} names no target"
        tried = [(target, *try_out(target)) for target in chosen]
        self.status = self.status if all(arrived for _, arrived, _ in tried) else FAILED
        return COLUMNS, [(t.name, t.kind, "yes" if arrived else "no", printable(said)) for t, arrived, said in tried]
