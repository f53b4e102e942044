"""A PostgreSQL server of the tests' own, on a free loopback port, gone when they are over."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

MISSING = "PostgreSQL is not installed: apt install postgresql"


def binaries() -> Path | None:
    """Where Debian's newest PostgreSQL keeps initdb and postgres; None if there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    return found[-1].parent if found else None


class Postgres:
    """A server. PostgreSQL refuses to run as root, so it runs as `postgres` then, in a folder that it may enter."""

    def __init__(self, *, fsync: bool = False) -> None:
        bin_ = binaries()
        assert bin_ is not None, MISSING
        self._folder = Path(tempfile.mkdtemp(prefix="watari-postgres-"))
        self._bin, self.port, self._made, self._fsync = bin_, _free_port(), 0, fsync
        user = pwd.getpwnam("postgres").pw_name if os.geteuid() == 0 else None
        if user is not None:
            shutil.chown(self._folder, user)
        self._how: dict[str, Any] = {
            "stdout": subprocess.DEVNULL, "stderr": subprocess.STDOUT, "user": user, "cwd": "/",
        }  # fmt: skip
        make: list[Any] = [bin_ / "initdb", "-D", self._folder / "data", "-A", "trust", "-U", "watari", "-N"]
        subprocess.run(make, check=True, **self._how)
        self._server: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        options = {"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self._folder}
        options |= {"fsync": "on" if self._fsync else "off", "max_connections": 200}
        flags = [word for key, value in options.items() for word in ("-c", f"{key}={value}")]
        self._server = subprocess.Popen([self._bin / "postgres", "-D", self._folder / "data", *flags], **self._how)
        until = time.monotonic() + 60
        while True:
            try:
                self._connect().close()
                return
            except psycopg.OperationalError as e:
                assert time.monotonic() < until and self._server.poll() is None, f"PostgreSQL did not come up: {e}"
                time.sleep(0.05)

    def stop(self) -> None:
        """At once, as `systemctl stop` does: sessions are cut off."""
        assert self._server is not None
        self._server.send_signal(2)
        self._server.wait(30)

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self._folder)

    def new_database(self) -> str:
        """The URL of an empty database."""
        self._made += 1
        with self._connect() as c:
            c.execute(f"create database runs{self._made}")
        return f"postgresql://watari@127.0.0.1:{self.port}/runs{self._made}"

    def _connect(self) -> "psycopg.Connection[Any]":
        return psycopg.connect(host="127.0.0.1", port=self.port, user="watari", dbname="postgres", autocommit=True)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
