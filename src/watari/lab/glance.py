"""Glance: the images."""

from watari.lab.command import run_logged
from watari.lab.inifile import write_ini
from watari.lab.place import Place
from watari.lab.unit import Unit
from watari.lab.wsgi import wsgi_unit


def write_glance(place: Place) -> None:
    data = place.paths.data / "glance"
    for folder in ("images", "staging", "tasks", "lock"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    write_ini(
        place.paths.etc / "glance" / "glance-api.conf",
        {
            "DEFAULT": {
                "enabled_backends": "file:file",
                "worker_self_reference_url": place.spec.url("glance"),
                "enabled_import_methods": "[]",
                "node_staging_uri": f"file://{data / 'staging'}/",
            },
            "database": place.database("glance"),
            "glance_store": {"default_backend": "file"},
            "file": {"filesystem_store_datadir": f"{data / 'images'}/"},
            "os_glance_staging_store": {"filesystem_store_datadir": f"{data / 'staging'}/"},
            "os_glance_tasks_store": {"filesystem_store_datadir": f"{data / 'tasks'}/"},
            "paste_deploy": {
                "flavor": "keystone",
                "config_file": str(place.paths.venv / "etc" / "glance" / "glance-api-paste.ini"),
            },
            "oslo_concurrency": {"lock_path": str(data / "lock")},
            "keystone_authtoken": place.authtoken("glance"),
            "oslo_messaging_notifications": {"driver": "noop"},
        },
    )


def glance_unit(place: Place) -> Unit:
    return wsgi_unit(place, "glance", "glance.wsgi.api:application")


def sync_glance(place: Place) -> None:
    conf = place.paths.etc / "glance" / "glance-api.conf"
    run_logged(place, "glance", (place.paths.bin("glance-manage"), "--config-file", str(conf), "db_sync"))
