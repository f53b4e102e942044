"""Run commands in this process, each with a state directory of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from unit.cli.cluster import written
from watari.cli.main import main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    """`run("plan", "balance")` is `watari plan balance`."""

    def run_main(*words: str) -> Ended:
        capfd.readouterr()
        code = main(list(words))
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return run_main


class Started(subprocess.Popen[str]):
    """As a context: ended by whatever ends the test, instead of waited for."""

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *rest)


@pytest.fixture
def program() -> Callable[..., "subprocess.Popen[str]"]:
    """`python -m watari …` as a process of its own, which a test that fails does not wait for."""

    def start(*words: str, **environment: str) -> "subprocess.Popen[str]":
        return Started(
            [sys.executable, "-m", "watari", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env={**os.environ, **environment},
        )

    return start


@pytest.fixture
def cluster_file(tmp_path: Path) -> str:
    path = tmp_path / "cluster.json"
    path.write_text(written(), encoding="utf-8")
    return str(path)
