"""A clock for tests, that stands still until it is slept on."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class SetClock:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def seconds(self) -> float:
        """The same as seconds, for those who want a clock that nobody sets."""
        return (self.at - NOON).total_seconds()
