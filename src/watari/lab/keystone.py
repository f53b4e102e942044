"""Keystone: who may do what, and where the other services are."""

import grp
import os
import pwd

from watari.lab.command import run_logged
from watari.lab.inifile import write_ini
from watari.lab.place import Place
from watari.lab.spec import PASSWORD, REGION
from watari.lab.unit import Unit
from watari.lab.wsgi import wsgi_unit


def write_keystone(place: Place) -> None:
    keys = place.paths.data / "keystone"
    keys.mkdir(parents=True, exist_ok=True)
    keys.chmod(0o700)
    write_ini(
        place.paths.etc / "keystone" / "keystone.conf",
        {
            "database": place.database("keystone"),
            "token": {"provider": "fernet", "expiration": 86400},
            "fernet_tokens": {"key_repository": str(keys / "fernet-keys")},
            "fernet_receipts": {"key_repository": str(keys / "fernet-keys")},
            "credential": {"key_repository": str(keys / "credential-keys")},
            "identity": {"password_hash_rounds": 4},  # the fewest: every service logs in at every start
            "cache": {"enabled": True, "backend": "oslo_cache.dict"},
            "oslo_messaging_notifications": {"driver": "noop"},
        },
    )


def keystone_unit(place: Place) -> Unit:
    return wsgi_unit(place, "keystone", "keystone.wsgi.api:application")


def sync_keystone(place: Place) -> None:
    """Tables, keys, and the account `admin`."""
    manage = (
        place.paths.bin("keystone-manage"),
        "--config-file",
        str(place.paths.etc / "keystone" / "keystone.conf"),
    )
    url = place.spec.url("keystone", "/v3/")
    user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
    owner = ("--keystone-user", user, "--keystone-group", group)
    for command in (
        ("db_sync",),
        ("fernet_setup", *owner),
        ("credential_setup", *owner),
        (
            *("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", REGION),
            *("--bootstrap-admin-url", url, "--bootstrap-internal-url", url, "--bootstrap-public-url", url),
        ),
    ):
        run_logged(place, "keystone", (*manage, *command))
