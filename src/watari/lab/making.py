"""Make a lab's data: from the template if there is one, else from nothing, once."""

import shutil
from collections.abc import Callable

from watari.lab import template
from watari.lab.bringup import Bringup, Say
from watari.lab.clouds import write_clouds
from watari.lab.glance import sync_glance, write_glance
from watari.lab.keystone import sync_keystone, write_keystone
from watari.lab.mariadb import create_databases, install_mariadb
from watari.lab.neutron import sync_neutron, write_neutron
from watari.lab.nova import ZYGOTE, discover_hosts, sync_nova, write_nova
from watari.lab.paths import told
from watari.lab.place import Place
from watari.lab.placement import sync_placement, write_placement
from watari.lab.populate import create_accounts, create_resources
from watari.lab.prometheus import write_prometheus
from watari.lab.rabbitmq import write_rabbitmq
from watari.lab.services import APIS


def write_configuration(place: Place) -> None:
    """Every file that a service reads; done at every start of a stopped lab."""
    with told(place.paths.etc):
        (place.paths.data / "home").mkdir(parents=True, exist_ok=True)
        for write in (
            write_keystone,
            write_glance,
            write_placement,
            write_neutron,
            write_nova,
            write_rabbitmq,
            write_prometheus,
            write_clouds,
        ):
            write(place)


def provide_data(place: Place, bringup: Bringup, say: Say) -> None:
    """See that a stopped lab has the data of its description and the files that its services read.

    Making a template starts services with `bringup` and lets them run.
    """
    if not template.data_usable(place):
        if not template.usable(place):
            _make_template(place, bringup, say)
            return
        if template.data_whole(place):
            say("the data here was made for a lab of another shape; starting from the template")
        template.restore(place)
    write_configuration(place)


def _make_template(place: Place, bringup: Bringup, say: Say) -> None:
    """Fill a new cloud and pack its data.

    Only the database has to be at rest for that: nothing is asked of the others, whose files change no more.
    """
    say("making the databases and sample servers (once)")
    shutil.rmtree(place.paths.data, ignore_errors=True)
    write_configuration(place)
    _make_databases(place, bringup)
    _fill(place, bringup)
    bringup.stop("mariadb")
    template.save(place)
    bringup.said("template")


def _make_databases(place: Place, bringup: Bringup) -> None:
    install_mariadb(place)
    bringup.start(["mariadb"])
    bringup.wait(["mariadb"])
    create_databases(place)

    def job(name: str, sync: Callable[[Place], None]) -> Callable[[], None]:
        def run() -> None:
            sync(place)
            bringup.said(f"{name} tables")

        return run

    bringup.together(
        [
            job("nova", sync_nova),
            job("neutron", sync_neutron),
            job("keystone", sync_keystone),
            job("glance", sync_glance),
            job("placement", sync_placement),
        ]
    )


def _fill(place: Place, bringup: Bringup) -> None:
    """Accounts come before Nova's daemons: those end when they may not log in."""
    first = ("epmd", "rabbitmq", "memcached", *APIS, ZYGOTE)
    bringup.start(first)
    bringup.wait(["keystone"])
    create_accounts(place)
    bringup.said("accounts")
    bringup.start(bringup.forked)
    bringup.wait([name for name in first if name != "keystone"])
    bringup.computes_up()
    discover_hosts(place)
    create_resources(place)
    bringup.said("sample servers")
