"""Time as it really passes."""

import time
from datetime import UTC, datetime


class RealTime:
    """The Clock of a real cloud: UTC, and sleeping takes its time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)
