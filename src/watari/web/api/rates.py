"""How often one caller may ask."""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from watari.errors import BadInput, WatariError

SECONDS: Final = {"second": 1.0, "minute": 60.0, "hour": 3600.0}
MOST: Final = 10_000  # callers that are remembered; who asked longest ago is forgotten first, with a full allowance
_RATE: Final = re.compile(r"([1-9]\d{0,8})\s*/\s*(second|minute|hour)")


class TooMuch(WatariError):
    """Somebody asks too often; `after_s` seconds later it may be asked again."""

    def __init__(self, limit: str, after_s: int) -> None:
        super().__init__(f"too many requests: {limit} at most; ask again in {after_s} s")
        self.after_s = after_s


class Rates:
    """An allowance per caller that fills up again steadily, such as "100/second": so many at once, then at that pace.

    Any thread may ask.
    """

    def __init__(self, limit: str, clock: Callable[[], float] = time.monotonic) -> None:
        if (found := _RATE.fullmatch(limit.strip())) is None:
            raise BadInput(f'"{limit}" is no rate: write a number and second, minute or hour, as 100/second')
        self._limit, self._clock = limit, clock
        self._most = float(found[1])
        self._per_s = self._most / SECONDS[found[2]]
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # allowance, and when it was so much
        self._lock = threading.Lock()

    def count(self, key: str) -> None:
        """Count once more. Raises TooMuch when that is over the limit; then it does not count."""
        with self._lock:
            now = self._clock()
            left, at = self._left.get(key, (self._most, now))
            left = min(self._most, left + (now - at) * self._per_s)
            if left < 1.0:
                raise TooMuch(self._limit, max(1, round((1.0 - left) / self._per_s + 0.5)))
            self._left[key] = left - 1.0, now
            self._left.move_to_end(key)
            if len(self._left) > MOST:
                self._left.popitem(last=False)

    def give_back(self, key: str) -> None:
        """What was counted last does not count."""
        with self._lock:
            if key in self._left:
                left, at = self._left[key]
                self._left[key] = min(self._most, left + 1.0), at
