"""Neutron: networks and ports, without agents (see virt/ml2.py)."""

from watari.lab.command import run_logged
from watari.lab.inifile import write_ini
from watari.lab.place import MESSAGING, Place
from watari.lab.unit import Unit
from watari.lab.wsgi import wsgi_unit


def write_neutron(place: Place) -> None:
    etc, data = place.paths.etc / "neutron", place.paths.data / "neutron"
    (data / "lock").mkdir(parents=True, exist_ok=True)
    write_ini(
        etc / "neutron.conf",
        {
            "DEFAULT": {
                "core_plugin": "ml2",
                "service_plugins": "",
                "auth_strategy": "keystone",
                "state_path": str(data),
                "transport_url": place.rabbit_url,
                "api_paste_config": str(place.paths.venv / "etc" / "neutron" / "api-paste.ini"),
                "rpc_workers": 0,
                "rpc_state_report_workers": 0,
                "dhcp_agent_notification": False,
                "notify_nova_on_port_status_changes": True,
                "notify_nova_on_port_data_changes": True,
            },
            "database": place.database("neutron"),
            "keystone_authtoken": place.authtoken("neutron"),
            "nova": place.account("nova"),
            "placement": place.account("placement"),
            "oslo_concurrency": {"lock_path": str(data / "lock")},
            **MESSAGING,
        },
    )
    write_ini(
        etc / "ml2_conf.ini",
        {
            "ml2": {
                "type_drivers": "flat,vlan,local",
                "tenant_network_types": "vlan",
                "mechanism_drivers": "watari_lab",
                "extension_drivers": "port_security",
            },
            "ml2_type_flat": {"flat_networks": "*"},
            "ml2_type_vlan": {"network_vlan_ranges": "physnet1:100:3999"},
            "securitygroup": {"enable_security_group": True},
        },
    )


def neutron_unit(place: Place) -> Unit:
    return wsgi_unit(place, "neutron", "neutron.wsgi.api:application")


def sync_neutron(place: Place) -> None:
    etc = place.paths.etc / "neutron"
    files = ("--config-file", str(etc / "neutron.conf"), "--config-file", str(etc / "ml2_conf.ini"))
    run_logged(place, "neutron", (place.paths.bin("neutron-db-manage"), *files, "upgrade", "heads"))
