"""The program itself: help, version, unknown commands, and that no error ends in a traceback."""

import argparse
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import watari
from unit.cli.cluster import cluster, written
from unit.cli.conftest import Run
from watari.cli import osc
from watari.cli.commands import COMMANDS

Program = Callable[..., "subprocess.Popen[str]"]
ROOT = Path(__file__).parents[3]


def test_version(run: Run) -> None:
    ended = run("--version")
    assert (ended.code, ended.out, ended.err) == (0, f"watari {watari.__version__}\n", "")


def test_without_a_command_the_help_is_shown_and_the_code_is_2(run: Run) -> None:
    ended = run()
    assert ended.code == 2
    assert ended.out.startswith("usage: watari ")
    for name in COMMANDS:
        assert f"\n  {name}" in ended.out
    assert "complete" not in ended.out
    assert "Could not" not in ended.out
    assert run("--help").out == ended.out
    assert run("--help").code == 0
    assert run("help").code == 0


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(run: Run, name: str) -> None:
    ended = run("help", *name.split())
    assert ended.code == 0
    assert ended.out.startswith(f"usage: watari {name} ")
    assert f"examples:\n  watari {name}" in ended.out
    assert run(*name.split(), "--help") == ended


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["plan"], '"plan" is no command; use watari plan balance or watari plan drain'),
        (["plan", "ballast"], '"plan ballast" is no command; use watari plan balance or watari plan drain'),
        (["aply", "plan.json"], '"aply" is no command; did you mean apply?'),
        (
            ["fly"],
            f'"fly" is no command; the commands are {", ".join(sorted({*COMMANDS, "help"}))}',
        ),
        (["--nope"], "--nope is no global option; options of a command stand after it, see watari --help"),
        (["help", "aply"], '"aply" is no command; did you mean apply?'),
    ],
)
def test_what_is_no_command(run: Run, words: list[str], said: str) -> None:
    ended = run(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"watari: {said}\n"


def test_an_unknown_option_is_a_usage_error(run: Run) -> None:
    ended = run("plan", "balance", "--colud", "sim")
    assert ended.code == 2
    assert "watari plan balance: error: unrecognized arguments: --colud" in ended.err


def test_what_nobody_foresaw_is_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by\nzero")

    monkeypatch.setattr("watari.app.clouds.snapshot_of", broken)
    ended = run("plan", "balance", "--cloud", "sim")
    assert ended.code == 1
    assert ended.err == "watari: ZeroDivisionError: division by zero; this is a bug; run again with --debug\n"
    debugged = run("plan", "balance", "--cloud", "sim", "--debug")
    assert debugged.code == 1
    assert debugged.err.startswith("Traceback (most recent call last):\n")
    assert debugged.err.endswith("watari: ZeroDivisionError: division by zero\n")


def test_debug_shows_where_a_known_error_comes_from(run: Run) -> None:
    ended = run("--debug", "plan", "balance", "--snapshot", "nowhere.json")
    assert ended.code == 2
    assert "Traceback" in ended.err
    assert ended.err.endswith("or export one with `watari snapshot`\n")


def test_memory_and_interruption_have_words_of_their_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends_with(error: BaseException) -> Callable[..., None]:
        def end(*_: object, **__: object) -> None:
            raise error

        return end

    monkeypatch.setattr("watari.app.clouds.snapshot_of", ends_with(KeyboardInterrupt()))
    ended = run("plan", "balance", "--cloud", "sim")
    assert (ended.code, ended.err) == (130, "watari: interrupted\n")
    monkeypatch.setattr("watari.app.clouds.snapshot_of", ends_with(MemoryError()))
    ended = run("plan", "balance", "--cloud", "sim")
    assert ended.code == 1
    assert ended.err == "watari: out of memory; plan a smaller part of the cloud, or use a machine with more\n"


def test_starting_up_loads_no_arrays_and_no_web(tmp_path: Path) -> None:
    code = (
        "import sys; from watari.cli.main import main; "
        "main(['help', 'plan', 'balance']); main(['--version']); "
        "print(sorted({'numpy', 'pydantic', 'rich', 'starlette', 'openstack'} & set(sys.modules)), file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stderr == "[]\n"


@pytest.mark.parametrize("words", [["plan", "balance", "--snapshot"], ["plan", "balance", "-f", "json", "--snapshot"]])
def test_a_reader_that_goes_away_ends_it_quietly(cluster_file: str, words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "watari", "-q", *words, cluster_file], stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "ascii"}])
def test_no_name_is_too_foreign_for_a_terminal(program: Program, tmp_path: Path, environment: dict[str, str]) -> None:
    rows = [{**row, "name": f"ウェブ-{i}"} for i, row in enumerate(cluster()["servers"])]
    path = tmp_path / "cluster.json"
    path.write_text(written(servers=rows), encoding="utf-8")
    for more in ([], ["-f", "table"]):
        ended = program("plan", "balance", "--snapshot", str(path), *more, **environment)
        out, err = ended.communicate(timeout=60)
        assert ended.returncode == 0, err
        assert "live-migrate" in out or "h1" in out
        assert "Traceback" not in err


def test_a_full_disk_behind_standard_output_is_said(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "watari", "help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert ended.returncode == 1
    assert ended.stderr == "watari: the output cannot be written: No space left on device\n"


def test_closed_streams_are_no_trouble() -> None:
    ended = subprocess.run(["bash", "-c", f"{sys.executable} -m watari help >&- 2>&-"], check=False)
    assert ended.returncode == 0


def test_the_openstack_client_finds_the_same_commands() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["entry-points"]
    assert points["openstack.cli.extension"] == {"watari": "watari.cli.osc"}
    group = f"openstack.{osc.API_NAME}.v{osc.DEFAULT_API_VERSION}"
    assert points[group] == {f"watari_{name.replace(' ', '_')}": value for name, value in COMMANDS.items()}


def test_the_plugin_adds_its_option() -> None:
    parser = osc.build_option_parser(argparse.ArgumentParser())
    assert parser.parse_args([]).os_watari_api_version == "1"
    osc.make_client(None)
