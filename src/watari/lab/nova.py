"""Nova: API, conductor, scheduler and the compute hosts. All but the API are forked by one process (virt/zygote.py)."""

import shutil
from pathlib import Path

from watari.lab.command import run_logged
from watari.lab.inifile import Sections, Value, write_ini
from watari.lab.paths import write_json
from watari.lab.place import MESSAGING, Place
from watari.lab.spec import CPU_RATIO
from watari.lab.unit import Unit
from watari.lab.wsgi import wsgi_unit

REPORT_S = 5
DOWN_S = 20
FILTERS = (
    "ComputeFilter",
    "ComputeCapabilitiesFilter",
    "ImagePropertiesFilter",
    "ServerGroupAntiAffinityFilter",
    "ServerGroupAffinityFilter",
    "AggregateInstanceExtraSpecsFilter",
)
ZYGOTE = "nova-zygote"
_VIRT = Path(__file__).parent / "virt"


def compute_service(host: str) -> str:
    return f"nova-compute@{host}"


def write_nova(place: Place) -> None:
    etc = place.paths.etc
    for host in (None, *place.spec.hosts):
        conf = etc / ("nova" if host is None else f"nova-{host}") / "nova.conf"
        state = place.paths.data / "nova" / (host or "controller")
        (state / "instances").mkdir(parents=True, exist_ok=True)
        write_ini(conf, _sections(place, host, state))
        if host is not None:
            write_json(conf.with_name("host.json"), _host_json(place, host))
    # Nova's WSGI module looks for it beside nova.conf, whatever the configuration says
    shutil.copyfile(place.paths.venv / "etc" / "nova" / "api-paste.ini", etc / "nova" / "api-paste.ini")
    write_json(etc / "nova" / "zygote.json", _zygote_json(place))


def nova_api_unit(place: Place) -> Unit:
    return wsgi_unit(place, "nova-api", "nova.wsgi.osapi_compute:application")


def zygote_unit(place: Place) -> Unit:
    """The process that has Nova imported already and forks the others; its children live on without it."""
    python = place.paths.bin("python")
    argv = (python, "-u", str(_VIRT / "zygote.py"), str(place.paths.etc / "nova" / "zygote.json"))
    return Unit(ZYGOTE, argv, place.environment(), patience_s=60)


def forked_units(place: Place) -> tuple[Unit, ...]:
    names = ("nova-conductor", "nova-scheduler", *map(compute_service, place.spec.hosts))
    return tuple(Unit(name) for name in names)


def sync_nova(place: Place) -> None:
    """Tables of the API, of cell0 (servers that found no host) and of the one cell."""
    cell0 = ("map_cell0", "--database_connection", place.database_url("nova_cell0"))
    _manage(place, "api_db", "sync")
    _manage(place, "cell_v2", *cell0)
    _manage(place, "cell_v2", "create_cell", "--name", "cell1")
    _manage(place, "db", "sync")


def discover_hosts(place: Place) -> None:
    """New compute hosts belong to no cell until somebody says so."""
    _manage(place, "cell_v2", "discover_hosts")


def _manage(place: Place, *command: str) -> None:
    conf = place.paths.etc / "nova" / "nova.conf"
    run_logged(place, "nova-manage", (place.paths.bin("nova-manage"), "--config-file", str(conf), *command))


def _sections(place: Place, host: str | None, state: Path) -> Sections:
    account = place.account("nova")
    databases = {"api_database": place.database("nova_api"), "database": place.database("nova_cell1")}
    return {
        "DEFAULT": _default(place, host, state),
        **({} if host else databases),  # a compute host has no way to the database
        "api": {"auth_strategy": "keystone", "response_validation": "ignore"},
        "wsgi": {"api_paste_config": str(place.paths.venv / "etc" / "nova" / "api-paste.ini")},
        "keystone_authtoken": place.authtoken("nova"),
        "service_user": {"send_service_user_token": True, **account},
        "placement": place.account("placement"),
        "neutron": place.account("neutron"),
        "glance": place.account("glance"),
        "cinder": account,
        "vnc": {"enabled": False},
        "compute": {"live_migration_wait_for_vif_plug": False},
        "quota": dict.fromkeys(("instances", "cores", "ram", "server_groups", "server_group_members"), -1),
        "conductor": {"workers": 1},
        "scheduler": {"workers": 1, "discover_hosts_in_cells_interval": 10},
        "filter_scheduler": {"enabled_filters": ",".join(FILTERS), "host_subset_size": 1},
        "oslo_concurrency": {"lock_path": str(state / "lock")},
        **MESSAGING,
    }


def _default(place: Place, host: str | None, state: Path) -> dict[str, Value]:
    return {
        "host": host or "controller",
        "my_ip": "127.0.0.1",
        "transport_url": place.rabbit_url,
        "state_path": str(state),  # one per host: it holds the host's identity
        "instances_path": str(state / "instances"),
        "compute_driver": "watari_lab.LabDriver",
        "cpu_allocation_ratio": CPU_RATIO,
        "report_interval": REPORT_S,
        "service_down_time": DOWN_S,
        "rpc_response_timeout": 30,
        "vif_plugging_is_fatal": False,
        "vif_plugging_timeout": 0,
        "use_cow_images": False,
        "force_raw_images": False,
        "heal_instance_info_cache_interval": -1,  # no agent ever changes a port here: dozens of hosts need not ask
        "update_resources_interval": 300,  # nothing but Nova uses the hosts
        "graceful_shutdown_timeout": 3,  # Nova's 180 s would hold up every stop of the lab
        "manager_shutdown_timeout": 0,
    }


def _host_json(place: Place, host: str) -> dict[str, object]:
    """What the virt driver has to know."""
    size = place.spec.host
    return {
        "threads": size.threads,
        "memory_mib": size.memory_mib,
        "disk_gib": size.disk_gib,
        "servers": str(place.paths.servers(host)),
        "knobs": str(place.paths.knobs(host)),
        "dead": str(place.paths.dead),
    }


def _zygote_json(place: Place) -> dict[str, object]:
    """What the zygote has to know: folders, and what has to answer before a service may start."""
    spec, paths = place.spec, place.paths
    return {
        "run": str(paths.run),
        "log": str(paths.log),
        "etc": str(paths.etc),
        "rabbit_url": f"amqp://guest:guest@127.0.0.1:{spec.port('rabbitmq')}//",
        "ports": {"keystone": spec.port("keystone"), "placement": spec.port("placement")},
        "rabbitmq": spec.port("rabbitmq"),
    }
