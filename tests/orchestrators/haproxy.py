"""A real HAProxy on loopback, with backends that answer HTTP; for tests that have the program."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrators.answering import serving

PROGRAM = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
MISSING = "there is no `haproxy` here (Debian and Ubuntu: apt install haproxy)"


@dataclass
class Balancer:
    """`admin`: its runtime API; `port`: its front."""

    admin: Path
    port: int
    process: "subprocess.Popen[bytes]"

    def command(self, text: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.admin))
            connection.sendall(f"{text}\n".encode())
            answer = b""
            while part := connection.recv(65536):
                answer += part
        return answer.decode()

    def open_session(self) -> socket.socket:
        """A client that stays: its session lasts until it is closed."""
        connection = socket.create_connection(("127.0.0.1", self.port), 5)
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536)
        return connection


@contextmanager
def running(folder: Path, backends: dict[str, list[str]]) -> Iterator[Balancer]:
    """One balancer. The front leads to the first backend, in tcp mode; a server called sick-… fails its check."""
    assert PROGRAM is not None
    with serving(lambda request: (200, {"ok": True})) as served, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        good, path = served.url.removeprefix("http://"), folder / "admin.sock"
        lines = ["global", f"  stats socket {path} level admin mode 600", "defaults", "  mode tcp"]
        lines += ["  timeout connect 1s", "  timeout client 60s", "  timeout server 60s"]
        lines += [f"listen {next(iter(backends))}", f"  bind 127.0.0.1:{port}"]
        for n, (backend, servers) in enumerate(backends.items()):
            lines += [f"backend {backend}"] if n else []
            for server in servers:
                address = "127.0.0.1:9" if server.startswith("sick-") else good
                lines.append(f"  server {server} {address} check inter 200ms fall 1 rise 1 weight 7")
        (folder / "haproxy.cfg").write_text("\n".join(lines) + "\n")
        process = subprocess.Popen([PROGRAM, "-db", "-f", folder / "haproxy.cfg"], stderr=subprocess.DEVNULL)
        try:
            balancer = Balancer(path, port, process)
            _wait(balancer)
            yield balancer
        finally:
            process.kill()
            process.wait()


def _wait(balancer: Balancer) -> None:
    """Until every check has been made once."""
    end = time.monotonic() + 10
    while True:
        try:
            if "UP" in (said := balancer.command("show stat -1 4 -1")) and "DOWN 1" not in said:
                time.sleep(0.5)
                return
        except OSError:
            pass
        assert time.monotonic() < end, "haproxy does not start"
        time.sleep(0.1)
