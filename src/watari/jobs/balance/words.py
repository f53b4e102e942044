"""The sentences of a balance plan: why this server leaves its host, and what stays as it is."""

from collections.abc import Sequence
from typing import Literal

from watari.model.reasons import Reason
from watari.plan.text import listed, percent
from watari.policy.values import Detect

Relief = Literal["full", "partial", "lasting"]  # of a host: whole, in part, or one server off a host with room


def rule_reasons(detect: Detect, steal: float, load: float, rounds: int, needed: int) -> tuple[Reason, ...]:
    """The three facts that make a server starved, each value beside its limit."""
    return (
        Reason("steal", "steal", percent(steal), percent(detect.steal)),
        Reason("load", "load per vCPU", f"{load:.2f}", f"{detect.load_per_vcpu:.2f}"),
        Reason("held", "held", _rounds(rounds), _rounds(needed)),
    )


def host_reason(why: str, host: str, need_cores: float, cpus: float) -> Reason:
    """Why a server leaves a host that is not starved itself."""
    text = {
        "starved": f"servers starve on {host}, which is asked for",
        "over": f"{host} is asked for",
        "forecast": f"{host} will soon be asked for",
    }[why]
    return Reason(f"host-{why}", text, f"{need_cores:.1f} cores", f"{cpus:.1f}")


def takes_off(cores: float, source: str, relief: Relief) -> Reason:
    """What its leaving does for the host."""
    rest = {
        "full": "; no fewer moves relieve it",
        "partial": ", which this plan does not relieve fully",
        "lasting": ": its steal lasts although it is not asked for too much, so the worst-off gets away first",
    }[relief]
    return Reason("choice", f"its leaving takes {cores:.1f} cores off {source}{rest}")


def still_over(why: str, need_cores: float, cpus: float, stuck: Sequence[str], stuck_why: str) -> str:
    """A host that the plan leaves over its capacity; `stuck` cannot leave it, the first of them for `stuck_why`."""
    asked = "will soon be asked for" if why == "forecast" else "is asked for"
    text = f"{asked} {need_cores:.1f} of {cpus:.1f} cores and this plan does not relieve it"
    return f"{text}: {listed(tuple(stuck), 3)} cannot leave ({stuck_why})" if stuck else text


def _rounds(n: int) -> str:
    return f"{n} round" if n == 1 else f"{n} rounds"
