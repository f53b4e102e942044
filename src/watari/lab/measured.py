"""Wait until the lab's Prometheus has seen every server for a whole window: before that nobody's load is known."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

from watari.lab.clouds import WINDOW
from watari.lab.spec import LabSpec

SERIES: Final = "libvirt_domain_vcpu_delay_seconds_total"
MOST_S: Final = 60.0  # then it is left to the commands to say what is lacking
LOOK_S: Final = 1.0


def wait_for_metrics(spec: LabSpec, say: Callable[[str], None], most_s: float = MOST_S) -> bool:
    """Whether they are there now. Harmless where they are already: two queries, a few milliseconds."""
    if _known(spec):
        return True
    say(f"it serves; waiting until Prometheus has seen every server for {WINDOW}")
    end = time.monotonic() + most_s
    while not (known := _known(spec)) and time.monotonic() < end:
        time.sleep(LOOK_S)
    return known


def _known(spec: LabSpec) -> bool:
    now, before = _count(spec, SERIES), _count(spec, f"{SERIES} offset {WINDOW}")
    return before is not None and now is not None and before >= now > 0


def _count(spec: LabSpec, series: str) -> float | None:
    """How many series there are; None while Prometheus does not answer."""
    url = f"{spec.url('prometheus')}/api/v1/query?{urlencode({'query': f'count({series})'})}"
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            rows = json.load(answer)["data"]["result"]
    except (OSError, ValueError, KeyError):
        return None
    return float(rows[0]["value"][1]) if rows else 0.0
