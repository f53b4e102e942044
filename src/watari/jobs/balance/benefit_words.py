"""What a measured move says in the journal: what it brought, what it cost, and whether it helped."""

from watari.jobs.balance.benefit import Benefit, Change
from watari.plan.text import format_duration, gib, percent


def benefit_text(b: Benefit) -> str:
    """`steal 24 % -> 1 %, load 2.10 -> 0.90 for 8 GiB in 12 s, about 40 ms down`, and what follows from it."""
    cost = f"{gib(b.paid.mib)} in {format_duration(b.paid.seconds)}, about {format_duration(b.paid.downtime_s)} down"
    if not b.measured:
        return f"not measured: {b.why}; it cost {cost}"
    brought = ", ".join(filter(None, (_own(b.moved), _left_behind(b), _hosts(b)))) or "steal of before is not known,"
    return f"{brought} for {cost}{_verdict(b)}"


def _own(c: Change) -> str:
    return _fell(c) if c.fall is not None else ""


def _left_behind(b: Benefit) -> str:
    """The neighbour that gained most, and how many others were measured."""
    known = sorted((c for c in b.relieved if c.fall is not None), key=lambda c: (-(c.fall or 0.0), c.name))
    if not known:
        return ""
    more = f" and {len(known) - 1} more" if len(known) > 1 else ""
    return f"{known[0].name}{more}: {_fell(known[0])}"


def _fell(c: Change) -> str:
    assert c.before is not None
    assert c.after is not None
    text = f"steal {percent(c.before.steal)} -> {percent(c.after.steal)}"
    if c.after.load_per_vcpu is None:
        return text
    before = "" if c.before.load_per_vcpu is None else f"{c.before.load_per_vcpu:.2f} -> "
    return f"{text}, load {before}{c.after.load_per_vcpu:.2f}"


def _hosts(b: Benefit) -> str:
    if b.stolen_before is None or b.stolen_after is None:
        return ""
    return f"{b.source} and {b.target}: {b.stolen_before:.1f} -> {b.stolen_after:.1f} cores stolen"


def _verdict(b: Benefit) -> str:
    match b.verdict:
        case "helped":
            return ""
        case "no-help":
            return f"; did not help: {b.why}"
        case "unknown":
            return f"; not judged: {b.why}"
