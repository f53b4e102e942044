"""How fast guests change their memory: QEMU is asked to measure it, one guest after the other."""

import logging
import threading
import time
from typing import Any, Final

from watari.drivers.libvirt.hosts import Connection
from watari.drivers.libvirt.library import clean, is_missing, libvirt
from watari.errors import WatariError

MEASURE_S: Final = 1  # how long QEMU looks; it takes 1 to 60 s
RETRY_S: Final = 15.0
Key = tuple[str, int]  # uuid and domain id: a new id is a new process
log = logging.getLogger(__name__)


class DirtyRates:
    """Has each running guest measured once in `every_s` seconds, spread over that time.

    By sampling (virDomainStartDirtyRateCalc without a mode): QEMU hashes 512 pages of each GiB at the beginning and at
    the end, and leaves the guest's memory and vCPUs alone. The other modes write-protect memory or log writes, which
    the guest pays for. Needs a connection that may write; the result is read by whoever reads statistics.
    """

    def __init__(self, connection: Connection, every_s: float) -> None:
        self._connection, self._every_s = connection, every_s
        self._turns: dict[Key, float] = {}  # when it was each one's turn, on the monotonic clock
        self._asked: dict[Key, float] = {}  # when QEMU was asked
        self._ended = threading.Event()
        self._said: set[str] = set()

    def asked(self, uuid: str, id: int) -> bool:
        """Whether this process asked for it, not longer ago than two rounds."""
        at = self._asked.get((uuid, id))
        return at is not None and time.monotonic() - at < 2 * self._every_s + MEASURE_S

    def start(self) -> None:
        threading.Thread(target=self._run, daemon=True, name="dirty-rates").start()

    def stop(self) -> None:
        self._ended.set()

    def step(self) -> float:
        """Ask for the guest whose turn it is; returns the seconds until the next. Raises as a connection does."""
        lv = libvirt()
        with self._connection.use("measure dirty rates") as c:
            there = {(d.UUIDString(), d.ID()): d for d in c.listAllDomains(lv.VIR_CONNECT_LIST_DOMAINS_RUNNING)}
            self._turns = {key: at for key, at in self._turns.items() if key in there}
            self._asked = {key: at for key, at in self._asked.items() if key in there}
            if there:
                key = min(there, key=lambda key: (self._turns.get(key, 0.0), key))
                self._turns[key] = time.monotonic()
                if self._measure(there[key]):
                    self._asked[key] = self._turns[key]
        return self._every_s / max(1, len(there))

    def _measure(self, domain: Any) -> bool:
        """Not while it has a job: libvirt would make us wait for its end, and a move knows the rate itself."""
        lv = libvirt()
        try:
            if domain.jobInfo()[0] != lv.VIR_DOMAIN_JOB_NONE:
                return False
            domain.startDirtyRateCalc(MEASURE_S, 0)
        except lv.libvirtError as e:
            if not is_missing(e):
                self._say(f"dirty rates are not measured: {clean(e)}", str(e.get_error_code()))
            return False
        return True

    def _run(self) -> None:
        pause_s = 0.0
        while not self._ended.wait(pause_s):
            try:
                pause_s = self.step()
            except WatariError as e:
                pause_s = min(self._every_s, RETRY_S)
                self._say(str(e), type(e).__name__)

    def _say(self, why: str, kind: str) -> None:
        """Each kind of trouble once: it would be said for every guest, every time."""
        if kind not in self._said:
            log.warning("%s", why)
            self._said.add(kind)
