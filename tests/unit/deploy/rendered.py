"""What is under deploy/, as the tools that it is for see it."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from watari.cli.main import Watari

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
KUSTOMIZE = DEPLOY / "kustomize"
OVERLAYS = ("base", "overlays/example", "overlays/sqlite")
MISSING = "neither kustomize nor kubectl (1.25 or newer) is installed here: kustomizations are not rendered"
Object = dict[str, Any]


def documents(path: Path) -> list[Object]:
    """The objects of one file."""
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


@cache
def renderer() -> tuple[str, ...]:
    """The program that renders. Skips the test where there is none, or only one from before there were components."""
    if program := shutil.which("kustomize"):
        return program, "build"
    if program := shutil.which("kubectl"):
        about = [program, "version", "--client", "--output=json"]
        said = subprocess.run(about, capture_output=True, text=True, timeout=60).stdout
        if "kustomizeVersion" in said:
            return program, "kustomize"
    pytest.skip(MISSING)


@cache
def rendered(name: str) -> tuple[Object, ...]:
    """A kustomization's objects. Skips the test where nothing can render it."""
    command = [*renderer(), str(KUSTOMIZE / name)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, ""), "and no warning of something that is going away"
    return tuple(yaml.safe_load_all(ended.stdout))


def of(objects: tuple[Object, ...], kind: str) -> dict[str, Object]:
    """Those of a kind, by name."""
    return {each["metadata"]["name"]: each for each in objects if each["kind"] == kind}


def pods(objects: tuple[Object, ...]) -> Iterator[tuple[str, Object]]:
    """The pods that deployments make, each with its deployment's name."""
    for name, deployment in of(objects, "Deployment").items():
        yield name, deployment["spec"]["template"]["spec"]


def container(pod: Object) -> Object:
    """A pod's only one."""
    (only,) = pod["containers"]
    assert isinstance(only, dict)
    return only


def unknown(words: Sequence[str]) -> list[str]:
    """Words after `watari` that its command does not know. Raises SystemExit for what is wrong in those it knows."""
    app = Watari()
    factory, name, rest = app.command_manager.find_command(list(words))
    return list(factory(app, None, cmd_name=name).get_parser(name).parse_known_args(rest)[1])
