"""The policy file's schema: what pydantic and editors make of the table of keys."""

import json
import sys
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ValidationError
from pydantic_core import ErrorDetails

from watari.policy import kinds, windows
from watari.policy.document import Document, KeyPath, Problem
from watari.policy.keys import SECTIONS, TOP
from watari.policy.kinds import Json, Key
from watari.policy.values import Policy


def shown(policy: Policy, path: KeyPath) -> str:
    """A policy's value at (key,) or (section, key), as one would write it in the file."""
    *section, name = (str(part) for part in path)
    holder = getattr(policy, section[0]) if section else policy
    key = SECTIONS[section[0]][1][name] if section else TOP[name]
    return key.kind.show(getattr(holder, key.field) if key.field else True)


def read_keys(document: Document, name: str) -> tuple[Policy, tuple[Problem, ...]]:
    """The policy in a document and all that is wrong in it; a key that is wrong has its default in the policy.

    `name` is the policy's name when the document gives none.
    """
    try:
        return _policy(_MODEL.model_validate(document.values), name), ()
    except ValidationError as error:
        found = [(detail["loc"], _sentence(detail)) for detail in error.errors(include_url=False)]
    right = {key: dict(value) if isinstance(value, dict) else value for key, value in document.values.items()}
    for path, _ in found:
        _drop(right, path)
    problems = tuple(Problem(document.line(path), path, text) for path, text in found)
    return _policy(_MODEL.model_validate(right), name), problems


def policy_json_schema() -> dict[str, Any]:
    """The schema as JSON Schema, for editors. Ranges between keys are checked by `load_policy` alone."""
    default = Policy()
    properties = {name: _described(key, shown(default, (name,))) for name, key in TOP.items()}
    for section, (_, table) in SECTIONS.items():
        inner = {name: _described(key, shown(default, (section, name))) for name, key in table.items()}
        properties[section] = {"type": ["object", "null"], "additionalProperties": False, "properties": inner}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Watari policy",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _described(key: Key, default: str) -> Json:
    return {**key.kind.schema, "description": f"{key.why} Default: {default}"}


def _section(example: str) -> BeforeValidator:
    """A check that a section is a mapping; one whose keys are all commented out is an empty one."""

    def check(value: object) -> object:
        value = {} if value == "" else value
        if not isinstance(value, Mapping):
            raise ValueError(f"is {kinds.named(value)}; write its keys below it, such as {example}")
        return value

    return BeforeValidator(check)


def _make_model() -> type[BaseModel]:
    default = Policy()
    top: dict[str, tuple[Any, Any]] = {name: (key.kind.type, getattr(default, key.field)) for name, key in TOP.items()}
    for section, (cls, table) in SECTIONS.items():
        holder = getattr(default, section)
        keys = {name: (key.kind.type, getattr(holder, key.field) if key.field else True) for name, key in table.items()}
        model: Any = kinds.strict_model(cls.__name__, keys)
        first = next(iter(table))
        top[section] = (Annotated[model, _section(f"{first}: {shown(default, (section, first))}")], model())
    return kinds.strict_model("Policy", top)


def _policy(keys: BaseModel, name: str) -> Policy:
    values: dict[str, Any] = {key.field: getattr(keys, top) for top, key in TOP.items()}
    for section, (cls, table) in SECTIONS.items():
        model = getattr(keys, section)
        values[section] = cls(**{key.field: getattr(model, inner) for inner, key in table.items() if key.field})
    if "name" not in keys.model_fields_set:
        values["name"] = name
    return Policy(**values)


def _drop(values: dict[str, Any], path: KeyPath) -> None:
    match path:
        case (str(section), str(key), *_) if isinstance(values.get(section), dict):
            values[section].pop(key, None)
        case (str(key), *_):
            values.pop(key, None)


def _sentence(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return _unknown(detail["loc"])
        case "missing":
            return "is missing; a window needs both from and to"
        case "value_error":
            return str(detail["ctx"]["error"])
        case _:
            return detail["msg"]


def _unknown(path: KeyPath) -> str:
    """What an unknown key could have meant: a neighbour by spelling, or a key of another section."""
    name, known = str(path[-1]), _neighbours(path)
    if near := kinds.did_you_mean(name, known):
        return f"unknown key; {near}"
    homes = [section for section, (_, table) in SECTIONS.items() if name in table]
    if homes:
        return f"unknown key here; it belongs under {' or '.join(f'{home}:' for home in homes)}"
    if name in TOP:
        return "unknown key here; it belongs to the top of the file, not indented"
    if name == "<<":
        return "merge keys are not used in policies; write the keys out"
    return f"unknown key; known here: {', '.join(known)}"


def _neighbours(path: KeyPath) -> tuple[str, ...]:
    match path:
        case (_,):
            return (*TOP, *SECTIONS)
        case ("budgets", "quiet", _, _):
            return tuple(windows.QUIET_KEYS)
        case ("budgets", "peaks", _, _):
            return tuple(windows.PEAK_KEYS)
        case (str(section), *_):
            return tuple(SECTIONS[section][1])
    return ()


_MODEL = _make_model()

if __name__ == "__main__":
    json.dump(policy_json_schema(), sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")
