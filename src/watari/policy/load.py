"""Load a policy by path or by name: YAML in, a typed policy out, or all that is wrong with it at once."""

import hashlib
import json
from dataclasses import fields, is_dataclass, replace
from datetime import time, tzinfo
from importlib import resources
from pathlib import Path

from watari.errors import BadInput
from watari.policy.contradictions import contradictions
from watari.policy.document import Problem, read_document, read_file
from watari.policy.kinds import did_you_mean
from watari.policy.schema import read_keys
from watari.policy.values import Policy

DEFAULT = "default"


def policy_text(ref: str | Path | None = None) -> tuple[str, str]:
    """The text that `load_policy` would read, and its source, so that a policy can be kept and parsed elsewhere."""
    name = DEFAULT if ref is None else ref
    if isinstance(name, str) and name in shipped_policies():
        return (_FILES / f"{name}.yaml").read_text(encoding="utf-8"), f"{name}.yaml"
    try:
        return read_file(Path(name)), str(name)
    except FileNotFoundError:
        raise BadInput(_no_such_policy(str(name))) from None


def load_policy(ref: str | Path | None = None) -> Policy:
    """The policy of a file, or the shipped one of that name; None is the shipped `default`.

    A text that is the name of a shipped policy means that one; `./default` means a file. Raises BadInput with one line
    per problem, each with file, line, key and what would be right.
    """
    return parse_policy(*policy_text(ref))


def shipped_policies() -> tuple[str, ...]:
    """The names that `load_policy` knows without a path."""
    return tuple(sorted(entry.name.removesuffix(".yaml") for entry in _FILES.iterdir() if entry.name.endswith(".yaml")))


def parse_policy(text: str, source: str) -> Policy:
    """The policy written in `text`; `source` names it in errors, and is its name when the text gives none.

    Keys that are not written have their defaults: an empty text is the default policy. Raises BadInput.
    """
    document = read_document(text, source)
    policy, wrong = read_keys(document, Path(source).stem or DEFAULT)
    problems = [*document.problems, *wrong]
    problems += contradictions(policy, document, [problem.path for problem in problems])
    if problems:
        raise BadInput(_report(problems, source))
    return replace(policy, digest=policy_digest(policy))


def policy_digest(policy: Policy) -> str:
    """12 hex digits over what plans are made under and carried out by.

    A policy's name, its file's formatting, the order of lists and `serve` do not count.
    """
    values = {field.name: _canonical(getattr(policy, field.name)) for field in fields(policy) if field.name != "serve"}
    text = json.dumps(values | {"name": "", "digest": ""}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _canonical(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _canonical(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, (tuple, frozenset)):
        items = {json.dumps(_canonical(item), sort_keys=True) for item in value}
        return sorted(items)
    if isinstance(value, (time, tzinfo)):
        return str(value)
    return value


def _report(problems: list[Problem], source: str) -> str:
    in_order = sorted(problems, key=lambda problem: problem.line)
    return "\n".join(f"{source}:{problem.line}: {problem}" for problem in in_order)


def _no_such_policy(name: str) -> str:
    shipped = shipped_policies()
    near = did_you_mean(name, shipped) if name not in shipped else ""
    return f"{name}: no such file{f'; {near}' if near else ''}; the shipped policies are {', '.join(shipped)}"


_FILES = resources.files("watari.policy") / "files"
