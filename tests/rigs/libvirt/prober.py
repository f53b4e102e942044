"""Whether a guest can be reached, every 10 ms, and one TCP session that has to live through everything."""

import contextlib
import os
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

EVERY_S = 0.01
ECHO_PORT = 7


@dataclass
class Prober:
    """Pings an address and talks to its echo service from `with` to its end. `gaps` in seconds."""

    address: str
    longest_gap_s: float = 0.0
    sent: int = 0
    echoed: int = 0  # bytes that came back in the TCP session
    broken: str = ""  # why the TCP session ended
    _over: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Prober":
        self._session = socket.create_connection((self.address, ECHO_PORT), 10)
        self._threads = [threading.Thread(target=self._ping), threading.Thread(target=self._talk)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._session.close()

    def alive(self) -> bool:
        """Whether the TCP session answers now."""
        before, end = self.echoed, time.monotonic() + 10
        while time.monotonic() < end and not self.broken:
            if self.echoed > before:
                return True
            time.sleep(0.05)
        return False

    def _ping(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
            raw.connect((self.address, 0))
            raw.setblocking(False)
            last, next_at, id = time.monotonic(), time.monotonic(), os.getpid() & 0x7FFF
            while not self._over.is_set():
                now = time.monotonic()
                if now >= next_at:
                    self.sent += 1
                    with contextlib.suppress(OSError):
                        raw.send(_echo_request(id, self.sent & 0xFFFF))
                    next_at = max(next_at + EVERY_S, now)
                ready, _, _ = select.select([raw], [], [], max(0.0, next_at - time.monotonic()))
                if ready and raw.recv(2048)[20] == 0:  # an answer
                    last = time.monotonic()
                self.longest_gap_s = max(self.longest_gap_s, time.monotonic() - last)

    def _talk(self) -> None:
        self._session.settimeout(30)
        try:
            while not self._over.is_set():
                self._session.sendall(b"watari\n")
                if not (answer := self._session.recv(64)):
                    raise ConnectionError("the guest ended the session")
                self.echoed += len(answer)
                self._over.wait(0.05)
        except OSError as e:
            self.broken = str(e)


def _echo_request(id: int, number: int) -> bytes:
    head = struct.pack("!BBHHH", 8, 0, 0, id, number)
    total = sum(struct.unpack("!4H", head))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack("!BBHHH", 8, 0, ~total & 0xFFFF, id, number)
