"""A lab's description and folders together, and what several services' configuration has in common."""

import os
from dataclasses import dataclass
from typing import Self

from watari.lab.inifile import Value
from watari.lab.paths import LabPaths
from watari.lab.spec import PASSWORD, REGION, LabSpec

Section = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Place:
    """One lab: what it is and where it lies."""

    spec: LabSpec
    paths: LabPaths

    @classmethod
    def of(cls, spec: LabSpec) -> Self:
        return cls(spec, LabPaths(spec.dir))

    @property
    def identity_url(self) -> str:
        return self.spec.url("keystone", "/v3")

    @property
    def rabbit_url(self) -> str:
        return f"rabbit://guest:guest@127.0.0.1:{self.spec.port('rabbitmq')}/"

    def database_url(self, name: str) -> str:
        return f"mysql+pymysql://root:@127.0.0.1:{self.spec.port('mariadb')}/{name}?charset=utf8mb4"

    def database(self, name: str) -> Section:
        return {"connection": self.database_url(name), "max_pool_size": 5, "max_overflow": 20}

    def account(self, user: str) -> Section:
        """How a service proves to the others who it is."""
        return {
            "auth_url": self.identity_url,
            "auth_type": "password",
            "project_domain_name": "Default",
            "user_domain_name": "Default",
            "project_name": "service",
            "username": user,
            "password": PASSWORD,
            "region_name": REGION,
        }

    def authtoken(self, user: str) -> Section:
        """How a service checks the tokens of its callers."""
        return {
            "www_authenticate_uri": self.identity_url,
            "memcached_servers": f"127.0.0.1:{self.spec.port('memcached')}",
            "service_token_roles": "service",
            "service_token_roles_required": True,
            **self.account(user),
        }

    def environment(self) -> dict[str, str]:
        """What the lab's processes see: nothing of the caller's clouds, proxies or Python settings."""
        kept = {key: os.environ[key] for key in ("LANG", "LC_ALL", "TZ", "TMPDIR") if key in os.environ}
        etc = self.paths.etc
        return kept | {
            "PATH": f"{self.paths.venv / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": str(self.paths.data / "home"),
            "OS_KEYSTONE_CONFIG_DIR": str(etc / "keystone"),
            "OS_GLANCE_CONFIG_DIR": str(etc / "glance"),
            "OS_PLACEMENT_CONFIG_DIR": str(etc / "placement"),
            "OS_NOVA_CONFIG_DIR": str(etc / "nova"),
            "OS_NEUTRON_CONFIG_DIR": str(etc / "neutron"),
            "OS_NEUTRON_CONFIG_FILES": "neutron.conf;ml2_conf.ini",
        }


MESSAGING: dict[str, Section] = {
    "oslo_messaging_rabbit": {"rabbit_retry_interval": 1, "heartbeat_in_pthread": False},
    "oslo_messaging_notifications": {"driver": "noop"},
}
