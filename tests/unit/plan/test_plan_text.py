"""Numbers as people read them."""

import pytest

from watari.plan.text import count, format_duration, gib, listed, percent, printable


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.04, "40 ms"), (0.4, "0.4 s"), (1, "1 s"), (90, "90 s"), (119.4, "119 s"), (119.6, "2 min"),
        (360, "6 min"), (3540, "59 min"), (3599, "1 h"), (3900, "1 h 5 min"), (7200, "2 h"), (86400, "24 h"),
        (2 * 86400, "2 d"), (183600, "2 d 3 h"), (-90, "-90 s"),
    ],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("mib", "text"),
    [
        (0, "0 GiB"), (4, "4 MiB"), (512, "512 MiB"), (1024, "1 GiB"), (1536, "1.5 GiB"), (32768, "32 GiB"),
        (10189, "10 GiB"), (10239, "10 GiB"), (1_228_800, "1,200 GiB"),
    ],
)  # fmt: skip
def test_sizes(mib: float, text: str) -> None:
    assert gib(mib) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (0.0, "0.0 %"), (-0.00001, "0.0 %"), (0.0004, "0.0 %"), (0.006, "0.6 %"), (0.00999, "1 %"), (0.05, "5 %"),
        (0.054, "5.4 %"), (0.0999, "10 %"), (0.0996, "10 %"), (0.16, "16 %"), (0.614, "61 %"), (1.0, "100 %"),
        (-0.016, "-1.6 %"),
    ],
)  # fmt: skip
def test_shares(share: float, text: str) -> None:
    assert percent(share) == text


def test_counts_and_lists() -> None:
    assert [count(n, "move") for n in (0, 1, 2, 1200)] == ["0 moves", "1 move", "2 moves", "1,200 moves"]
    assert listed(("a", "b"), 2) == "a, b"
    assert listed(("a", "b", "c", "d"), 2) == "a, b and 2 more"


def test_names_cannot_drive_a_terminal() -> None:
    assert printable("web-1 渡り") == "web-1 渡り"
    assert printable("a\x1b[2Jb\nc\u202e") == "a\\x1b[2Jb\\nc\\u202e"
