"""`watari lab …` on folders without a lab, and on one that is stopped."""

import json
from pathlib import Path

import pytest

from watari.cli.main import main
from watari.lab.paths import LabPaths, write_json
from watari.lab.spec import LabSpec


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    write_json(LabPaths(tmp_path).description, LabSpec(tmp_path, computes=2).to_json())
    return tmp_path


@pytest.mark.parametrize("verb", ["status", "down", "reset"])
def test_where_no_lab_is_the_way_to_one_is_told(verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", verb, "--dir", str(tmp_path)]) == 2
    assert "watari lab up" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_status_of_a_stopped_lab(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "status", "--dir", str(stopped), "-f", "json"]) == 0
    told = capsys.readouterr()
    rows = json.loads(told.out)
    assert {row["State"] for row in rows} == {"down"}
    assert {"mariadb", "nova-api", "nova-compute@cmp02", "prometheus"} <= {row["Service"] for row in rows}
    assert "watari lab up" in told.err


def test_a_shape_that_cannot_be_is_refused_before_anything_is_done(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lab", "up", "--dir", str(stopped), "--computes", "81"]) == 2
    assert "1 to 80" in capsys.readouterr().err
    assert not (stopped / "venv").exists()


def test_a_lab_goes_down_twice(stopped: Path) -> None:
    assert main(["lab", "down", "--dir", str(stopped)]) == 0
    assert main(["lab", "down", "--dir", str(stopped), "-q"]) == 0


@pytest.mark.parametrize("verb", ["up", "status", "down", "reset"])
def test_every_command_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "lab", verb]) == 0
    assert f"watari lab {verb}" in capsys.readouterr().out
