"""Files that are replaced as a whole or not at all."""

import os
from pathlib import Path

import pytest

from watari.app.state import alone, write_atomically
from watari.errors import BadInput, Busy, Permanent


def test_a_file_is_made_with_its_folders_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path / "new"))
    path = tmp_path / "new" / "state.json"
    for content in (b"one", b"two"):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert [each.name for each in path.parent.iterdir()] == ["state.json"]


# Never the path of a real device here: as root, a mistake would replace it for the whole machine.
@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_no_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "there"
    if kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    before = path.stat().st_mode
    with pytest.raises(BadInput, match=f"{path} is not a regular file; name another"):
        write_atomically(path, b"content")
    assert path.stat().st_mode == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_is_not_replaced(tmp_path: Path) -> None:
    """Through a link of our own, so that a mistake costs the link."""
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    with pytest.raises(BadInput):
        write_atomically(link, b"content")
    assert link.is_symlink()


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to("target")
    for content in (b"one", b"two"):
        write_atomically(link, content)
        assert target.read_bytes() == content
        assert link.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "target"]


def test_a_new_file_has_the_mode_of_the_umask_and_an_old_one_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    before = os.umask(0o027)
    try:
        write_atomically(path, b"one")
        assert path.stat().st_mode & 0o777 == 0o640
        path.chmod(0o600)
        write_atomically(path, b"two")
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


@pytest.mark.parametrize("there", ["missing", "file"])
def test_only_folders_of_the_state_directory_are_made(tmp_path: Path, there: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BadInput, match="no such folder"):
        write_atomically(tmp_path / there / "plan.json", b"content")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_only_a_full_disk_needs_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(Permanent, match=r"Input/output error$"):
        write_atomically(tmp_path / "plan.json", b"content")


def test_one_at_a_time(tmp_path: Path) -> None:
    lock = tmp_path / "sim.lock"
    with alone(lock, "sim:3"), pytest.raises(Busy, match=rf"another watari works on sim:3 \(pid {os.getpid()}\)"):
        alone(lock, "sim:3").__enter__()
    with alone(lock, "sim:3"):
        pass


def test_the_old_content_outlives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Permanent, match=r"No space left on device; free space or name another place"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
