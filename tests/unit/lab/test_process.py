"""Pid files: which process they mean, also when the pid is somebody else's by now."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from watari.lab import process

SLEEP = (sys.executable, "-c", "import time; time.sleep(60)")
DEAF_CODE = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""
DEAF = (sys.executable, "-c", DEAF_CODE)
ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def pid_file(tmp_path: Path) -> Path:
    return tmp_path / "it.pid"


def started(pid_file: Path, argv: tuple[str, ...] = SLEEP) -> process.Identity:
    identity = process.spawn(argv, ENV, pid_file.with_suffix(".log"), pid_file)
    assert identity is not None
    return identity


def test_started_and_stopped(pid_file: Path) -> None:
    identity = started(pid_file)
    assert process.read_pid_file(pid_file) == identity
    assert os.getsid(identity.pid) == identity.pid  # Ctrl-C in the caller's terminal does not reach it
    assert process.stop(pid_file, 10)
    assert process.read_pid_file(pid_file) is None
    assert not pid_file.exists()


@pytest.mark.parametrize("wrong", ["started", "boot"])
def test_a_pid_that_was_given_away_is_not_ours(pid_file: Path, wrong: str) -> None:
    identity = started(pid_file)
    true = pid_file.read_text()
    claimed = {
        "started": process.Identity(identity.pid, identity.started - 1, identity.boot),
        "boot": process.Identity(identity.pid, identity.started, "another-boot"),
    }[wrong]
    pid_file.write_text(str(claimed))
    assert process.read_pid_file(pid_file) is None
    process.kill(pid_file)  # must not hit the stranger
    assert process.identify(identity.pid) == identity
    pid_file.write_text(true)
    process.kill(pid_file)
    assert process.identify(identity.pid) is None


@pytest.mark.parametrize("text", ["", "7", "one two three", "1 2 3 4"])
def test_what_is_no_pid_file_names_no_process(pid_file: Path, text: str) -> None:
    pid_file.write_text(text)
    assert process.read_pid_file(pid_file) is None


def test_a_process_that_does_not_listen_is_killed(pid_file: Path) -> None:
    started(pid_file, DEAF)
    log = pid_file.with_suffix(".log")
    while not log.read_bytes():  # until it ignores the signal
        pass
    assert not process.stop(pid_file, 0.2)
    assert process.read_pid_file(pid_file) is None


@pytest.mark.parametrize("end", [process.kill, lambda pid_file: process.stop(pid_file, 10)])
def test_nothing_of_it_is_left(pid_file: Path, end: Callable[[Path], object]) -> None:
    """A service's children have its ports: a start at once after its end must find them free."""
    children = "import subprocess, sys; [subprocess.Popen(['sleep', '60']) for _ in range(3)]; print('x', flush=True)"
    identity = started(pid_file, (sys.executable, "-c", f"{children}; import time; time.sleep(60)"))
    while not pid_file.with_suffix(".log").read_bytes():
        pass
    assert [session for _, session in process.sessions()].count(identity.pid) == 4
    end(pid_file)
    assert identity.pid not in [session for _, session in process.sessions()]


def test_paused_and_going_on(pid_file: Path) -> None:
    identity = started(pid_file)
    process.send(pid_file, signal.SIGSTOP)
    while not process.paused(identity):
        pass
    process.send(pid_file, signal.SIGCONT)
    while process.paused(identity):
        pass
    process.send(pid_file, signal.SIGSTOP)
    assert process.stop(pid_file, 10)  # a paused one is woken to end by itself


def test_memory_counts_the_whole_session(pid_file: Path) -> None:
    identity = started(pid_file)
    assert process.memory_mib([identity.pid, 999_999_999])[identity.pid] >= 0.0
    process.kill(pid_file)


def test_a_program_that_is_missing_is_an_error(pid_file: Path) -> None:
    with pytest.raises(FileNotFoundError):
        process.spawn(("no-such-program-at-all",), ENV, pid_file.with_suffix(".log"), pid_file)
