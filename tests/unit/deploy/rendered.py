"""What is under deploy/, as the tools that it is for see it."""

import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
KUSTOMIZE = DEPLOY / "kustomize"
OVERLAYS = ("base", "overlays/example", "overlays/sqlite")
MISSING = "neither kustomize nor kubectl is installed here: kustomizations are not rendered"
Object = dict[str, Any]


def documents(path: Path) -> list[Object]:
    """The objects of one file."""
    return [each for each in yaml.safe_load_all(path.read_text(encoding="utf-8")) if each]


@cache
def rendered(name: str) -> tuple[Object, ...]:
    """A kustomization's objects. Skips the test where nothing can render it."""
    if program := shutil.which("kustomize"):
        command = [program, "build"]
    elif program := shutil.which("kubectl"):
        command = [program, "kustomize"]
    else:
        pytest.skip(MISSING)
    ended = subprocess.run([*command, str(KUSTOMIZE / name)], capture_output=True, text=True, timeout=60)
    assert ended.returncode == 0, ended.stderr
    assert not ended.stderr, "no warning of something that is going away"
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
