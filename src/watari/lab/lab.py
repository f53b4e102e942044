"""The lab as a whole: up, status, down, reset; and its faults, for tests."""

import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from watari.errors import BadInput, Permanent
from watari.lab import process, template
from watari.lab.bringup import Bringup, Say, stop_all
from watari.lab.clouds import UNREACHABLE, connect, heard_from_since
from watari.lab.making import provide_data
from watari.lab.nova import compute_service
from watari.lab.packages import install, link_virt
from watari.lab.paths import LabPaths, alone, read_json, told, write_json
from watari.lab.place import Place
from watari.lab.services import Services
from watari.lab.spec import LabSpec

REVIVE_S = 60.0
LOOK_S = 5.0  # a status must not wait for an API that a test has paused


def silent(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """`state`: up, down, paused (SIGSTOP), dead (a host that was killed). `memory_mib`: shared pages divided."""

    name: str
    state: str
    pid: int | None
    port: int | None
    memory_mib: float
    note: str = ""


class Lab:
    """One lab in one folder."""

    def __init__(self, spec: LabSpec, say: Say = silent) -> None:
        self.spec = spec
        self.place = Place.of(spec)
        self.paths: LabPaths = self.place.paths
        self.services = Services.of(self.place)
        self._say = say

    @classmethod
    def open(cls, root: Path, say: Say = silent) -> Self:
        """The lab that was made in `root`. Raises BadInput if there is none."""
        value = read_json(LabPaths(root.resolve()).description, None)
        if value is None:
            raise BadInput(f"there is no lab in {root}; make one with `watari lab up`")
        return cls(LabSpec.from_json(value), say)

    @classmethod
    def described(cls, root: Path, shape: Mapping[str, int], say: Say = silent) -> Self:
        """The lab in `root`, or a new one, changed by what `shape` says of computes, zones and base_port."""
        changed: dict[str, Any] = dict(shape)
        if LabPaths(root.resolve()).description.exists():
            return cls(replace(cls.open(root).spec, **changed), say)
        if changed.get("computes") == 1:
            changed.setdefault("zones", 1)
        return cls(LabSpec(root.resolve(), **changed), say)

    @property
    def cloud_environment(self) -> dict[str, str]:
        """What makes openstacksdk and the openstack client see this lab as the cloud `lab`."""
        return {"OS_CLIENT_CONFIG_FILE": str(self.paths.clouds_yaml), "OS_CLOUD": "lab"}

    # The whole lab ------------------------------------------------------------------------------------------------

    def up(self) -> None:
        """Start everything that does not run; the first time installs and makes what is needed.

        Data of an earlier start is kept; without any, it comes from the template. Raises BadInput, Busy, or Permanent
        with the end of the log of the service that failed; then what this call started is stopped again.
        """
        self.paths.make()
        with alone(self.paths.lock), told(self.paths.root):
            running = any(self.services.identity(name) for name in self.services.units)
            if running:
                self._check_same()
            if running and not template.data_whole(self.place):
                self._say("an earlier start was broken off; beginning again")
                stop_all(self.services, self.services.units)
                running = False
            self.services.check_ports()
            if not running:
                write_json(self.paths.description, self.spec.to_json())
            self._start(stopped=not running)

    def down(self) -> None:
        """Stop everything; data stays."""
        if not self.paths.root.is_dir():
            return
        with alone(self.paths.lock):
            stop_all(self.services, self.services.units)

    def reset(self) -> None:
        """Stop everything, forget faults and data, start from the template."""
        self.paths.make()
        with alone(self.paths.lock), told(self.paths.root):
            stop_all(self.services, self.services.units)
            self.services.check_ports()
            write_json(self.paths.description, self.spec.to_json())
            shutil.rmtree(self.paths.data, ignore_errors=True)
            shutil.rmtree(self.paths.state, ignore_errors=True)
            self.paths.make()
            self._start(stopped=True)

    def status(self) -> tuple[ServiceStatus, ...]:
        """Every service; the compute hosts with what Nova says about them, if it answers."""
        running = {name: self.services.identity(name) for name in self.services.units}
        memory = process.memory_mib([one.pid for one in running.values() if one])
        notes = self._nova_says() if running.get("nova-api") else {}
        dead = {compute_service(host) for host in read_json(self.paths.dead, [])}
        return tuple(
            ServiceStatus(
                name,
                _state(identity, name in dead),
                identity.pid if identity else None,
                self.services.unit(name).port,
                memory.get(identity.pid, 0.0) if identity else 0.0,
                notes.get(name, ""),
            )
            for name, identity in running.items()
        )

    # Single services ----------------------------------------------------------------------------------------------

    def start(self, service: str) -> None:
        """Start a service and wait until it serves (Nova's daemons: until they are there).

        Raises Failed with the end of its log.
        """
        self.services.start(service)
        self.services.wait(service)

    def stop(self, service: str) -> None:
        self.services.stop(service)

    def restart(self, service: str) -> None:
        self.stop(service)
        self.start(service)

    def kill(self, service: str) -> None:
        """SIGKILL, children included."""
        process.kill(self.paths.pid_of(self.services.unit(service).name))

    def pause(self, service: str) -> None:
        """SIGSTOP: it is there, takes connections and never answers."""
        process.send(self.paths.pid_of(self.services.unit(service).name), signal.SIGSTOP)

    def unpause(self, service: str) -> None:
        process.send(self.paths.pid_of(self.services.unit(service).name), signal.SIGCONT)

    # Hosts and servers --------------------------------------------------------------------------------------------

    def kill_host(self, host: str) -> None:
        """The host is off at once: its compute is killed, its servers do nothing, scrapes of it fail."""
        self._check_host(host)
        dead = set(read_json(self.paths.dead, [])) | {host}
        write_json(self.paths.dead, sorted(dead))
        self.kill(compute_service(host))

    def revive_host(self, host: str, wait: bool = True) -> None:
        """The host is on again, its compute has come up and dropped what was evacuated meanwhile."""
        self._check_host(host)
        began = time.time()
        self.services.start(compute_service(host))
        self.services.wait(compute_service(host))
        if wait:
            self._until(lambda: self._reports(host, began), f"{host} does not report to Nova after {REVIVE_S:.0f} s")
        write_json(self.paths.dead, sorted(set(read_json(self.paths.dead, [])) - {host}))

    def knobs(self, host: str, **faults: Any) -> None:
        """Set faults of a host's virt driver beside those that are set (see virt/driver.py for their names)."""
        self._check_host(host)
        path = self.paths.knobs(host)
        write_json(path, read_json(path, {}) | faults)

    def clear_knobs(self, host: str | None = None) -> None:
        """Take the faults of one host, or of all, away."""
        for name in self.spec.hosts if host is None else (host,):
            self.paths.knobs(name).unlink(missing_ok=True)

    def set_demand(self, server_id: str, cores: float | None) -> None:
        """What a server asks for from now on, in cores; None: what its metadata say."""
        demand = {id: value for id, value in read_json(self.paths.demand, {}).items() if id != server_id}
        write_json(self.paths.demand, demand if cores is None else demand | {server_id: float(cores)})

    def mute(self, server_id: str) -> None:
        """From now on the server sends no data."""
        write_json(self.paths.mute, sorted({*read_json(self.paths.mute, []), server_id}))

    def unmute(self, server_id: str) -> None:
        write_json(self.paths.mute, sorted({*read_json(self.paths.mute, [])} - {server_id}))

    def servers_on(self, host: str) -> dict[str, dict[str, Any]]:
        """What the host's virt driver has: {server id: domain, name, vcpus, power …}, whatever Nova thinks."""
        self._check_host(host)
        found: dict[str, dict[str, Any]] = read_json(self.paths.servers(host), {})
        return found

    # ----------------------------------------------------------------------------------------------------------------

    def _start(self, stopped: bool) -> None:
        if stopped:
            self._install()
        bringup = Bringup(self.services, self._say)
        self._wake()
        try:
            if stopped:
                provide_data(self.place, bringup, self._say)
            bringup.start(self.services.units)
            bringup.wait([name for name in self.services.units if name not in self.services.forked])
            bringup.computes_up()
            write_json(self.paths.dead, [])
        except BaseException as e:
            bringup.roll_back()
            if isinstance(e, UNREACHABLE):
                text = f"the lab's own APIs do not answer in time: {e}; is the machine busy? then again: watari lab up"
                raise Permanent(text) from e
            raise
        if not bringup.started:
            self._say("everything ran already")

    def _install(self) -> None:
        install(self.paths, self._say)
        link_virt(self.paths)
        self.services = Services.of(self.place)  # programs are where they are only now
        self.paths.dead.unlink(missing_ok=True)
        shutil.rmtree(self.paths.run, ignore_errors=True)
        self.paths.run.mkdir()

    def _wake(self) -> None:
        """Let go on what a test has paused and not let go on."""
        for name in self.services.units:
            identity = self.services.identity(name)
            if identity is not None and process.paused(identity):
                self.unpause(name)
                self._say(f"{name} was paused and goes on")

    def _check_same(self) -> None:
        now = read_json(self.paths.description, {})
        if now != json.loads(json.dumps(self.spec.to_json())):
            raise BadInput(
                f"the lab in {self.paths.root} runs with {now.get('computes')} compute hosts in {now.get('zones')} "
                f"zones on ports from {now.get('base_port')}; to change that, `watari lab down` first"
            )

    def _check_host(self, host: str) -> None:
        if host not in self.spec.hosts:
            raise BadInput(f"the lab has no host {host}; it has {', '.join(self.spec.hosts)}")

    def _nova_says(self) -> dict[str, str]:
        try:
            return dict(self._compute_notes())
        except UNREACHABLE:
            return {}

    def _compute_notes(self) -> Iterator[tuple[str, str]]:
        for service in connect(self.place, timeout_s=LOOK_S).compute.services(binary="nova-compute"):
            words = [f"nova: {service.status}, {service.state}"]
            if service.is_forced_down:
                words.append("forced down")
            if service.disabled_reason:
                words.append(service.disabled_reason)
            yield compute_service(service.host), ", ".join(words)

    def _reports(self, host: str, since: float) -> bool:
        try:
            return host in heard_from_since(self.place, since)
        except UNREACHABLE:
            return False

    def _until(self, reached: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + REVIVE_S
        while not reached():
            if time.monotonic() > end:
                raise Permanent(otherwise)
            time.sleep(0.3)


def _state(identity: process.Identity | None, dead: bool) -> str:
    if identity is None:
        return "dead" if dead else "down"
    return "paused" if process.paused(identity) else "up"
