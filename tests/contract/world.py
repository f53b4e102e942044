"""What a cloud has to offer so that the contract of the ports can be tried on it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from watari.errors import Refused
from watari.model.compute import Flight, Host, HostName, Load, PastMove, Server, ServerId
from watari.ports import Clock, Compute, Meter, Migration, MigrationId

BUSY = ("MIGRATING", "RESIZE", "REVERT_RESIZE", "REBUILD")  # words of servers for which something goes on


@dataclass(frozen=True)
class World:
    """A cloud with nothing under way, and names in it for the parts of the tests.

    One that is expensive to make is made once for all tests: it has a history, and `restore` brings everything back.
    """

    compute: Compute
    meter: Meter
    clock: Clock
    server: ServerId  # runs, moves freely; its live move takes several seconds
    target: HostName  # of its zone, with room, up
    spare: HostName  # another one like that
    other_zone: HostName  # with room, up, but not of its zone
    full: HostName  # of its zone, without room for it
    snug: HostName  # of its zone, with room for one of its size
    disabled: HostName  # of its zone, with room
    apart: ServerId  # in an anti-affinity group with one on `apart_from`
    apart_from: HostName  # of the same zone, with room
    silent: ServerId  # sends no data
    off: ServerId  # SHUTOFF, of the zone and size of `server`, moves freely cold
    frail: ServerId  # runs, alone on a host of the zone of `target` that may be killed, and is none of these
    kill_host: Callable[[HostName], None] | None = None  # returns when the cloud takes it for down; None: cannot
    revive_host: Callable[[HostName], None] | None = None  # returns when the cloud takes it for running again
    hold: Callable[[bool], None] | None = (
        None  # True: live moves stand still from now on; None: only its clock moves them
    )
    patience_s: float = 7200.0  # of the world's clock, for one wait
    look_s: float = 1.0  # between two looks
    lacks: Mapping[str, str] = field(default_factory=dict)  # of what tests are marked to need: why it is not here

    def restore(self) -> None:
        """Called after each test: what moved is home again, hosts are up, or disabled, as at the beginning.

        Nothing to do for a world that is made anew for each test.
        """

    # Looking

    def locate(self, server: ServerId) -> Server:
        found = self.compute.locate(server)
        assert found is not None, f"the cloud has lost {server}"
        return found

    def where(self, server: ServerId) -> HostName:
        return self.locate(server).host

    def host(self, name: HostName) -> Host:
        found = self.compute.host(name)
        assert found is not None, f"the cloud has lost {name}"
        return found

    def flight_of(self, server: ServerId) -> Flight | None:
        return next((flight for flight in self.compute.flights() if flight.server == server), None)

    def past_of(self, server: ServerId) -> list[PastMove]:
        """Its moves that are over, oldest first."""
        return sorted((m for m in self.compute.inventory().past if m.server == server), key=lambda move: move.ended)

    # Waiting

    def wait(self, what: str, until: Callable[[], bool]) -> None:
        """Let time pass until it is so."""
        begun = self.clock.now()
        while not until():
            waited_s = (self.clock.now() - begun).total_seconds()
            assert waited_s < self.patience_s, f"waited {waited_s:.0f} s for {what}"
            self.clock.sleep(self.look_s)

    def settle(self) -> None:
        """Wait until no move is under way. What waits to be confirmed is not."""
        self.wait("every move to end", lambda: not self.compute.flights() and not self._busy())

    def arrived(self, id: MigrationId) -> Migration:
        """The move as it stands when it is over or waits to be confirmed."""

        self._stands(id)
        self.settle()
        return self.compute.migration(id)

    def _stands(self, id: MigrationId) -> Migration:
        """The move itself, whatever else is under way."""

        def stands() -> bool:
            found = self.compute.migration(id)
            return found.over or found.status == "confirm"

        self.wait(f"migration {id}", stands)
        return self.compute.migration(id)

    def measured(self, server: ServerId) -> Load:
        """Its load, as soon as the meter has seen enough of it."""
        self.wait(f"a load of {server}", lambda: server in self.meter.loads([server]))
        return self.meter.loads([server])[server]

    def moment(self) -> datetime:
        """Now, so that what was asked for before is older and what comes is not: clouds count whole seconds."""
        self.clock.sleep(2.0)
        return self.clock.now().replace(microsecond=0)

    def _busy(self) -> bool:
        return any(server.status in BUSY for server in self.compute.inventory().servers.values())

    @contextmanager
    def held(self) -> Iterator[None]:
        """A live move that is asked for in here is under way until the end."""
        if self.hold is not None:
            self.hold(True)
        try:
            yield
        finally:
            if self.hold is not None:
                self.hold(False)

    # Trying

    def refused(self, start: Callable[[], MigrationId]) -> str:
        """Why the cloud will not: at once, or after it took the request (Nova judges targets after its 202)."""
        try:
            id = start()
        except Refused as no:
            return str(no)
        end = self._stands(id)
        assert end.status == "failed", f"was to be refused, and is {end.status}"
        return end.error

    @contextmanager
    def dead(self, host: HostName) -> Iterator[None]:
        """The host is down meanwhile; skips the test in a world that cannot do that."""
        if self.kill_host is None or self.revive_host is None:
            pytest.skip("this world cannot kill a host and bring it back")
        self.kill_host(host)
        try:
            yield
        finally:
            self.revive_host(host)
