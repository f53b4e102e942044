"""`watari demo`: lines, numbers, the live view on a terminal, the page, Ctrl-C."""

import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import urllib.request
from collections.abc import Callable

import pytest
from rich.console import Console

from unit.cli.conftest import Run
from watari.app.clouds import SimSize
from watari.app.demo import Demo
from watari.cli.demo_view import drawn, format_clock
from watari.policy.load import load_policy

Program = Callable[..., "subprocess.Popen[str]"]
SMALL = "sim:6/80@2"


def test_without_a_terminal_it_is_a_line_per_hour_and_the_numbers(run: Run) -> None:
    ended = run("demo", "--cloud", SMALL, "--seconds", "0", "--no-page")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"{SMALL}, policy default, balancer on at 12:15"
    assert [line[:5] for line in lines[1:25]] == [f"{hour:02d}:00" for hour in range(1, 25)]
    assert lines[25] == f"{SMALL}, policy default: 12:15 to 24:00, beside doing nothing"
    assert [line.split()[0] for line in lines[26:]] == [
        "starved",
        "steal",
        "avoided",
        "longest",
        "moves",
        "moved",
    ]
    assert max(map(len, lines[25:])) <= 80


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cloud", "prod"], 'watari: unknown cloud "prod": use sim'),
        (["--policy", "nope"], "watari: nope: no such file; the shipped policies are"),
        (["--stay", "--no-page"], "watari: --stay keeps the page, --no-page serves none: leave one of them away"),
        (["--seconds", "-1"], 'argument --seconds: "-1" is not a number of seconds from 0 to 86400'),
        (["--seconds", "nan"], 'argument --seconds: "nan" is not a number of seconds from 0 to 86400'),
        (
            ["--cloud", "sim:3", "--port", "99999"],
            'argument --port: "99999" is not a port from 0 (any free one) to',
        ),
    ],
)
def test_bad_arguments(run: Run, words: list[str], said: str) -> None:
    ended = run("demo", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_ctrl_c_ends_it_with_the_numbers_so_far(program: Program) -> None:
    with program("demo", "--cloud", SMALL, "--seconds", "600", "--no-page") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (130, "")
    assert re.fullmatch(r"ended at \d\d:\d\d, before the balancer was switched on at 12:15: nothing to compare\n", out)


def test_the_page_stays_until_ctrl_c(program: Program) -> None:
    with program("demo", "--cloud", "sim:3", "--seconds", "0", "--port", "0", "--stay") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("the page stays at "):
                break
        url = line.split()[4]
        with urllib.request.urlopen(f"{url}v1/clouds/demo/state", timeout=10) as answer:
            assert b'"sim:3/38@1"' in answer.read()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_the_live_view_gives_the_terminal_back() -> None:
    process, terminal = pty.fork()
    if process == 0:
        words = ["demo", "--cloud", SMALL, "--seconds", "30", "--no-page"]
        os.execve(sys.executable, [sys.executable, "-m", "watari", *words], {**os.environ, "TERM": "xterm"})
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
    seen, pressed, deadline = b"", False, time.monotonic() + 60
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1.0)[0]:
            continue
        try:
            seen += os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not pressed and b"when nothing is done" in seen:
            pressed = True
            os.write(terminal, b"\x03")
    os.close(terminal)
    _, status = os.waitpid(process, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert seen.count(b"\x1b[?1049h") == 1
    after = seen.partition(b"\x1b[?1049l")[2]
    assert after.startswith((b"ended at ", SMALL.encode())), after
    assert b"\x1b[?25h" in seen
    assert b"Traceback" not in seen


@pytest.fixture(scope="module")
def noon() -> Demo:
    """A small cloud just after the balancer was switched on, with moves under way."""
    demo = Demo(load_policy(), SimSize(10, 125, 2))
    while not (demo.acting and demo.cloud.flights_progress()) and not demo.over:
        demo.advance()
    return demo


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 40), (200, 60)])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_the_picture_fits(noon: Demo, width: int, height: int, ascii_only: bool) -> None:
    console = Console(width=width, height=height, file=io.StringIO(), color_system=None)
    console.print(drawn(noon, "http://127.0.0.1:8765/", width, height, ascii_only=ascii_only))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert lines[0].startswith(f"watari demo  {noon.spec.name}  12:")
    assert lines[0].endswith("http://127.0.0.1:8765/")
    assert lines[1].startswith("starved ")
    assert lines[2].startswith("moves ")
    assert any(re.match(r"  \S+ az\d-h\d+ -> az\d-h\d+ ", line) for line in lines)
    for zone in noon.spec.zones:
        assert any(line.startswith(f"{zone} ") for line in lines)
    if ascii_only:
        assert "".join(lines).isascii()


def test_the_clock_of_a_day() -> None:
    assert (format_clock(0), format_clock(44100), format_clock(86400)) == ("00:00", "12:15", "24:00")
