"""Read and write the units that people use in a policy: shares, times, rates, sizes, clock times, daily spans.

Readers take text and raise ValueError with one sentence that says what is wrong and what would be right. Numbers are
read exactly (as fractions) and rounded once, so that `7.1 %` and `0.071` are the same float.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction

MIB = 2**20
GIB = 2**30

_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,15})?"
_SECONDS: Mapping[str, int] = {"d": 86400, "h": 3600, "min": 60, "s": 1}
_SECOND_NAMES: Mapping[str, str] = {
    "sec": "s", "second": "s", "seconds": "s", "mins": "min", "minute": "min", "minutes": "min",
    "hour": "h", "hours": "h", "day": "d", "days": "d",
}  # fmt: skip
_PREFIXES: Mapping[str, int] = {
    "": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40,
}  # fmt: skip
_BYTES_PER_S: Mapping[str, Fraction] = {
    **{f"{prefix}B/s": Fraction(size) for prefix, size in _PREFIXES.items()},
    **{f"{prefix}bit/s": Fraction(size, 8) for prefix, size in _PREFIXES.items()},
    **{f"{prefix}bps": Fraction(size, 8) for prefix, size in _PREFIXES.items() if "i" not in prefix},
}
_SIZES: Mapping[str, int] = {
    f"{prefix}B": size for prefix, size in {**_PREFIXES, "P": 10**15, "Pi": 2**50}.items() if prefix
}
_SIZES_SHOWN = ("GiB", "TiB", "MiB", "GB", "TB", "MB")  # the first wins when several are as short
_RATES_SHOWN = ("MiB/s", "GiB/s", "MB/s", "GB/s", "Mbit/s", "Gbit/s")  # the first wins when several are as short
_SPAN = re.compile(r"\s*([0-9:]+)\s*[-–]\s*([0-9:]+)\s*")
_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2})")


def number(text: str) -> float:
    """A plain number of no unit, 0 or more."""
    return float(_fraction(text, text, "1.5"))


def whole(text: str) -> int:
    """A whole number, 0 or more."""
    if not re.fullmatch(r"[0-9]{1,15}", text):
        _refuse_odd_numbers(text, "2")
        raise ValueError(f'"{text}" is not a whole number; write it such as 2')
    return int(text)


def share(text: str) -> float:
    """A share as a fraction: `5 %`, `5%` and `0.05` are 0.05. A bare `5` or `1` is refused: percent or whole?"""
    _refuse_odd_numbers(text, "5 % or 0.05")
    if text.endswith("%"):
        return float(_fraction(text[:-1].rstrip(), text, "5 %") / 100)
    value = _fraction(text, text, "5 % or 0.05")
    if value and "." not in text:
        raise ValueError(f'"{text}" has no unit; write {text} %, or {text}00 % if that is meant')
    return float(value)


def seconds(text: str) -> float:
    """A time in seconds: `90 s`, `20 min`, `1 h`, `1 d`, `1 h 30 min`."""
    if re.fullmatch(_NUMBER, text):
        raise ValueError(f'"{text}" has no unit; write {text} s, {text} min, {text} h or {text} d')
    parts = re.findall(r"[0-9.]+\s*[^0-9.\s]*|\S+", text) or [text]
    return float(sum(_time_part(part, text) for part in parts))


def rate_mib_s(text: str) -> float:
    """A rate in MiB/s: `400 MiB/s`, `3 Gbit/s`, `1 GB/s`. B is a byte; M is 1000², Mi is 1024²."""
    if re.fullmatch(_NUMBER, text):
        raise ValueError(f'"{text}" has no unit; write {text} MiB/s or {text} Mbit/s')
    match = re.fullmatch(rf"({_NUMBER})\s*(\S+)", text)
    if match is None:
        _refuse_odd_numbers(text, "400 MiB/s")
        raise ValueError(f'"{text}" is not a rate; write it such as 400 MiB/s, 1 GB/s or 3 Gbit/s')
    amount, unit = match.groups()
    if unit not in _BYTES_PER_S:
        raise ValueError(_wrong_rate_unit(text, amount, unit))
    return float(Fraction(amount) * _BYTES_PER_S[unit] / MIB)


def size_gib(text: str) -> float:
    """A size in GiB: `500 GiB`, `1 TB`. B is a byte; G is 1000³, Gi is 1024³."""
    if re.fullmatch(_NUMBER, text):
        raise ValueError(f'"{text}" has no unit; write {text} GiB or {text} GB')
    match = re.fullmatch(rf"({_NUMBER})\s*(\S+)", text)
    if match is None:
        _refuse_odd_numbers(text, "500 GiB")
        raise ValueError(f'"{text}" is not a size; write it such as 500 GiB or 1 TB')
    amount, unit = match.groups()
    if unit in _SIZES:
        return float(Fraction(amount) * _SIZES[unit] / GIB)
    near = {known.lower(): known for known in _SIZES} | {known[0].lower(): f"{known[0]}iB" for known in _SIZES}
    if unit.lower() in near:
        raise ValueError(f'"{text}" is not a size; did you mean {amount} {near[unit.lower()]}?')
    raise ValueError(f'"{text}" is not a size; write it such as 500 GiB or 1 TB')


def minute_of_day(text: str) -> int:
    """A time of day in minutes after midnight: `7:30` is 450; `24:00`, the midnight that ends a day, is 1440."""
    match = _CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a time of day; write it such as 07:30')
    minute = int(match[1]) * 60 + int(match[2])
    if int(match[2]) > 59 or minute > 24 * 60:
        raise ValueError(f'"{text}" is not a time of day; hours go to 24:00, minutes to 59')
    return minute


def span(text: str) -> tuple[str, str]:
    """The two times of day of `11:45-12:45`, still as text: each is read by `minute_of_day`."""
    match = _SPAN.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a span of the day; write it such as 11:45-12:45')
    return match[1], match[2]


def show_number(value: float) -> str:
    """The shortest decimal that reads back as the same number, without an exponent."""
    return _plain(Decimal(repr(float(value))))


def show_share(value: float) -> str:
    """0.05 as `5 %`; exact."""
    return f"{_plain(Decimal(repr(float(value))) * 100)} %"


def show_seconds(value: float) -> str:
    """In the largest unit that leaves a whole number: 5400 as `90 min`; exact."""
    for unit, size in _SECONDS.items():
        if value and value % size == 0:
            return f"{int(value) // size} {unit}"
    return f"{show_number(value)} s"


def show_rate(mib_s: float) -> str:
    """In the unit that makes the shortest number, to 12 digits: `800 MiB/s`, `3 Gbit/s`."""
    return _shortest(Fraction(mib_s) * MIB, {unit: _BYTES_PER_S[unit] for unit in _RATES_SHOWN})


def show_size(gib: float) -> str:
    """In the unit that makes the shortest number, to 12 digits: `500 GiB`, `1 TB`."""
    return _shortest(Fraction(gib) * GIB, {unit: Fraction(_SIZES[unit]) for unit in _SIZES_SHOWN})


def _shortest(exact: Fraction, units: Mapping[str, Fraction]) -> str:
    texts = [f"{_plain(Decimal(f'{float(exact / size):.12g}'))} {unit}" for unit, size in units.items()]
    return min(texts, key=lambda text: (text.startswith("0."), len(text.split()[0])))


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _fraction(digits: str, text: str, example: str) -> Fraction:
    if not re.fullmatch(_NUMBER, digits):
        _refuse_odd_numbers(text, example)
        raise ValueError(f'"{text}" is not a number; write it such as {example}')
    return Fraction(digits)


def _refuse_odd_numbers(text: str, example: str) -> None:
    """Say it in particular for what people do write: a minus sign, a decimal comma."""
    if re.match(rf"-\s*{_NUMBER}", text):
        raise ValueError(f'"{text}" is negative; write 0 or more, such as {example}')
    if re.match(r"[0-9]+,[0-9]", text):
        raise ValueError(f'"{text}" has a comma; write a decimal point, such as {example}')


def _time_part(part: str, text: str) -> Fraction:
    match = re.fullmatch(rf"({_NUMBER})\s*([^0-9.\s]*)", part)
    unit = _SECOND_NAMES.get(match[2], match[2]) if match else ""
    if match and unit in _SECONDS:
        return Fraction(match[1]) * _SECONDS[unit]
    if match and unit in ("m", "M"):
        raise ValueError(f'"{text}": "{unit}" could be minutes or months; write {match[1]} min')
    _refuse_odd_numbers(text, "20 min")
    raise ValueError(f'"{text}" is not a time; write it such as 90 s, 20 min, 1 h or 1 d')


def _wrong_rate_unit(text: str, amount: str, unit: str) -> str:
    if letters := re.fullmatch(r"([kKmMgGtT]?)[bB](?:/s|ps)", unit):
        # "Mb/s" is read as bits by network people and as bytes by others, "MBps" likewise: a factor of 8.
        prefix = letters[1] if letters[1] == "k" else letters[1].upper()
        return f'"{text}" could be bits or bytes; write {amount} {prefix}bit/s or {amount} {prefix}B/s'
    for known in _BYTES_PER_S:
        if unit.lower() in (known.lower(), known.removesuffix("/s").lower()):
            return f'"{text}" is not a rate; did you mean {amount} {known}?'
    return f'"{text}" is not a rate; write it such as 400 MiB/s, 1 GB/s or 3 Gbit/s'
