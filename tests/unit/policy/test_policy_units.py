"""Units are read exactly, shown as people write them, and refused with the cure."""

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watari.policy import kinds, units

decimals = st.decimals(min_value=0, max_value=10**6, places=4, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize(
    ("text", "value"),
    [("5 %", 0.05), ("5%", 0.05), ("0.05", 0.05), ("7.1 %", 0.071), ("100 %", 1.0), ("1.0", 1.0), ("0", 0.0)],
)
def test_shares(text: str, value: float) -> None:
    assert units.share(text) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 s", 90), ("90s", 90),
        ("20 min", 1200), ("20 minutes", 1200), ("1 h", 3600), ("1.5 h", 5400), ("1 d", 86400),
        ("1 h 30 min", 5400), ("1h30min", 5400), ("0 s", 0), ("2 days", 172800), ("0.1 s", 0.1),
    ],
)  # fmt: skip
def test_times(text: str, seconds: float) -> None:
    assert units.seconds(text) == seconds


@pytest.mark.parametrize(
    ("text", "gib", "shown"),
    [
        ("500 GiB", 500, "500 GiB"), ("1 TiB", 1024, "1 TiB"), ("0.5 TiB", 512, "512 GiB"), ("512MiB", 0.5, "512 MiB"),
        ("1 TB", 10**12 / 2**30, "1 TB"), ("500 GB", 500 * 10**9 / 2**30, "500 GB"), ("2 PiB", 2 * 2**20, "2048 TiB"),
    ],
)  # fmt: skip
def test_sizes(text: str, gib: float, shown: str) -> None:
    assert units.size_gib(text) == gib
    assert units.show_size(gib) == shown
    assert units.size_gib(shown) == gib


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [
        ("400 MiB/s", 400 * 2**20),
        ("1 GiB/s", 2**30), ("1 GB/s", 10**9), ("8 Gbit/s", 10**9), ("3 Gbit/s", 375_000_000),
        ("800 Mbps", 10**8), ("8 kbit/s", 1000), ("512 KiB/s", 2**19), ("8 Mibit/s", 2**20), ("100MB/s", 10**8),
    ],
)  # fmt: skip
def test_rates_tell_bits_from_bytes(text: str, bytes_per_s: int) -> None:
    assert units.rate_mib_s(text) == bytes_per_s / 2**20


@pytest.mark.parametrize(("text", "minute"), [("0:00", 0), ("07:30", 450), ("7:30", 450), ("24:00", 1440)])
def test_times_of_day(text: str, minute: int) -> None:
    assert units.minute_of_day(text) == minute


@pytest.mark.parametrize(
    ("read", "text", "complaint"),
    [
        (units.share, "5", '"5" has no unit; write 5 %, or 500 % if that is meant'),
        (units.share, "-5 %", '"-5 %" is negative; write 0 or more, such as 5 % or 0.05'),
        (units.share, "0,05", '"0,05" has a comma; write a decimal point, such as 5 % or 0.05'),
        (units.share, "5 s", '"5 s" is not a number; write it such as 5 % or 0.05'),
        (units.share, "nan", '"nan" is not a number; write it such as 5 % or 0.05'),
        (units.share, "1e-2", '"1e-2" is not a number; write it such as 5 % or 0.05'),
        (units.number, "1/3", '"1/3" is not a number; write it such as 1.5'),
        (units.number, "９", '"９" is not a number; write it such as 1.5'),
        (units.whole, "2.5", '"2.5" is not a whole number; write it such as 2'),
        (units.whole, "-1", '"-1" is negative; write 0 or more, such as 2'),
        (units.whole, "9" * 5000, f'"{"9" * 5000}" is not a whole number; write it such as 2'),
        (units.seconds, "90", '"90" has no unit; write 90 s, 90 min, 90 h or 90 d'),
        (units.seconds, "5 m", '"5 m": "m" could be minutes or months; write 5 min'),
        (units.seconds, "1 week", '"1 week" is not a time; write it such as 90 s, 20 min, 1 h or 1 d'),
        (units.seconds, "1 h later", '"1 h later" is not a time; write it such as 90 s, 20 min, 1 h or 1 d'),
        (units.seconds, "-1 s", '"-1 s" is negative; write 0 or more, such as 20 min'),
        (units.rate_mib_s, "400", '"400" has no unit; write 400 MiB/s or 400 Mbit/s'),
        (units.rate_mib_s, "400 Mb/s", '"400 Mb/s" could be bits or bytes; write 400 Mbit/s or 400 MB/s'),
        (units.rate_mib_s, "4 kb/s", '"4 kb/s" could be bits or bytes; write 4 kbit/s or 4 kB/s'),
        (units.rate_mib_s, "400 MBps", '"400 MBps" could be bits or bytes; write 400 Mbit/s or 400 MB/s'),
        (units.rate_mib_s, "400 MiB", '"400 MiB" is not a rate; did you mean 400 MiB/s?'),
        (units.rate_mib_s, "10 gbit/s", '"10 gbit/s" is not a rate; did you mean 10 Gbit/s?'),
        (units.rate_mib_s, "9 h", '"9 h" is not a rate; write it such as 400 MiB/s, 1 GB/s or 3 Gbit/s'),
        (units.rate_mib_s, "fast", '"fast" is not a rate; write it such as 400 MiB/s, 1 GB/s or 3 Gbit/s'),
        (units.minute_of_day, "705", '"705" is not a time of day; write it such as 07:30'),
        (units.minute_of_day, "24:01", '"24:01" is not a time of day; hours go to 24:00, minutes to 59'),
        (units.span, "noon", '"noon" is not a span of the day; write it such as 11:45-12:45'),
    ],
)
def test_wrong_units_name_the_right_one(read: object, text: str, complaint: str) -> None:
    assert callable(read)
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        read(text)


def test_shown_in_the_unit_that_reads_best() -> None:
    assert [units.show_seconds(s) for s in (0, 45, 5400, 3600, 86400)] == ["0 s", "45 s", "90 min", "1 h", "1 d"]
    rates = ("800 MiB/s", "3 Gbit/s", "1 GB/s", "1.5 GiB/s")
    assert tuple(units.show_rate(units.rate_mib_s(rate)) for rate in rates) == rates


@given(decimals)
def test_percent_and_fraction_are_the_same_share(percent: Decimal) -> None:
    fraction = f"{percent / 100:.6f}"
    assert units.share(f"{percent} %") == units.share(fraction)


@given(decimals)
def test_shares_round_trip(value: Decimal) -> None:
    assert units.share(units.show_share(float(value))) == float(value)


@given(decimals)
def test_times_round_trip(value: Decimal) -> None:
    assert units.seconds(units.show_seconds(float(value))) == float(value)


@given(st.decimals(min_value=Decimal("0.001"), max_value=10**6, places=3))
def test_rates_round_trip(value: Decimal) -> None:
    assert units.rate_mib_s(units.show_rate(float(value))) == pytest.approx(float(value), rel=1e-9)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_in_a_sentence(text: str) -> None:
    for read in (
        units.share,
        units.number,
        units.whole,
        units.seconds,
        units.rate_mib_s,
        units.minute_of_day,
        units.span,
    ):
        try:
            read(text)
        except ValueError as error:
            assert text in str(error) and ("; " in str(error))


@pytest.mark.parametrize("kind", [kinds.seconds(), kinds.rate()])
def test_the_editors_pattern_takes_what_is_read(kind: kinds.Kind) -> None:
    texts = {"time": ["90 s", "1 h 30 min", "2 days"], "rate": ["400 MiB/s", "3 Gbit/s", "500 Mbps", "8 bit/s"]}
    assert all(re.search(kind.schema["pattern"], text) for text in texts[kind.unit])
    assert not any(re.search(kind.schema["pattern"], text) for text in ("90", "400", "5 m", "4 Mb/s"))
