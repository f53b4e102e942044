"""The lab's clouds.yaml, and connections through it."""

from datetime import datetime

import openstack
import yaml
from keystoneauth1.exceptions import ClientException
from openstack.config import OpenStackConfig
from openstack.connection import Connection
from openstack.exceptions import SDKException

from watari.lab.paths import write_text
from watari.lab.place import Place
from watari.lab.spec import LINK_MIB_S, PASSWORD, REGION

ADMIN = "lab"
USER = "lab-user"  # a project's member without any other right
DEMO = "lab-demo"  # the administrator in the project of the sample servers
PROJECT = "demo"
WINDOW = "30s"  # six scrapes: nobody who tries the lab should wait for two minutes to see what a move brought
UNREACHABLE = (ClientException, SDKException)


def write_clouds(place: Place) -> None:
    def cloud(user: str, project: str) -> dict[str, object]:
        auth = {
            "auth_url": place.identity_url,
            "username": user,
            "password": PASSWORD,
            "project_name": project,
            "user_domain_name": "Default",
            "project_domain_name": "Default",
        }
        return {"auth": auth, "region_name": REGION, "interface": "public", "identity_api_version": 3}

    watari = {
        "prometheus": {"url": place.spec.url("prometheus"), "window": WINDOW},
        "shared_storage": True,
        "link_mib_s": LINK_MIB_S,
    }
    clouds = {
        ADMIN: cloud("admin", "admin") | {"watari": watari},
        USER: cloud("demo", PROJECT),
        DEMO: cloud("admin", PROJECT),
    }
    text = "# Written by `watari lab up`.\n" + yaml.safe_dump({"clouds": clouds}, sort_keys=False)
    write_text(place.paths.clouds_yaml, text, mode=0o600)


def connect(place: Place, cloud: str = ADMIN, timeout_s: float = 30.0) -> Connection:
    """A connection that knows this lab's clouds.yaml and nothing else of the caller's surroundings.

    What it is used for may raise any of `UNREACHABLE`; no answer within `timeout_s` (a paused API) is one of them.
    """
    config = OpenStackConfig(
        config_files=[str(place.paths.clouds_yaml)], vendor_files=[], secure_files=[], load_envvars=False
    )
    connection = openstack.connection.Connection(config=config.get_one(cloud, api_timeout=timeout_s))
    connection.compute.default_microversion = "2.95"
    return connection


def heard_from_since(place: Place, wall_s: float) -> set[str]:
    """Hosts whose compute has reported to Nova since that Unix time, thus has started all through.

    Raises any of `UNREACHABLE`.
    """
    services = connect(place, timeout_s=10.0).compute.services(binary="nova-compute")
    return {service.host for service in services if _unix(service.updated_at) >= wall_s}


def _unix(nova_time: str | None) -> float:
    """Nova's times are UTC without saying so."""
    return datetime.fromisoformat(f"{nova_time[:19]}+00:00").timestamp() if nova_time else 0.0
