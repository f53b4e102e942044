"""What Watari writes into a domain's own metadata: its moves. It travels with the domain, and every Watari reads it.

    <watari:moves xmlns:watari="https://watari.dev/xmlns/moves/1">
      <move id="…" source="h1" target="h2" asked="2026-11-30T12:00:00+00:00" ended="…" result="done"/>
    </watari:moves>

The newest comes first. A move without a result is under way, or its process ended before it could write more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from watari.drivers.libvirt.library import libvirt
from watari.model.compute import HostName

URI: Final = "https://watari.dev/xmlns/moves/1"
KEY: Final = "watari"
KEPT: Final = 8  # moves per domain


@dataclass(frozen=True, slots=True)
class Mark:
    """One move of a domain. `result`: done, failed, aborted; empty while nobody has written it. `why` it failed."""

    id: str
    source: HostName
    target: HostName
    asked: datetime
    kind: str = "live"
    ended: datetime | None = None
    result: str = ""
    why: str = ""


def read_marks(domain: Any) -> tuple[Mark, ...]:
    """The domain's moves, newest first; none for a domain without, or with some that are damaged."""
    lv = libvirt()
    try:
        return parsed(domain.metadata(lv.VIR_DOMAIN_METADATA_ELEMENT, URI))
    except lv.libvirtError as e:
        if e.get_error_code() == lv.VIR_ERR_NO_DOMAIN_METADATA:
            return ()
        raise


def write_mark(domain: Any, mark: Mark) -> None:
    """Write a move down, or what has become of it."""
    lv = libvirt()
    kept = [mark, *(other for other in read_marks(domain) if other.id != mark.id)]
    kept.sort(key=lambda m: m.asked, reverse=True)
    flags = lv.VIR_DOMAIN_AFFECT_LIVE if domain.isActive() else lv.VIR_DOMAIN_AFFECT_CONFIG
    if domain.isPersistent():
        flags |= lv.VIR_DOMAIN_AFFECT_CONFIG
    domain.setMetadata(lv.VIR_DOMAIN_METADATA_ELEMENT, written(kept[:KEPT]), KEY, URI, flags)


def written(marks: Iterable[Mark]) -> str:
    return f"<moves>{''.join(map(_element, marks))}</moves>"


def parsed(xml: str) -> tuple[Mark, ...]:
    try:
        root = ElementTree.fromstring(xml)
        return tuple(_mark(element.attrib) for element in root)
    except (ElementTree.ParseError, KeyError, ValueError):  # somebody else's, or cut off: no move of ours
        return ()


def ended(mark: Mark, at: datetime, result: str, why: str = "") -> Mark:
    return replace(mark, ended=at, result=result, why=why[:300])


def over(marks: tuple[Mark, ...], host: HostName) -> Iterator[Mark]:
    """The moves that are over of a domain that is on `host`; those nobody has written an end to are told by the next.

    A domain that left for the next move from where this one was to bring it has arrived there.
    """
    went_on_from, newest = host, True
    for mark in marks:
        if mark.result:
            yield mark
        elif went_on_from != mark.source:
            yield replace(mark, result="done")
        elif not newest:  # the newest one may be about to begin
            yield replace(mark, result="failed", why="it did not leave, and nobody has written down why")
        went_on_from, newest = mark.source, False


def _element(mark: Mark) -> str:
    values = {
        "id": mark.id, "source": mark.source, "target": mark.target, "kind": mark.kind, "asked": mark.asked.isoformat(),
        "ended": mark.ended.isoformat() if mark.ended else "", "result": mark.result, "why": mark.why,
    }  # fmt: skip
    return f"<move {' '.join(f'{key}={quoteattr(value)}' for key, value in values.items() if value)}/>"


def _mark(row: Any) -> Mark:
    ended_at = row.get("ended")
    return Mark(
        row["id"], HostName(row["source"]), HostName(row["target"]), datetime.fromisoformat(row["asked"]),
        row.get("kind", "live"), datetime.fromisoformat(ended_at) if ended_at else None, row.get("result", ""),
        row.get("why", ""),
    )  # fmt: skip
