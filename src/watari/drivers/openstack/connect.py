"""From a name in clouds.yaml to a cloud that can be asked."""

import logging
from collections.abc import Sequence
from pathlib import Path

import yaml
from keystoneauth1 import adapter
from keystoneauth1 import exceptions as ks
from keystoneauth1 import session as ks_session
from keystoneauth1.identity.base import BaseIdentityPlugin
from openstack import exceptions as sdk
from openstack.config import OpenStackConfig
from openstack.config.cloud_region import CloudRegion

from watari import __version__
from watari.drivers.openstack.calls import Calls, Service
from watari.drivers.openstack.cloud import OpenStackCloud
from watari.drivers.openstack.errors import clean
from watari.drivers.openstack.settings import settings_of
from watari.errors import BadInput

AUTH_TIMEOUT_S = 30.0  # for tokens and version documents, unless clouds.yaml says api_timeout
THREADS = 64  # connections kept per service: the durable executor polls from that many threads
# It warns of each Keystone that does not answer, which is then told in our own words.
logging.getLogger("keystoneauth.identity").setLevel(logging.ERROR)
VERSIONS = {"compute": ("2.1", "2.latest"), "placement": ("1", "1.latest")}


def connect(name: str, config_files: Sequence[str | Path] | None = None) -> OpenStackCloud:
    """Open a cloud of clouds.yaml; nothing is asked of it yet.

    The file is searched for as by every OpenStack client: OS_CLIENT_CONFIG_FILE, `./`, ~/.config/openstack,
    /etc/openstack. Raises BadInput for a name that is not in it and for what is wrong in its section.
    """
    config = _config(config_files)
    if name not in _clouds(config):
        raise BadInput(f'no cloud "{name}" in clouds.yaml; {_known(config)}')
    settings = settings_of(name, _clouds(config)[name].get("watari"))
    try:
        region = config.get_one(cloud=name)
        session = region.get_session()
    except (sdk.SDKException, ks.ClientException, ValueError, TypeError, AttributeError) as e:  # auth_url: null, too
        raise BadInput(f"clouds.yaml, cloud {name}, its auth section: {clean(str(e))}") from e
    _fit(session)
    return OpenStackCloud(_calls(name, region, session), settings, session=session, region=region.get_region_name())


def cloud_names(config_files: Sequence[str | Path] | None = None) -> tuple[str, ...]:
    """The clouds that can be named, sorted. Raises BadInput for a file that cannot be read."""
    return tuple(sorted(_clouds(_config(config_files))))


def _config(files: Sequence[str | Path] | None) -> OpenStackConfig:
    try:
        return OpenStackConfig(
            config_files=None if files is None else [str(file) for file in files],
            app_name="watari", app_version=__version__,
        )  # fmt: skip
    except (sdk.SDKException, yaml.YAMLError, OSError, ValueError, AttributeError) as e:
        raise BadInput(f"clouds.yaml cannot be read: {clean(str(e))}") from e


def _clouds(config: OpenStackConfig) -> dict[str, dict[str, object]]:
    """The sections as they are written: the SDK's own view turns numbers into text.

    Without any file the SDK makes up a section "defaults", which names no cloud.
    """
    clouds = config.cloud_config.get("clouds") or {}
    return clouds if config.config_filename else {k: v for k, v in clouds.items() if k != "defaults"}


def _known(config: OpenStackConfig) -> str:
    names = sorted(name for name in _clouds(config) if name)
    where = config.config_filename or "clouds.yaml was not found"
    return f"known are {', '.join(names)} ({where})" if names else f"none is known ({where})"


def _fit(session: ks_session.Session) -> None:
    """Finite waiting, and a connection for every thread."""
    if session.timeout is None:
        session.timeout = AUTH_TIMEOUT_S
    for scheme in ("https://", "http://"):
        session.session.mount(scheme, ks_session.TCPKeepAliveAdapter(pool_maxsize=THREADS))


def _calls(name: str, region: CloudRegion, session: ks_session.Session) -> Calls:
    def who() -> str:
        auth = session.auth
        try:
            access = auth.get_access(session) if isinstance(auth, BaseIdentityPlugin) else None
        except ks.ClientException:
            access = None
        if access is None:
            return "this user"
        scope = f" in project {access.project_name}" if access.project_name else ""
        return f"user {access.username or access.user_id}{scope}"

    auth_url = str(region.config.get("auth", {}).get("auth_url", ""))
    compute, placement = (_service(kind, region, session) for kind in VERSIONS)
    return Calls(name, auth_url, compute, placement, who, network=_transport("network", region, session))


def _service(kind: str, region: CloudRegion, session: ks_session.Session) -> Service:
    least, newest = VERSIONS[kind]
    return Service(_transport(kind, region, session, least, newest), kind)


def _transport(
    kind: str, region: CloudRegion, session: ks_session.Session, least: str | None = None, newest: str | None = None
) -> adapter.Adapter:
    return adapter.Adapter(
        session=session, service_type=region.get_service_type(kind), service_name=region.get_service_name(kind),
        interface=region.get_interface(kind), region_name=region.get_region_name(kind),
        endpoint_override=region.get_endpoint(kind), min_version=least, max_version=newest,
    )  # fmt: skip
