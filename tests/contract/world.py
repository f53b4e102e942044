"""What a cloud has to offer so that the contract of the ports can be tried on it."""

from dataclasses import dataclass

from watari.model.compute import HostName, ServerId
from watari.ports import Clock, Compute, Meter


@dataclass(frozen=True)
class World:
    """A cloud with nothing under way, and names in it for the parts of the tests."""

    compute: Compute
    meter: Meter
    clock: Clock
    server: ServerId  # moves freely; its move takes longer than one second
    target: HostName  # of its zone, with room
    spare: HostName  # another one like that
    other_zone: HostName  # with room, up, but not of its zone
    full: HostName  # of its zone, without room for it
    disabled: HostName  # of its zone, with room
    apart: ServerId  # in an anti-affinity group with one on `apart_from`
    apart_from: HostName  # of the same zone, with room
    silent: ServerId  # sends no data

    def settle(self) -> None:
        """Wait until no move is under way."""
        while self.compute.inventory().flights:
            self.clock.sleep(1.0)
