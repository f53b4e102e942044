"""The rig as the tests use it: hosts, guests on them, Watari's own view of them, and one orchestrator."""

import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from command import until
from orchestrators import consul
from rigs.libvirt.guest import Guest, Image
from rigs.libvirt.hosts import CGROUP_ROOT, CGROUPS, SPECS, Hosts

WANTED = os.environ.get("WATARI_TEST_RIGS") == "1"
CLOUD = "rig"
MEMORY_MIB = 4096  # that a host has for its guests, as far as Watari is told


def cannot() -> str:
    """Why this machine can have no hosts; empty: it can."""
    if os.geteuid() != 0:
        return "hosts are made of namespaces, which takes root"
    if missing := [group for group in CGROUPS if not (CGROUP_ROOT / group / "cgroup.procs").exists()]:
        return f"hosts get cores and counters of their own by cgroups v1, and these are missing: {', '.join(missing)}"
    if shutil.which("apt-get") is None and shutil.which("libvirtd") is None:
        return "there is neither libvirtd nor apt-get to install it"
    tried = subprocess.run(["unshare", "--net", "--mount", "--pid", "--fork", "true"], capture_output=True, text=True)
    return f"namespaces cannot be made here: {tried.stderr.strip()}" if tried.returncode else ""


def folder() -> Path:
    """Where the guest's image is kept from one run to the next, and the hosts live."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("WATARI_RIG_DIR") or base / "watari-rigs" / "libvirt")


@dataclass
class Rig:
    """Hosts that are up, and the guests that were booted on them."""

    hosts: Hosts
    image: Image
    guests: dict[str, Guest] = field(default_factory=dict)

    def connect(self, host: str) -> Any:
        from watari.drivers.libvirt.library import libvirt

        return libvirt().open(self.hosts.specs[host].uri)

    def boot(self, host: str, *guests: Guest) -> None:
        """Start them, and wait until all of them answer."""
        self.start(host, *guests)
        self.await_answers(*guests)

    def start(self, host: str, *guests: Guest) -> None:
        connection = self.connect(host)
        for guest in guests:
            connection.createXML(guest.xml(self.image), 0)
            self.guests[guest.name] = guest
        connection.close()

    def await_answers(self, *guests: Guest) -> None:
        for guest in guests:
            until(f"{guest.name} to answer", lambda: self.answers(guest))  # noqa: B023

    def answers(self, guest: Guest) -> bool:
        try:
            return bool(self.ask(guest, timeout_s=1.0))
        except OSError:
            return False

    def ask(self, guest: Guest, page: str = "stat", timeout_s: float = 20.0) -> str:
        with urllib.request.urlopen(f"http://{guest.address}/cgi-bin/{page}", timeout=timeout_s) as answer:
            return str(answer.read().decode())

    def boot_id(self, guest: Guest) -> str:
        return self.ask(guest).splitlines()[0]

    def where(self, guest: Guest, hosts: Collection[str] = ()) -> list[str]:
        """The hosts on which it runs: exactly one, unless something is very wrong. `hosts`: look at these only."""
        from watari.drivers.libvirt.library import libvirt

        lv, found = libvirt(), []
        for name in hosts or self.hosts.specs:
            try:
                connection = self.connect(name)
            except lv.libvirtError:
                continue
            found += [name for d in connection.listAllDomains() if d.UUIDString() == guest.uuid and d.state()[0] == 1]
            connection.close()
        return found

    def delays(self, guests: Iterable[Guest], seconds: float = 6.0) -> dict[str, float]:
        """What share of the time each waited for a CPU, by the kernel's own count of its vCPU's thread."""

        def read() -> dict[str, float]:
            return {guest.name: self.waited_s(guest) for guest in guests}

        guests = list(guests)
        begun, before = time.monotonic(), read()
        time.sleep(seconds)
        after, took = read(), time.monotonic() - begun
        return {name: (after[name] - before[name]) / took for name in after}

    def waited_s(self, guest: Guest) -> float:
        return self.schedstat(guest)[1]

    def schedstat(self, guest: Guest) -> tuple[float, float]:
        """Seconds that the thread of its vCPU ran, and waited to run."""
        host = self.where(guest)[0]
        tasks = Path(f"/proc/{self.hosts.qemu(host, guest.name)}/task")
        for task in tasks.iterdir():
            if "CPU 0" in (task / "comm").read_text():
                ran, waited, _ = (task / "schedstat").read_text().split()
                return int(ran) / 1e9, int(waited) / 1e9
        raise LookupError(f"{guest.name} has no thread of a vCPU")

    def clear(self) -> None:
        """No guest is left, every host is up, in service and at full speed."""
        from watari.drivers.libvirt.library import libvirt

        for name in self.hosts.specs:
            self.hosts.mend(name)
            self.hosts.unshape(name)
            self.hosts.restore(name)
        for name in self.hosts.specs:
            connection = self.connect(name)
            for domain in connection.listAllDomains():
                try:
                    domain.destroy()
                except libvirt().libvirtError:  # gone by itself
                    continue
            for secret in connection.listAllSecrets():
                secret.undefine()
            connection.close()
        self.guests.clear()


def written(
    path: Path, orchestrators: list[dict[str, Any]] | None = None, timeout: str = "10s", **more: Mapping[str, Any]
) -> Path:
    """libvirt.yaml of the rig. `more`: settings of single hosts."""
    hosts = {
        name: {
            "uri": spec.uri,
            "cpus": 1,
            "memory_mib": MEMORY_MIB,
            "link_mib_s": 200,
            "cpu_ratio": 16,
            **more.get(name, {}),
        }
        for name, spec in SPECS.items()
    }
    section: dict[str, Any] = {"hosts": hosts, "window": "5s", "timeout": timeout}
    if orchestrators:
        section["orchestrators"] = orchestrators
    path.write_text(yaml.safe_dump({"clouds": {CLOUD: section}}))
    return path


@contextmanager
def datacenter(guests: Iterable[Guest]) -> Iterator[tuple[consul.Datacenter, dict[str, Any]]]:
    """A Consul that every guest is a node of, and its section for libvirt.yaml. Two more nodes serve elsewhere."""
    with consul.running() as made:
        for guest in guests:
            made.add(consul.Node(guest.name, guest.address, {"web": "passing"}))
        for n in (1, 2):
            made.add(consul.Node(f"elsewhere-{n}", f"10.99.0.{n}", {"web": "passing"}))
        assert made.served is not None
        url = made.served.url
        section = {
            "kind": "consul", "name": "services", "address": url, "agent": f"{url}/agent/{{node}}",
            "token": consul.TOKEN, "settle": "1s",
        }  # fmt: skip
        yield made, section


def at_once(*calls: Any) -> None:
    """Do them side by side; the first error is raised."""
    with ThreadPoolExecutor(len(calls)) as pool:
        for result in [pool.submit(call) for call in calls]:
            result.result()


def policy(path: Path, **sections: Mapping[str, Any]) -> Path:
    """A policy file that differs from the shipped one in these."""
    path.write_text(yaml.safe_dump({"name": path.stem, **sections}))
    return path
