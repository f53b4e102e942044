"""Nova's zygote, with services that only sleep: whoever looks on never misses one that is being started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import watari.lab.virt

ZYGOTE = Path(watari.lab.virt.__file__).with_name("zygote.py")
# The script without Nova; a pid file takes its time, as on a machine that is busy.
SLOW = f"""
import runpy, sys, time
sys.argv = ["zygote.py", sys.argv[1]]
script = runpy.run_path({str(ZYGOTE)!r}, run_name="zygote")
at, write_pid = script["serve"].__globals__, script["write_pid"]
def slowly(service):
    time.sleep(0.5)
    write_pid(service)
at["write_pid"], at["become"] = slowly, lambda service: time.sleep(60)
script["serve"]()
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folders = {name: str(tmp_path / name) for name in ("run", "log", "etc")}
    for folder in folders.values():
        Path(folder).mkdir()
    (tmp_path / "zygote.json").write_text(json.dumps(folders))
    return tmp_path / "run"


def test_a_service_is_wanted_or_there_at_every_moment_and_started_once(run: Path) -> None:
    zygote = subprocess.Popen([sys.executable, "-c", SLOW, str(run.parent / "zygote.json")])
    started: list[int] = []
    try:
        _until(lambda: (run / "nova-zygote.ready").exists())
        wish, pid_file = run / "want" / "nova-compute@cmp01", run / "nova-compute@cmp01.pid"
        wish.touch()
        while True:
            wanted = wish.exists()
            there = pid_file.exists()
            assert wanted or there
            if not wanted:
                break
            time.sleep(0.001)
        started.append(int(pid_file.read_text().split()[0]))
        time.sleep(0.5)
        assert int(pid_file.read_text().split()[0]) == started[0], "not started again"
        assert zygote.poll() is None
        os.kill(started[0], signal.SIGKILL)
        wish.touch()
        _until(lambda: int(pid_file.read_text().split()[0]) != started[0])
        started.append(int(pid_file.read_text().split()[0]))
    finally:
        zygote.terminate()
        zygote.wait(10)
        for pid in started[1:]:
            os.kill(pid, signal.SIGKILL)


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
