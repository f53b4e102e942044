"""Placement: how much of every host is taken."""

from watari.lab.command import run_logged
from watari.lab.inifile import write_ini
from watari.lab.place import Place
from watari.lab.unit import Unit
from watari.lab.wsgi import wsgi_unit


def write_placement(place: Place) -> None:
    write_ini(
        place.paths.etc / "placement" / "placement.conf",
        {
            "api": {"auth_strategy": "keystone"},
            "placement_database": place.database("placement"),
            "keystone_authtoken": place.authtoken("placement"),
        },
    )


def placement_unit(place: Place) -> Unit:
    return wsgi_unit(place, "placement", "placement.wsgi.api:application")


def sync_placement(place: Place) -> None:
    conf = place.paths.etc / "placement" / "placement.conf"
    run_logged(place, "placement", (place.paths.bin("placement-manage"), "--config-file", str(conf), "db", "sync"))
