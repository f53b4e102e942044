"""Fill a new cloud: accounts and endpoints, zones, an image, flavors, networks and the sample servers."""

import time
from concurrent.futures import ThreadPoolExecutor

from openstack.connection import Connection
from openstack.identity.v3._proxy import Proxy as IdentityProxy

from watari.errors import Permanent
from watari.lab.clouds import DEMO, PROJECT, connect
from watari.lab.place import Place
from watari.lab.sample import FLAVORS, GROUP, NETWORKS, Sample, sample_servers
from watari.lab.spec import PASSWORD, REGION

_SERVICE_USERS = ("nova", "neutron", "glance", "placement")
_CATALOG = (
    ("nova", "compute", "nova-api", "/v2.1"),
    ("placement", "placement", "placement", ""),
    ("glance", "image", "glance", ""),
    ("neutron", "network", "neutron", ""),
)
_AT_ONCE = 4
_BOOT_S = 180.0


def create_accounts(place: Place) -> None:
    """Service users, the catalog, and the project of the sample servers with a user who may nothing else."""
    identity = connect(place).identity
    assert isinstance(identity, IdentityProxy)  # Keystone has no other version any more
    domain = "default"
    roles = {str(role.name): role for role in identity.roles()}
    service_role = roles.get("service") or identity.create_role(name="service")
    service = identity.create_project(name="service", domain_id=domain)
    for name in _SERVICE_USERS:
        user = identity.create_user(name=name, password=PASSWORD, domain_id=domain, default_project_id=service.id)
        for role in (roles["admin"], service_role):
            identity.assign_project_role_to_user(service, user, role)
    for name, kind, service_name, path in _CATALOG:
        entry = identity.create_service(name=name, type=kind)
        for interface in ("public", "internal", "admin"):
            url = place.spec.url(service_name, path)
            identity.create_endpoint(service_id=entry.id, interface=interface, url=url, region_id=REGION)
    project = identity.create_project(name=PROJECT, domain_id=domain)
    demo = identity.create_user(name="demo", password=PASSWORD, domain_id=domain, default_project_id=project.id)
    identity.assign_project_role_to_user(project, demo, roles["member"])
    admin = identity.find_user("admin", domain_id=domain, ignore_missing=False)
    identity.assign_project_role_to_user(project, admin, roles["admin"])


def create_resources(place: Place) -> None:
    """Zones, image, flavors, networks, servers. Raises Permanent if a server does not come up."""
    cloud = connect(place, DEMO)
    for zone, hosts in place.spec.by_zone().items():
        aggregate = cloud.compute.create_aggregate(name=zone, availability_zone=zone)
        for host in hosts:
            cloud.compute.add_host_to_aggregate(aggregate, host)
    flavors = {
        flavor.name: cloud.compute.create_flavor(
            name=flavor.name, vcpus=flavor.vcpus, ram=flavor.memory_mib, disk=flavor.disk_gib
        ).id
        for flavor in FLAVORS
    }
    image = cloud.image.create_image(
        name="debian-12",
        data=b"\0" * 65536,
        disk_format="raw",
        container_format="bare",
        visibility="public",
        validate_checksum=False,
        wait=True,
    )
    networks = {}
    for name, cidr in NETWORKS.items():
        network = cloud.network.create_network(name=name, shared=True)
        cloud.network.create_subnet(network_id=network.id, ip_version=4, cidr=cidr, name=name)
        networks[name] = network.id
    group = cloud.compute.create_server_group(name=GROUP, policy="anti-affinity")
    _boot(cloud, sample_servers(place.spec), image.id, flavors, networks, group.id)


def _boot(
    cloud: Connection,
    samples: tuple[Sample, ...],
    image: str,
    flavors: dict[str, str],
    networks: dict[str, str],
    group: str,
) -> None:
    def create(sample: Sample) -> str:
        hints = {"scheduler_hints": {"group": group}} if sample.grouped else {}
        server = cloud.compute.create_server(
            name=sample.name,
            image_id=image,
            flavor_id=flavors[sample.flavor],
            networks=[{"uuid": networks[sample.network]}],
            availability_zone=sample.zone,
            host=sample.host,
            metadata={"role": sample.role, "lab:cores": str(sample.cores)},
            **hints,
        )
        return str(server.id)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        ids = set(pool.map(create, samples))
    end = time.monotonic() + _BOOT_S
    while True:
        servers = {server.id: server for server in cloud.compute.servers()}
        if failed := [server.name for server in servers.values() if server.status == "ERROR"]:
            raise Permanent(f"Nova could not start {', '.join(failed)}; see nova-compute@*.log")
        if all(servers[id].status == "ACTIVE" for id in ids if id in servers) and ids <= servers.keys():
            return
        if time.monotonic() > end:
            raise Permanent("the sample servers did not come up in time; see nova-compute@*.log")
        time.sleep(0.5)
