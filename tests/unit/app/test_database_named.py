"""Which database is meant, and that no message shows its password."""

from pathlib import Path

import pytest

from watari.app.state import database_url
from watari.errors import BadInput

URL = "postgresql://watari:s3cret@db.example.org/watari"


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WATARI_DATABASE", raising=False)
    monkeypatch.delenv("WATARI_DATABASE_FILE", raising=False)
    monkeypatch.setenv("WATARI_STATE_DIR", str(tmp_path / "state"))


def test_without_a_word_it_is_a_file_in_the_state_folder(tmp_path: Path) -> None:
    assert database_url() == str(tmp_path / "state" / "runs.db")


def test_the_option_goes_before_the_variable_and_the_variable_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "url"
    file.write_text(f"{URL}\n")
    monkeypatch.setenv("WATARI_DATABASE_FILE", str(file))
    assert database_url() == URL
    monkeypatch.setenv("WATARI_DATABASE", "postgresql://other/watari")
    assert database_url() == "postgresql://other/watari"
    assert database_url("postgresql://third/watari") == "postgresql://third/watari"


@pytest.mark.parametrize("content", ["", "\n", "watari:s3cret@db.example.org/watari", f"{URL}\n{URL}"])
def test_a_file_without_a_url_is_named_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    file = tmp_path / "url"
    file.write_text(content)
    monkeypatch.setenv("WATARI_DATABASE_FILE", str(file))
    with pytest.raises(BadInput, match=f"WATARI_DATABASE_FILE: {file} holds no URL; write one line") as raised:
        database_url()
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("what", ["missing", "a folder", "no text"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    file = tmp_path / "url"
    if what == "a folder":
        file.mkdir()
    if what == "no text":
        file.write_bytes(b"\xff\xfe s3cret")
    monkeypatch.setenv("WATARI_DATABASE_FILE", str(file))
    with pytest.raises(BadInput, match=f"WATARI_DATABASE_FILE: {file} cannot be read: ") as raised:
        database_url()
    assert "s3cret" not in str(raised.value)
