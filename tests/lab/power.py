"""Hosts of the lab that lose their power and get it back, with Nova told of it at once, as a fencing agent would."""

import time
from collections.abc import Callable
from typing import Any

from keystoneauth1.exceptions import ClientException

from watari.lab.clouds import connect
from watari.lab.lab import Lab

UP_S = 60.0


class Power:
    """The switch of every host. Without being told Nova takes 20 s to notice, and as many tests would wait for that."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._nova: Any = connect(lab.place).compute

    def cut(self, host: str) -> None:
        """The host is off, and Nova takes it for down."""
        self._lab.kill_host(host)
        self._force(host, down=True)

    def restore(self, host: str) -> None:
        """The host is on, and Nova takes it for running."""
        self._lab.revive_host(host)
        # Nova refuses while the host has evacuations to complete, which it does when it has started
        self._until(lambda: self._tried(host), f"Nova does not take {host} back")
        self._until(lambda: self._service(host).state == "up", f"{host} is not up")

    def _tried(self, host: str) -> bool:
        try:
            self._force(host, down=False)
        except ClientException:
            return False
        return True

    def _force(self, host: str, *, down: bool) -> None:
        self._nova.update_service_forced_down(self._service(host), host, "nova-compute", down)

    def _service(self, host: str) -> Any:
        return next(iter(self._nova.services(binary="nova-compute", host=host)))

    def _until(self, reached: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + UP_S
        while not reached():
            assert time.monotonic() < end, otherwise
            time.sleep(0.3)
