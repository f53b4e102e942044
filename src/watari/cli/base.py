"""What all commands share: errors with exit codes, hints, examples in the help, and lists that can be a text too."""

import argparse
import inspect
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any, TextIO

from cliff._argparse import SmartHelpFormatter
from cliff.formatters.base import ListFormatter
from osc_lib.command import command
from stevedore.extension import Extension, ExtensionManager

from watari.cli.exits import DONE, report
from watari.errors import BadInput, WatariError

TEXT = "text"
_TEXT_ENTRY = EntryPoint(TEXT, "watari.cli.base:TextFormatter", "cliff.formatter.list")


class HelpFormatter(SmartHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Descriptions and examples keep their lines."""


class WatariCommand(command.Command):
    """A command. Its class docstring is its help, `examples` stand below; works under `openstack` as well."""

    auth_required = False  # for the openstack client: nothing here asks Keystone
    examples = ""
    status = DONE

    def get_description(self) -> str:
        return inspect.getdoc(type(self)) or ""

    def get_epilog(self) -> str:
        return inspect.cleandoc(self.examples)

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        parser = super().get_parser(prog_name)
        parser.formatter_class = HelpFormatter
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """What Watari raises on purpose ends here, as words and an exit code, whoever called."""
        try:
            return super().run(parsed_args) or self.status
        except WatariError as error:
            return report(error, self.stderr, debug=bool(getattr(self.app_args, "debug", False)))

    @property
    def stdout(self) -> TextIO:
        return self.app.stdout

    @property
    def stderr(self) -> TextIO:
        return self.app.stderr

    @property
    def quiet(self) -> bool:
        """-q: no hints, no progress."""
        return getattr(self.app_args, "verbose_level", 1) == 0

    def hint(self, text: str) -> None:
        """A line for a person, beside the output."""
        if not self.quiet:
            self.stderr.write(f"{text}\n")


class WatariLister(WatariCommand, command.Lister):
    """A command whose answer is a table, in every format of cliff's; `afterword` is a hint that follows it."""

    afterword = ""

    def formats(self, manager: "ExtensionManager[ListFormatter]") -> None:
        """For subclasses that know another format."""

    def _load_formatter_plugins(self) -> "ExtensionManager[ListFormatter]":
        manager = super()._load_formatter_plugins()
        self.formats(manager)
        return manager

    def produce_output(self, parsed_args: argparse.Namespace, column_names: Sequence[str], data: Any) -> int:
        code = super().produce_output(parsed_args, column_names, data)
        if self.afterword:
            self.stdout.flush()
            self.hint(self.afterword)
        return code

    def check_columns(self, parsed_args: argparse.Namespace, known: Sequence[str]) -> None:
        """Columns that were asked for and do not exist are an error. Raises BadInput."""
        if parsed_args.columns and parsed_args.formatter == TEXT:
            raise BadInput("-c chooses columns of a table; add -f table, json, yaml or csv")
        names = {self._normalize_column_name(name) for name in known}
        wanted = (*parsed_args.columns, *parsed_args.sort_columns)
        if unknown := [name for name in wanted if self._normalize_column_name(name) not in names]:
            raise BadInput(f"there is no column {', '.join(unknown)}; the columns are {', '.join(known)}")


class TextLister(WatariLister):
    """A list whose default format is a text that says more than its rows; `take_action` sets `text`."""

    @property
    def formatter_default(self) -> str:
        return TEXT

    def formats(self, manager: "ExtensionManager[ListFormatter]") -> None:
        self._text = TextFormatter()
        manager.extensions.append(Extension(TEXT, _TEXT_ENTRY, TextFormatter, self._text))

    @property
    def text(self) -> str:
        return self._text.text

    @text.setter
    def text(self, text: str) -> None:
        self._text.text = text


class TextFormatter(ListFormatter):
    """Writes the text that the command made, whatever the rows are."""

    def __init__(self) -> None:
        self.text = ""

    def add_argument_group(self, parser: argparse.ArgumentParser) -> None:
        """No options."""

    def emit_list(self, column_names: Any, data: Any, stdout: TextIO, parsed_args: argparse.Namespace) -> None:
        stdout.write(self.text)
