"""MariaDB: all services' databases."""

import os

from watari.lab.command import run_logged
from watari.lab.place import Place
from watari.lab.unit import Unit, listens

DATABASES = ("keystone", "glance", "placement", "nova_api", "nova_cell0", "nova_cell1", "neutron")


def mariadb_unit(place: Place) -> Unit:
    port = place.spec.port("mariadb")
    argv = (
        "mariadbd",
        "--no-defaults",
        f"--datadir={place.paths.data / 'mysql'}",
        "--socket=mysql.sock",  # within datadir: whole paths may be longer than a socket's name can be
        "--pid-file=mariadbd.pid",
        f"--port={port}",
        "--bind-address=127.0.0.1",
        "--skip-name-resolve",
        "--skip-log-bin",
        "--max-connections=800",
        "--performance-schema=OFF",
        "--innodb-buffer-pool-size=256M",
        "--innodb-log-file-size=32M",
        # a lab may lose its last second: without syncs a template is made in half the time
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-doublewrite=0",
        "--innodb-flush-method=nosync",
        *_as_root(),
    )
    return Unit("mariadb", argv, place.environment(), port, listens(port), stop_s=30)


def install_mariadb(place: Place) -> None:
    """Make the empty data folder; the root account needs no password and is reached on 127.0.0.1 alone."""
    argv = (
        "mariadb-install-db",
        "--no-defaults",
        f"--datadir={place.paths.data / 'mysql'}",
        "--auth-root-authentication-method=normal",
        "--skip-test-db",
        "--skip-name-resolve",
        *_as_root(),
    )
    run_logged(place, "mariadb", argv)


def create_databases(place: Place) -> None:
    statements = "".join(f"CREATE DATABASE IF NOT EXISTS {name} CHARACTER SET utf8mb4;" for name in DATABASES)
    port = place.spec.port("mariadb")
    client = ("mariadb", "--no-defaults", "-uroot", "-h127.0.0.1", f"-P{port}", "--protocol=tcp", "-e", statements)
    run_logged(place, "mariadb", client)


def _as_root() -> tuple[str, ...]:
    return ("--user=root",) if os.geteuid() == 0 else ()
