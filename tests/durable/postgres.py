"""A PostgreSQL server of the tests' own, on a free loopback port, gone when they are over."""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def binaries() -> Path | None:
    """Where Debian's newest PostgreSQL keeps initdb and postgres; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """The URL of an empty database. PostgreSQL refuses to run as root, so it runs as `postgres` then."""
    bin_, user = binaries(), _user()
    assert bin_ is not None, "PostgreSQL is not installed: apt install postgresql"
    data, port = folder / "data", _free_port()
    folder.mkdir(mode=0o755)
    if user is not None:
        shutil.chown(folder, user)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "user": user, "cwd": "/"}
    subprocess.run([bin_ / "initdb", "-D", data, "-A", "trust", "-U", "watari", "-N"], check=True, **quiet)
    options = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder, "fsync": "off"}
    flags = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
    server = subprocess.Popen([bin_ / "postgres", "-D", data, *flags], **quiet)
    try:
        _wait(port, server)
        subprocess.run([bin_ / "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "watari", "runs"], check=True)
        yield f"postgresql://watari@127.0.0.1:{port}/runs"
    finally:
        server.terminate()
        server.wait(30)


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    return pwd.getpwnam("postgres").pw_name


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def _wait(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"PostgreSQL did not come up on port {port} (exit {server.poll()})")
