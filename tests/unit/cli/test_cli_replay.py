"""`watari replay`: the table, its columns, and what it says about traces and policies."""

import json
from pathlib import Path

import pytest

from unit.cli.conftest import Run
from watari.cli.measures import MEASURES, Number


@pytest.fixture
def trace() -> str:
    """An hour of three servers; the first is busy."""
    lines = ["time,a,b,c"] + [f"{300 * i},{90 if i > 2 else 20},{10 + i},30" for i in range(12)]
    Path("day.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "day.csv"


SMALL = ("--hosts", "6", "--servers", "60", "--scale", "2.5")


def replayed(run: Run, *words: str) -> tuple[list[dict[str, float | str | None]], str]:
    ended = run("replay", *words, *SMALL, "-f", "json")
    assert ended.code == 0, ended.err
    return json.loads(ended.out), ended.err


def test_side_by_side_with_the_published_rule(run: Run, trace: str) -> None:
    rows, err = replayed(run, "--trace", trace, "--against", "published")
    assert [row["measure"] for row in rows] == [m.name for m in MEASURES]
    assert list(rows[0]) == ["measure", "do nothing", "default", "published"]
    by_name = {row["measure"]: row for row in rows}
    starved = by_name["starved server-minutes"]
    assert isinstance(starved["default"], int)
    assert isinstance(starved["do nothing"], int)
    assert starved["default"] <= starved["do nothing"]
    assert by_name["moves"]["do nothing"] == 0
    assert by_name["CPU seconds"]["do nothing"] is None
    assert err == ("6 hosts, 60 servers, seed 1, shared disks; 3 series of 1 h, loads x 2.5, a look every 60 s\n")


def test_the_table_aligns_its_numbers(run: Run, trace: str) -> None:
    ended = run("replay", "--trace", trace, *SMALL, "--no-published", "--round", "2 min", "--local-disk")
    assert ended.code == 0
    header, first = ended.out.splitlines()[1], ended.out.splitlines()[3]
    assert [cell.strip() for cell in header.split("|")[1:-1]] == ["measure", "do nothing", "default"]
    assert first.startswith("| starved server-minutes ")
    assert "local disks" in ended.err
    assert "a look every 2 min" in ended.err


def test_shares_written_as_percents_are_a_finding(run: Run) -> None:
    lines = ["time,a,b", *(f"{300 * i},0.{i % 10},1.0" for i in range(12))]
    Path("shares.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    _, err = replayed(run, "--trace", "shares.csv", "--no-published")
    assert err.splitlines()[0] == (
        "finding shares.csv: the largest value is 1 %: if these are shares from 0 to 1, add --scale 100"
    )


def test_policies_of_one_name_are_told_apart(run: Run, trace: str) -> None:
    Path("mine.yaml").write_text("name: default\nbudgets:\n  total: 1\n", encoding="utf-8")
    Path("same.yaml").write_text("name: default\n", encoding="utf-8")
    mine = ("--policy", "mine.yaml", "--against", "default", "--against", "same.yaml", "--against", "mine.yaml")
    rows, _ = replayed(run, "--trace", trace, *mine, "--no-published")
    assert list(rows[0]) == ["measure", "do nothing", "default", "default 2"]


def test_other_thresholds_and_holes_are_findings(run: Run, trace: str) -> None:
    text = Path(trace).read_text("utf-8").replace("600,20,", "600,nan,")
    Path(trace).write_text(text, encoding="utf-8")
    _, err = replayed(run, "--trace", trace, "--policy", "cautious")
    holes, thresholds, _ = err.splitlines()
    assert holes == (
        "finding day.csv: 1 of 36 samples are missing; each was filled with the value before it "
        "(holes of more than three samples are refused)"
    )
    assert thresholds.startswith(
        "finding the policies call different servers starved; all are judged by cautious: steal 10 %"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--trace", "nowhere.csv"], "nowhere.csv: no such file or folder; give a PlanetLab folder"),
        (["--trace", "day.csv", "--against", "nope"], "nope: no such file; the shipped policies are"),
        (
            ["--trace", "day.csv", "-c", "moves"],
            "there is no column moves; the columns are measure, do nothing",
        ),
        (["--trace", "day.csv", "--hosts", "1", "--servers", "5000"], ""),
    ],
)
def test_bad_input(run: Run, trace: str, words: list[str], said: str) -> None:
    ended = run("replay", *words)
    assert (ended.code, ended.out) == (2, "")
    assert f"watari: {said}" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "one of the arguments --trace --history is required"),
        (["--trace", "day.csv", "--scale", "0"], 'argument --scale: "0" is not a factor such as 2.5'),
        (["--trace", "day.csv", "--scale", "nan"], 'argument --scale: "nan" is not a factor such as 2.5'),
        (["--trace", "day.csv", "--hosts", "0"], 'argument --hosts: "0" is not a whole number from 1 to 1,000,000'),
        (["--trace", "day.csv", "--servers", "-5"], 'argument --servers: "-5" is not a whole number'),
        (["--trace", "day.csv", "--round", "60"], 'argument --round: "60" has no unit; write 60 s'),
        (["--trace", "day.csv", "--round", "0 s"], "argument --round: 0 s: give a time of up to a day, such as 60s"),
    ],
)
def test_usage(run: Run, words: list[str], said: str) -> None:
    ended = run("replay", *words)
    assert (ended.code, ended.out) == (2, "")
    assert said in ended.err


def test_numbers_are_plain_for_programs() -> None:
    assert Number(1234.4, 0).human_readable() == "1,234"
    assert Number(1234.4, 0).machine_readable() == 1234
    assert Number(0.26, 1).machine_readable() == 0.3
    assert (Number(None, 0).human_readable(), Number(None, 0).machine_readable()) == ("", None)
