"""A cloud that does not let one in: clear words, the right exit code, and nothing done."""

import pytest

from command import Watari
from lab import clouds
from lab.nova import Nova


@pytest.mark.parametrize(
    ("cloud", "words"),
    [
        ("wrong-password", ("wrong user or password", "clouds.yaml")),
        ("unreachable", ("cannot be reached", "127.0.0.1:9")),
        ("lab-user", ("may not", "admin role")),
    ],
)
def test_a_cloud_that_lets_nobody_in_is_told_in_one_line(watari: Watari, cloud: str, words: tuple[str, ...]) -> None:
    ended = watari.run("plan", "balance", "--cloud", cloud, "-o", "p.json")
    assert ended.code == 1, ended
    assert all(word in ended.err for word in words), ended.err
    assert "Traceback" not in ended.err
    assert "watari-lab" not in ended.err, "no password is shown"
    assert len(ended.err.splitlines()) == 1, ended.err
    assert not (watari.home / "p.json").exists()


def test_a_name_that_is_not_in_clouds_yaml_is_bad_input(watari: Watari) -> None:
    ended = watari.run("plan", "drain", "cmp01", "--cloud", "lap")
    assert ended.code == 2, ended
    assert "lap" in ended.err
    assert "lab" in ended.err, "those that are known are named"


def test_a_region_without_a_compute_service_is_told(watari: Watari, nova: Nova) -> None:
    lab = clouds.read(watari.clouds_yaml)["lab"]
    clouds.added(watari.clouds_yaml, "elsewhere", lab | {"region_name": "Nowhere"})
    ended = watari.run("plan", "balance", "--cloud", "elsewhere")
    assert ended.code == 1, ended
    assert "region_name" in ended.err
