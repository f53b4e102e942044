"""Numbers as people read them in plans and logs: with their unit, a plain space between."""

MIB_PER_GIB = 1024


def format_duration(seconds: float) -> str:
    """`40 ms`, `0.4 s`, `90 s` (up to two minutes), `6 min`, `1 h 5 min` (up to two days), `2 d 3 h`."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    if 0 < seconds < 1:
        return f"{seconds:.1f} s" if seconds >= 0.1 else f"{seconds * 1000:.0f} ms"
    if (whole := round(seconds)) < 120:
        return f"{whole} s"
    if (minutes := round(seconds / 60)) < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return _two(minutes // 60, "h", minutes % 60, "min")
    hours = round(seconds / 3600)
    return _two(hours // 24, "d", hours % 24, "h")


def gib(mib: float) -> str:
    """MiB as `32 GiB`, `1.5 GiB`, `1,200 GiB`; under 1 GiB as `512 MiB`."""
    if 0 < mib < MIB_PER_GIB:
        return f"{mib:.0f} MiB"
    return f"{_short(mib / MIB_PER_GIB)} GiB"


def percent(share: float) -> str:
    """A share 0-1 as `16 %`, `5 %`, `0.6 %`: under 10 % to a tenth, which is left out of whole numbers from 1 % on."""
    value = round(share * 100, 1)
    if value == 0:
        return "0.0 %"  # never "-0.0 %"
    return f"{value:.1f} %" if abs(value) < 1 else f"{_short(value)} %"


def count(n: int, noun: str) -> str:
    """`1 move`, `2 moves`, `1,000 moves`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def listed(names: tuple[str, ...], most: int) -> str:
    """`web-1, web-2 and 3 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def printable(line: str) -> str:
    """The line with control characters escaped: names come from tenants and must not drive a terminal."""
    if line.isprintable():
        return line
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)


def _short(value: float) -> str:
    """Three digits at most while they say something: `1,200`, `61`, `9.5`, `5`."""
    tenth = round(value, 1)
    return f"{value:,.0f}" if abs(tenth) >= 10 or tenth == int(tenth) else f"{tenth:.1f}"


def _two(big: int, big_unit: str, small: int, small_unit: str) -> str:
    return f"{big} {big_unit} {small} {small_unit}" if small else f"{big} {big_unit}"
