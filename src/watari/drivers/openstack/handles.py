"""Handles of moves: what finds a move again in another process, from the moment Nova answered."""

import re
from dataclasses import dataclass

from watari.errors import Refused
from watari.model.compute import HostName, ServerId
from watari.ports import MigrationId, MigrationKind

PATTERN = re.compile(r"(?P<request>req-[0-9a-f-]+)/(?P<kind>live|cold|evacuation)/(?P<server>[^/]+)/(?P<target>[^/]*)")


@dataclass(frozen=True, slots=True)
class Handle:
    """Nova's request id names the move: its instance action exists when Nova answers, its migration record only later.

    `target` is what was asked for (the record learns it when the scheduler is done); empty for an evacuation.
    """

    request: str
    kind: MigrationKind
    server: ServerId
    target: HostName

    @property
    def id(self) -> MigrationId:
        return MigrationId(f"{self.request}/{self.kind}/{self.server}/{self.target}")


def handle_of(id: MigrationId) -> Handle:
    """Raises Refused for what is no handle of this driver."""
    match = PATTERN.fullmatch(id)
    if match is None:
        raise Refused(f"the cloud knows no migration {id}")
    kind: MigrationKind = match["kind"]  # type: ignore[assignment]
    return Handle(match["request"], kind, ServerId(match["server"]), HostName(match["target"]))
