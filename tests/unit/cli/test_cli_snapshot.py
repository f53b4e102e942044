"""`watari snapshot`: export, schema, and that a plan on the file is the plan on the cloud."""

import gzip
import json
from pathlib import Path

import pytest

from unit.cli.conftest import Run

ROOT = Path(__file__).parents[3]


def test_it_goes_to_standard_output(run: Run) -> None:
    ended = run("snapshot", "--cloud", "sim:10@2")
    assert (ended.code, ended.err) == (0, "")
    snapshot = json.loads(ended.out)
    assert (snapshot["watari_snapshot"], len(snapshot["hosts"]), len(snapshot["servers"])) == (1, 10, 125)


def test_or_to_a_file_and_the_plan_is_the_same(run: Run) -> None:
    ended = run("snapshot", "--cloud", "sim:10@2", "-o", "cluster.json.gz")
    assert (ended.code, ended.out) == (0, "")
    assert ended.err == ("wrote 10 hosts, 125 servers; plan for them: watari plan balance --snapshot cluster.json.gz\n")
    assert len(json.loads(gzip.decompress(Path("cluster.json.gz").read_bytes()))["servers"]) == 125
    from_file = run("plan", "balance", "--snapshot", "cluster.json.gz", "-f", "json")
    assert json.loads(from_file.out) == json.loads(run("plan", "balance", "--cloud", "sim:10@2", "-f", "json").out)


def test_the_schema_is_that_of_the_reference(run: Run) -> None:
    ended = run("snapshot", "--schema")
    assert (ended.code, ended.err) == (0, "")
    reference = (ROOT / "docs" / "reference" / "snapshot.schema.json").read_text("utf-8")
    assert json.loads(ended.out) == json.loads(reference)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the cloud to read, such as --cloud sim"),
        (["--cloud", "sim:2"], "sim:2: a simulated cloud has 3 to 2000 hosts; plan larger ones from a snapshot file"),
        (
            ["--os-cloud", "prod"],
            'no cloud "prod" in clouds.yaml; none is known (clouds.yaml was not found); sim[:HOSTS[/SERVERS]][@SEED] '
            "is the embedded, simulated cloud, and `watari lab up` makes a real one",
        ),
        (
            ["--cloud", "sim:3", "-o", "missing/cluster.json"],
            "missing/cluster.json cannot be written: its directory does not exist; make it first",
        ),
    ],
)
def test_bad_arguments(run: Run, words: list[str], said: str) -> None:
    ended = run("snapshot", *words)
    assert (ended.code, ended.out, ended.err) == (2, "", f"watari: {said}\n")


def test_a_broken_state_file_says_what_to_do(run: Run, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(exist_ok=True)
    (tmp_path / "state" / "sim-3-38-1.json").write_text("{", encoding="utf-8")  # as `apply` would have kept it
    ended = run("snapshot", "--cloud", "sim:3")
    assert ended.code == 2
    assert "begin anew with --cloud sim:3/38@1 --fresh" in ended.err
    assert run("snapshot", "--cloud", "sim:3", "--fresh").code == 0
