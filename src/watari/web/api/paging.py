"""A list in pages."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from watari.errors import NotFound
from watari.web.api import models as m


class Named(Protocol):
    """Something with an id, by which the next page is asked for."""

    @property
    def id(self) -> str: ...


N = TypeVar("N", bound=Named)


def page_of(found: Sequence[N], after: str | None, limit: int) -> "m.Items[N]":
    """The items that come after the one with the id `after`. Raises NotFound if there is none of that id."""
    ids = [one.id for one in found]
    if after is not None and after not in ids:
        raise NotFound(f'there is no "{after}" to go on after')
    start = 0 if after is None else ids.index(after) + 1
    return cut(found[start : start + limit + 1], limit)


def cut(found: Sequence[N], limit: int) -> "m.Items[N]":
    """A page out of one item more than it holds, if there are so many: then another one follows."""
    items = list(found[:limit])
    return m.Items(items=items, next=items[-1].id if len(found) > limit else None)
