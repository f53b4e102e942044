"""Simulated clouds between two commands."""

from pathlib import Path

import pytest

from watari.app.clouds import open_cloud, snapshot_of

CLOUD = "sim:9/60@1"


def test_reading_a_cloud_leaves_what_is_kept_of_it_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a plan that overlaps an apply would put the cloud back to where it read it."""
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path))
    snapshot_of(CLOUD, None)
    assert not list(tmp_path.iterdir())
    cloud = open_cloud(CLOUD)
    cloud.clock.sleep(600.0)
    cloud.save()
    (kept,) = tmp_path.iterdir()
    before = kept.read_bytes()
    assert snapshot_of(CLOUD, None)[0].taken_at == cloud.clock.now()
    assert kept.read_bytes() == before


def test_a_cloud_that_nobody_saved_starts_the_same_every_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path))
    assert snapshot_of(CLOUD, None)[0] == snapshot_of(CLOUD, None)[0]
