"""Read a scenario file, play its directives in order, and compare (or rewrite) what each of them says.

A file is a story in blocks that are separated by empty lines:

    # A comment says what happens and why it matters.
    directive word word key=value
    a line of its body
    ----
    what it must say

The directives are in `stage/directives.py`, each with a line on what it does.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from stage.directives import Story

RULER = "----"


@dataclass(frozen=True, slots=True)
class Directive:
    """One block: `head` is its text as written, `line` where it begins."""

    line: int
    head: str
    command: str
    body: tuple[str, ...]
    expected: str


def replay(path: Path, *, rewrite: bool) -> None:
    """Play the story. Raises AssertionError with every block that says something else than it should."""
    story, blocks, differences = Story(), [], []
    for directive in parse(path.read_text(encoding="utf-8"), path.name):
        said = story.play(directive.command, directive.body, f"{path.name}:{directive.line}")
        blocks.append(f"{directive.head}\n{RULER}\n{said}\n")
        if said != directive.expected:
            differences.append(
                f"{path.name}:{directive.line}: {directive.command}\n"
                f"--- expected\n{directive.expected}\n--- said\n{said}\n"
            )
    if rewrite:
        path.write_text("\n".join(blocks), encoding="utf-8")
    elif differences:
        raise AssertionError("\n\n" + "\n".join(differences) + "\nRun pytest --rewrite if the change is right.")


def parse(text: str, name: str) -> list[Directive]:
    """The blocks of a file. A block without a ruler has no expectation yet; `--rewrite` gives it one."""
    directives = []
    for match in re.finditer(r"(?:^.+\n?)+", text, re.MULTILINE):
        line = text.count("\n", 0, match.start()) + 1
        head, _, expected = f"{match.group().rstrip()}\n".partition(f"\n{RULER}\n")
        lines = [each for each in head.rstrip("\n").split("\n") if not each.startswith("#")]
        if not lines:
            raise AssertionError(f"{name}:{line}: a comment needs a directive below it")
        directives.append(Directive(line, head.rstrip("\n"), lines[0], tuple(lines[1:]), expected.rstrip("\n")))
    return directives
