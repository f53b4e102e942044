"""Traces are read, or the message says where they are wrong and what would be right."""

import io
import tarfile
from pathlib import Path
from typing import Literal

import pytest

from watari.drivers.sim.trace import read_trace
from watari.errors import BadInput

GOOD = [str(k % 100) for k in range(288)]
Mode = Literal["w", "w:gz", "w:xz"]


def folder(path: Path, files: dict[str, list[str]]) -> Path:
    path.mkdir()
    for name, lines in files.items():
        (path / name).write_text("\n".join(lines) + "\n")
    return path


def archive(path: Path, mode: Mode, files: dict[str, list[str]]) -> Path:
    with tarfile.open(path, mode) as tar:
        tar.addfile(directory())
        for name, lines in files.items():
            data = ("\n".join(lines) + "\n").encode()
            info = tarfile.TarInfo(f"20220601/{name}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def directory() -> tarfile.TarInfo:
    info = tarfile.TarInfo("20220601")
    info.type = tarfile.DIRTYPE
    return info


def with_sample(at: int, *texts: str) -> list[str]:
    return [*GOOD[:at], *texts, *GOOD[at + len(texts) :]]


def refusal(path: Path) -> str:
    with pytest.raises(BadInput) as caught:
        read_trace(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    trace = read_trace(folder(tmp_path / "day", {"vm_b": GOOD, "vm_a": ["7"] * 288, ".hidden": ["x"]}))
    assert trace.names == ("vm_a", "vm_b")
    assert trace.fractions.shape == (2, 288)
    assert trace.fractions[0, 0] == 0.07
    assert trace.fractions[1, 99] == 0.99
    assert (trace.interval_s, trace.holes) == (300.0, 0)


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tar.xz", "w:xz")])
def test_an_archive_is_the_same_as_its_folder(tmp_path: Path, suffix: str, mode: Mode) -> None:
    files = {"vm_a": GOOD, "vm_b": with_sample(5, "nan")}
    packed = read_trace(archive(tmp_path / f"day{suffix}", mode, files))
    plain = read_trace(folder(tmp_path / "day", files))
    assert packed.names == plain.names
    assert packed.fractions.tobytes() == plain.fractions.tobytes()
    assert packed.holes == plain.holes == 1


def test_several_days_in_one_file_are_fine_when_all_have_them(tmp_path: Path) -> None:
    assert read_trace(folder(tmp_path / "days", {"a": GOOD * 2, "b": GOOD * 2})).fractions.shape == (2, 576)


def test_short_holes_take_the_value_before_and_are_counted(tmp_path: Path) -> None:
    trace = read_trace(folder(tmp_path / "day", {"a": with_sample(10, "nan", "", "NaN")}))
    assert trace.holes == 3
    assert trace.fractions[0, 9:14].tolist() == [0.09, 0.09, 0.09, 0.09, 0.13]


def test_a_hole_at_the_start_takes_the_value_after_it(tmp_path: Path) -> None:
    assert read_trace(folder(tmp_path / "day", {"a": with_sample(0, "", "")})).fractions[0, :3].tolist() == [0.02] * 3


def test_long_holes_are_an_error_that_names_the_series(tmp_path: Path) -> None:
    assert "vm_x: no values from sample 11" in refusal(folder(tmp_path / "day", {"vm_x": with_sample(10, *[""] * 4)}))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (with_sample(3, "-1"), "a:4: -1 is outside 0 to 100"),
        (with_sample(3, "101"), "a:4: 101 is outside 0 to 100"),
        (with_sample(3, "inf"), "a:4: inf is outside 0 to 100"),
        (with_sample(3, "lots"), "a:4: 'lots' is not a number"),
        (GOOD[:-2], "a has 286 samples; right is 288"),
        ([*GOOD, "5"], "a has 289 samples; right is 288"),
        (["é"], "a is not text"),
    ],
)
def test_wrong_files_are_named_with_their_line(tmp_path: Path, lines: list[str], message: str) -> None:
    assert message in refusal(folder(tmp_path / "day", {"a": lines}))


def test_files_of_different_lengths(tmp_path: Path) -> None:
    assert "b has 288 samples; right is 576" in refusal(folder(tmp_path / "day", {"a": GOOD * 2, "b": GOOD}))


def test_nothing_there(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "nowhere")
    assert "no files in it" in refusal(folder(tmp_path / "empty", {}))
    assert "no files in it" in refusal(archive(tmp_path / "empty.tar.xz", "w:xz", {}))
    (tmp_path / "notes.md").write_text("hello")
    assert "not a trace that is known" in refusal(tmp_path / "notes.md")


def test_a_folder_of_days_is_not_a_day(tmp_path: Path) -> None:
    folder(tmp_path / "20220601", {"a": GOOD})
    assert "20220601 is a folder" in refusal(tmp_path)


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tar.xz", "w:xz")])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_archives_that_are_cut_off(tmp_path: Path, suffix: str, mode: Mode, share: float) -> None:
    path = archive(tmp_path / f"day{suffix}", mode, {f"vm_{k}": with_sample(k, str(k)) for k in range(30)})
    data = path.read_bytes()
    if mode == "w":  # its end is padding, which may be missing
        data = data.rstrip(b"\0")
    path.write_bytes(data[: int(len(data) * share)])
    assert "cut off" in refusal(path) or "ends in the middle" in refusal(path)


def test_an_archive_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "day.tar.xz").write_text("not an archive")
    assert "broken" in refusal(tmp_path / "day.tar.xz")


def test_links_and_doubled_names_in_archives_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        info = tarfile.TarInfo("20220601/a")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    assert "no plain file" in refusal(tmp_path / "link.tar")
    with tarfile.open(tmp_path / "twice.tar", "w") as tar:
        for day in ("20220601", "20220602"):
            data = "\n".join(GOOD).encode()
            info = tarfile.TarInfo(f"{day}/a")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    assert "a is there twice" in refusal(tmp_path / "twice.tar")


def csv(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "trace.csv"
    path.write_text(text)
    return path


def test_long_csv(tmp_path: Path) -> None:
    trace = read_trace(csv(tmp_path, "time,server,cpu\n0,a,10\n0,b,20\n60,b,40\n60,a,30.5\n"))
    assert (trace.names, trace.interval_s) == (("a", "b"), 60.0)
    assert trace.fractions.tolist() == [[0.1, 0.305], [0.2, 0.4]]


def test_wide_csv_with_dates(tmp_path: Path) -> None:
    text = "time,a,b\n2022-06-01T00:00:00Z,10,20\n2022-06-01T00:05:00Z,30,\n2022-06-01T00:10:00Z,50,60\n"
    trace = read_trace(csv(tmp_path, text))
    assert trace.fractions.tolist() == [[0.1, 0.3, 0.5], [0.2, 0.2, 0.6]]
    assert (trace.interval_s, trace.holes) == (300.0, 1)


def test_a_time_that_is_missing_for_all_is_a_hole_of_all(tmp_path: Path) -> None:
    trace = read_trace(csv(tmp_path, "time,a,b\n0,1,2\n60,3,4\n180,5,6\n240,5,6\n"))
    assert trace.fractions.shape == (2, 5)
    assert trace.holes == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the header is ''"),
        ("when,a\n0,1\n", ":1: the header"),
        ("time,a,a\n0,1,2\n", ":1: the column 'a'"),
        ("time,a\n", "no samples"),
        ("time,a\n0,1\n", "only one time"),
        ("time,a\n0,1\n60,-2\n", ":3: a: -2 is outside"),
        ("time,a\n0,1\n60,101\n", ":3: a: 101 is outside"),
        ("time,a\n0,1\n60,x\n", ":3: a: 'x' is not a number"),
        ("time,a\n0,1\n60\n", ":3: 1 fields, the header has 2"),
        ("time,a\n0,1\nsoon,1\n", ":3: the time 'soon'"),
        ("time,a\n0,1\nnan,1\n", ":3: the time 'nan'"),
        ("time,a\n0,1\n60,1\n120,1\n150,1\n", ":5: 30 s after"),
        ("time,a\n0,1\n60,1\n6e11,1\n", ":4: no server has values"),
        ("time,a\n0,\n60,nan\n", "a: no values at all"),
        ("time,server,cpu\n0,a,1\n60,a\n", ":3: 2 fields"),
        ("time,server,cpu\n0,a,1\n60,,1\n", ":3: no server's name"),
        ("time,server,cpu\n0,a,1\n60,a,1\n60,a,2\n", ":4: a has a sample for this time"),
        ('time,a\n0,"1\n', "not CSV"),
    ],
)
def test_wrong_csv_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    assert message in refusal(csv(tmp_path, text))


def test_csv_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "trace.csv").write_bytes(b"time,a\n0,\xff\xfe\n")
    assert "not UTF-8" in refusal(tmp_path / "trace.csv")
