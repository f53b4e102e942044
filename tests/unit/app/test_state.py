"""Files that are replaced as a whole or not at all."""

import os
from pathlib import Path

import pytest

from watari.app.state import write_atomically
from watari.errors import BadInput, Permanent


def test_a_file_is_made_with_its_folders_and_replaced(tmp_path: Path) -> None:
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


def test_the_old_content_outlives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    write_atomically(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Permanent, match=r"No space left on device\. Free space or name another place"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["state.json"]
