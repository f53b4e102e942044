"""Read YAML as plain text values that know their lines, so that a later complaint can name one.

Scalars stay text: YAML 1.1 would turn `11:45` into 705, `no` into false and `1_000` into 1000. Anchors, aliases and
tags are refused: nothing in a policy needs them, and a `*` that starts a pattern without quotes is an alias to YAML.
Other files of ours are read by the same rules, and called by their own `Words`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml
from yaml.error import MarkedYAMLError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from yaml.reader import ReaderError

from watari.errors import BadInput

KeyPath = tuple[str | int, ...]
Value = str | None | list["Value"] | dict[str, "Value"]

MAX_BYTES = 256 * 1024
MAX_DEPTH = 16
NONE = ("none", "null", "~")


@dataclass(frozen=True, slots=True)
class Words:
    """What complaints call the file: one of it, several, and how one begins."""

    one: str
    many: str
    such_as: str


POLICY = Words("a policy", "policies", "detect: {steal: 5 %}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: at `line` (1 is the first), about `path`, in one sentence."""

    line: int
    path: KeyPath
    text: str

    def __str__(self) -> str:
        """In one line, whatever was written in the file."""
        text = f"{dotted(self.path)}: {self.text}" if self.path else self.text
        return "".join(character if character.isprintable() else " " for character in text)


@dataclass(frozen=True, slots=True)
class Document:
    """A mapping as it was written. `lines` has every path in it; `problems` are keys given twice."""

    values: dict[str, Value]
    lines: Mapping[KeyPath, int]
    problems: tuple[Problem, ...]

    def line(self, path: KeyPath) -> int:
        """The line of `path`, or of the nearest thing around it that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_file(path: Path, words: Words = POLICY) -> str:
    """The text of a file of at most MAX_BYTES. Raises BadInput; FileNotFoundError is the caller's to explain."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise
    except IsADirectoryError:
        raise BadInput(f"{path}: is a directory; name {words.one} file in it") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(raw) > MAX_BYTES:
        raise BadInput(f"{path}: is over {MAX_BYTES // 1024} KiB; this is not {words.one} file")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        bad = f"byte 0x{raw[error.start]:02x}"
        raise BadInput(f"{path}:{line}: is not UTF-8 ({bad}); save the file with the encoding UTF-8") from None


def read_document(text: str, source: str, words: Words = POLICY) -> Document:
    """The one mapping in `text`; nothing at all is an empty mapping. Raises BadInput with file and line."""
    try:
        root = _Composer(text, words).get_single_node()
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"the character U+{error.character:04X} is not allowed; remove it"
        raise BadInput(f"{source}:{line}: not valid YAML: {found}") from None
    except _Unused as error:
        raise BadInput(f"{source}:{error}") from None
    except MarkedYAMLError as error:
        raise BadInput(f"{source}:{_sentence(error, words)}") from None
    if root is None or _is_empty(root):
        return Document({}, {}, ())
    if not isinstance(root, MappingNode):
        kind = "a list" if isinstance(root, SequenceNode) else "a single value"
        raise BadInput(f"{source}:{_line(root)}: is {kind}; {words.one} is a mapping such as {words.such_as}")
    lines: dict[KeyPath, int] = {}
    problems: list[Problem] = []
    values = _mapping(root, (), lines, problems)
    return Document(values, lines, tuple(problems))


def dotted(path: KeyPath) -> str:
    """`budgets.peaks[0].moves`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


class _Composer(yaml.BaseLoader):
    """PyYAML's composer without anchors, aliases, tags and depth that would exhaust the stack."""

    depth = 0

    def __init__(self, text: str, words: Words) -> None:
        super().__init__(text)
        self.words = words

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        peek: Callable[[], yaml.Event] = self.peek_event
        event = peek()
        if isinstance(event, yaml.AliasEvent):
            name = event.anchor
            raise _Unused(event, f'*{name} is an alias to YAML; quote a pattern: "*{name}", or write the value out')
        if anchor := getattr(event, "anchor", None):
            raise _Unused(event, f"the anchor &{anchor} is not used in {self.words.many}; write the value out")
        if tag := getattr(event, "tag", None):
            tag = tag.replace("tag:yaml.org,2002:", "!!")
            raise _Unused(event, f"the tag {tag} is not used in {self.words.many}; remove it, or quote the value")
        if self.depth >= MAX_DEPTH:
            raise _Unused(event, f"nested over {MAX_DEPTH} deep; {self.words.one} has keys in sections, no more")
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


class _Unused(Exception):
    """YAML that a policy does not use: its line and what to write in its place."""

    def __init__(self, event: yaml.Event, text: str) -> None:
        super().__init__(f"{event.start_mark.line + 1 if event.start_mark else 1}: {text}")


def _mapping(node: MappingNode, path: KeyPath, lines: dict[KeyPath, int], problems: list[Problem]) -> dict[str, Value]:
    values: dict[str, Value] = {}
    first: dict[str, int] = {}
    for key, value in node.value:
        line = _line(key)
        if not isinstance(key, ScalarNode) or not key.value:
            problems.append(Problem(line, path, "a key must be a name; remove this one"))
            continue
        here = (*path, str(key.value))
        if key.value in values:
            problems.append(Problem(line, here, f"is given twice, first in line {first[key.value]}; keep one of them"))
            continue
        lines[here] = line if not isinstance(value, ScalarNode) or _is_empty(value) else _line(value)
        first[key.value] = line
        values[key.value] = _value(value, here, lines, problems)
    return values


def _value(node: Node, path: KeyPath, lines: dict[KeyPath, int], problems: list[Problem]) -> Value:
    if isinstance(node, MappingNode):
        return _mapping(node, path, lines, problems)
    if isinstance(node, ScalarNode):
        return None if node.style is None and node.value.lower() in NONE else str(node.value).strip()
    items: list[Value] = []
    for index, item in enumerate(node.value):
        lines[(*path, index)] = _line(item)
        items.append(_value(item, (*path, index), lines, problems))
    return items


def _is_empty(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is None and not node.value


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1


def _sentence(error: MarkedYAMLError, words: Words) -> str:
    """`LINE: what is wrong; what would be right` for what PyYAML found."""
    found = (error.problem or "").split("\n")[0]
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    line = mark.line + 1 if mark else 1
    if found.startswith("but found another document"):
        return f"{line}: a second document starts here; {words.one} is one document, remove the line ---"
    if "\\t" in found:
        return f"{line}: not valid YAML: a tab where spaces belong; indent with spaces"
    if error.context == "while scanning an alias":
        return f'{line}: a "*" without quotes is an alias to YAML; put the pattern in quotes: "*"'
    if opened and ("stream" in found or "document" in found):
        what = "quote" if "quoted" in (error.context or "") else "bracket"
        return f"{opened.line + 1}: not valid YAML: the {what} opened here is never closed; close it"
    if found.startswith("mapping values are not allowed"):
        return f'{line}: not valid YAML: a ":" where none can be; indent like the lines above, or quote the text'
    if found.startswith("could not find expected ':'"):
        return f'{opened.line + 1 if opened else line}: not valid YAML: a line without "key: value"; add the ":"'
    if found.startswith("expected <block end>"):
        return f"{line}: not valid YAML: indented unlike the lines above it; line it up with them"
    return f"{line}: not valid YAML: {found}; correct the line"
