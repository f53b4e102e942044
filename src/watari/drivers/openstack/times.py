"""Nova's moments: UTC without saying so, in whole seconds once they have been in its database."""

from datetime import UTC, datetime


def moment(text: str) -> datetime:
    """`2026-11-20T17:55:58.000000` or `…Z` as a timezone-aware moment."""
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def second_of(at: datetime) -> datetime:
    """The whole second: what Nova's database keeps of a moment."""
    return at.astimezone(UTC).replace(microsecond=0)
