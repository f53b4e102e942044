"""The `watari` program: global options, finding the command, and the one place where every error ends."""

import argparse
import logging
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from cliff.app import App
from cliff.help import HelpAction, HelpCommand, HelpExit

import watari
from watari.cli.commands import Commands
from watari.cli.exits import DONE, USAGE, report, streams_are_safe
from watari.errors import BadInput

DESCRIPTION = "Moves servers in OpenStack clouds without anyone noticing. Observe, plan, act: two verbs to learn."
FIRST_STEPS = """\
first steps:
  watari demo                                 a day of an embedded cloud in a minute
  watari plan balance --cloud sim -o plan.json
  watari apply plan.json
  watari help plan balance                    options, examples
"""


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns its exit code. Never raises, never prints a traceback without --debug."""
    arguments = sys.argv[1:] if argv is None else argv
    _replace_closed_streams()
    streams_are_safe()
    try:
        code = _ended(arguments)
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        code = report(error, sys.stderr, debug="--debug" in arguments)
        _drop_what_cannot_be_written()
    return code


class Watari(App):
    """cliff's App without its interactive mode, its completion command and its log file."""

    NAME = "watari"
    LOG = logging.getLogger("watari")
    command_manager: Commands

    def __init__(self) -> None:
        super().__init__(DESCRIPTION, watari.__version__, Commands(), deferred_help=True)
        self.command_manager = Commands()  # cliff has added its own help and completion to the other one
        self.command_manager.add_command("help", Help)

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """The global options; they may stand anywhere, also after the command."""
        parser = argparse.ArgumentParser(
            prog="watari",
            usage="watari [--version] [-v | -q] [--debug] COMMAND [options]",
            description=description,
            epilog=FIRST_STEPS,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            add_help=False,
            allow_abbrev=False,
        )
        parser.add_argument("-h", "--help", dest="deferred_help", action="store_true", help="show this and exit")
        parser.add_argument("--version", action="version", version=f"watari {version}", help="show it and exit")
        noise = parser.add_mutually_exclusive_group()
        noise.add_argument(
            "-v", "--verbose", dest="verbose_level", action="count", default=1, help="say more; twice: everything"
        )
        noise.add_argument(
            "-q", "--quiet", dest="verbose_level", action="store_const", const=0, help="no hints, no progress"
        )
        parser.add_argument("--debug", action="store_true", help="show tracebacks of errors")
        return parser

    def run(self, argv: list[str]) -> int:
        """One command. Errors go up to `main`."""
        self.options, words = self.parser.parse_known_args(argv)
        self.interactive_mode = False
        level = {0: logging.ERROR, 1: logging.WARNING, 2: logging.INFO}.get(self.options.verbose_level, logging.DEBUG)
        logging.getLogger().setLevel(level)
        if not words:
            with suppress(HelpExit):
                HelpAction([], argparse.SUPPRESS, default=self)(self.parser, self.options, None)
            return DONE if self.options.deferred_help else USAGE
        if self.options.deferred_help:
            words = ["help", *(word for word in words if not word.startswith("-"))]
        return self.run_subcommand(words)

    def run_subcommand(self, argv: list[str]) -> int:
        """Find the command, parse its options, run it. Raises BadInput for words that are no command."""
        try:
            factory, name, rest = self.command_manager.find_command(argv)
        except ValueError:
            raise BadInput(self.command_manager.unknown(argv)) from None
        command = factory(self, self.options, cmd_name=name)
        return command.run(command.get_parser(f"{self.NAME} {name}").parse_args(rest))


class Help(HelpCommand):
    """Print the help of a command"""

    def take_action(self, parsed_args: argparse.Namespace) -> int:
        if parsed_args.cmd:
            try:
                self.app.command_manager.find_command(parsed_args.cmd)
            except ValueError:
                raise BadInput(Commands().unknown(parsed_args.cmd)) from None
        return super().take_action(parsed_args)


class _Words(logging.Formatter):
    """Our own warnings begin as all that we say does; a library's with its name."""

    def format(self, record: logging.LogRecord) -> str:
        words = super().format(record)
        return f"watari: {words.split(': ', 1)[1]}" if record.name.startswith("watari.") else words


class _Logging:
    """Warnings of libraries on standard error while a command runs; undone after: `main` may be called again."""

    def __init__(self, stderr: TextIO) -> None:
        self._handler = logging.StreamHandler(stderr)
        self._handler.setFormatter(_Words("%(name)s: %(message)s"))
        self._level = logging.getLogger().level

    def __enter__(self) -> None:
        logging.getLogger().addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(self._level)


def _ended(arguments: list[str]) -> int:
    try:
        with _Logging(sys.stderr):
            return Watari().run(arguments)
    except SystemExit as end:  # argparse and cliff's help end so
        return end.code if isinstance(end.code, int) else DONE


def _drop_what_cannot_be_written() -> None:
    """Else the interpreter complains about a closed pipe or a full disk once more when it ends."""
    try:
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)


def _replace_closed_streams() -> None:
    """A program started with closed streams (`>&-`) has None there; then nobody listens."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_WRONLY), "w", encoding="utf-8"))


if __name__ == "__main__":
    sys.exit(main())
