"""A virt driver for Nova whose servers survive a restart, take time to move, and fail when they are told to.

Host size and file names come from host.json beside the compute's nova.conf. Faults are read from the host's knobs file
at each use:

    fail_precheck: true       this host refuses incoming live migrations at the check before them
    fail_copy: 0.4            outgoing live migrations break off when that share is copied; the server stays
    hang_copy: 0.7            outgoing live migrations stand still at that share, until aborted or forced
    rate_mib_s: 2048          how fast memory is copied
    seconds: 30               how long a copy takes, whatever the memory
    cold_seconds: 1           how long the copy of a cold migration takes
    spawn_fail: true          nothing can be started here
"""

# mypy: disable-error-code="import-not-found, misc"

import json
import threading
import time
from pathlib import Path
from typing import Any, Self

import nova.conf
import oslo_messaging
from nova import exception
from nova.compute import power_state
from nova.virt import fake
from oslo_log import log as logging

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)
MIB = 1024 * 1024
RATE_MIB_S = 2048.0
COLD_S = 1.0
TICK_S = 0.1
REPORT_S = 1.0  # libvirt's driver writes progress every 5 s, which a lab's short migrations would never show


class Guest(fake.FakeInstance):
    """A server on this host, with what the exporter and a restart have to know about it."""

    def __init__(self, uuid: str, details: dict[str, Any]) -> None:
        super().__init__(details["domain"], details["power"], uuid)
        self.details = details

    @classmethod
    def of(cls, instance: Any, power: int) -> Self:
        flavor = instance.flavor
        details = {
            "domain": instance.name,
            "name": instance.display_name,
            "project": instance.project_id,
            "flavor": flavor.name,
            "vcpus": flavor.vcpus,
            "memory_mib": flavor.memory_mb,
            "disk_gib": flavor.root_gb + flavor.ephemeral_gb,
            "metadata": dict(instance.metadata),
            "since": time.time(),
            "power": power,
        }
        return cls(instance.uuid, details)


class LabDriver(fake.FakeDriverWithoutFakeNodes):
    """Nova's own fake, which has no memory, no duration and no failures of its own; all three are added here.

    Whatever the fake keeps about a server is in `instances`; arguments that are not used here are its, see
    nova.virt.driver.ComputeDriver.
    """

    def __init__(self, virtapi: Any, read_only: bool = False) -> None:
        self._settings = json.loads((Path(CONF.config_file[0]).parent / "host.json").read_text())
        self.vcpus = self._settings["threads"]
        self.memory_mb = self._settings["memory_mib"]
        self.local_gb = self._settings["disk_gib"]
        super().__init__(virtapi, read_only)
        self._file = Path(self._settings["servers"])
        self._write = threading.Lock()
        self._aborts: dict[str, float] = {}  # server -> when; monotonic
        self._forces: dict[str, float] = {}
        self.instances = {uuid: Guest(uuid, details) for uuid, details in _read(self._file).items()}

    def init_host(self, host: str) -> None:
        super().init_host(host)
        self._save()

    # What there is ------------------------------------------------------------------------------------------------

    def get_available_resource(self, nodename: str) -> Any:
        used = fake.Resources(self.vcpus, self.memory_mb, self.local_gb)
        for guest in list(self.instances.values()):
            used.claim(guest.details["vcpus"], guest.details["memory_mib"], guest.details["disk_gib"])
        self.resources = used
        self.host_status_base["disk_available_least"] = self.local_gb - used.local_gb_used
        return super().get_available_resource(nodename)

    def get_host_uptime(self) -> str:
        return "10:00:00 up 1 day,  0 users,  load average: 0.00, 0.00, 0.00"

    def instance_on_disk(self, instance: Any) -> bool:
        """Disks lie on shared storage: an evacuated server keeps them."""
        return True

    def check_instance_shared_storage_local(self, context: Any, instance: Any) -> dict[str, str]:
        return {"filename": "shared"}

    def check_instance_shared_storage_remote(self, context: Any, data: Any) -> bool:
        return True

    def check_instance_shared_storage_cleanup(self, context: Any, data: Any) -> None:
        """Nothing was written for the check."""

    # Start, stop, end ---------------------------------------------------------------------------------------------

    def spawn(self, context: Any, instance: Any, *args: Any, power_on: bool = True, **kwargs: Any) -> None:
        if self._knobs().get("spawn_fail"):
            raise exception.InstanceDeployFailure(reason="the lab's knob spawn_fail is set")
        super().spawn(context, instance, *args, power_on=power_on, **kwargs)
        self._keep(instance, power_on)

    def destroy(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        self.instances.pop(instance.uuid, None)
        self._save()

    def power_on(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._power(instance, power_state.RUNNING)

    def power_off(self, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._power(instance, power_state.SHUTDOWN)

    def pause(self, instance: Any) -> None:
        self._power(instance, power_state.PAUSED)

    def unpause(self, instance: Any) -> None:
        self._power(instance, power_state.RUNNING)

    def suspend(self, context: Any, instance: Any) -> None:
        self._power(instance, power_state.SUSPENDED)

    def resume(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        self._power(instance, power_state.RUNNING)

    # Cold migration -----------------------------------------------------------------------------------------------

    def migrate_disk_and_power_off(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> str:
        """The server stays here, off, until the move is confirmed."""
        self._power(instance, power_state.SHUTDOWN)
        time.sleep(float(self._knobs().get("cold_seconds", COLD_S)))
        return ""

    def finish_revert_migration(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        migration: Any,
        block_device_info: Any = None,
        power_on: bool = True,
        share_info: Any = None,
    ) -> None:
        self._keep(instance, power_on)

    # Live migration -----------------------------------------------------------------------------------------------

    def check_can_live_migrate_destination(self, *args: Any, **kwargs: Any) -> Any:
        if self._knobs().get("fail_precheck"):
            raise exception.MigrationPreCheckError(reason="the lab's knob fail_precheck is set")
        return super().check_can_live_migrate_destination(*args, **kwargs)

    def live_migration(
        self,
        context: Any,
        instance: Any,
        dest: str,
        post_method: Any,
        recover_method: Any,
        block_migration: bool = False,
        migrate_data: Any = None,
    ) -> None:
        outcome = self._copy(instance, migrate_data.migration)
        if outcome == "done":
            post_method(context, instance, dest, block_migration, migrate_data)
        else:
            recover_method(context, instance, dest, migrate_data, migration_status=outcome)

    def live_migration_abort(self, instance: Any) -> None:
        self._aborts[instance.uuid] = time.monotonic()

    def live_migration_force_complete(self, instance: Any) -> None:
        self._forces[instance.uuid] = time.monotonic()

    def post_live_migration(self, context: Any, instance: Any, *args: Any, **kwargs: Any) -> None:
        """On the source, when all is copied."""
        self.destroy(context, instance)

    def _copy(self, instance: Any, migration: Any) -> str:
        """Play the copying of the memory. "done", or the status of a migration that came to nothing."""
        share = 0.0
        began = last = time.monotonic()
        reported = began - REPORT_S
        while True:
            now, knobs = time.monotonic(), self._knobs()
            limit = float(knobs.get("hang_copy", 1.0))
            share = min(share + (now - last) / _duration_s(instance, knobs), max(share, limit), 1.0)
            last = now
            # requests from before this migration were for another one
            if self._aborts.get(instance.uuid, 0.0) > began - REPORT_S:
                return "cancelled"
            if share >= float(knobs.get("fail_copy", 2.0)) or migration.dest_compute in self._dead():
                return "error"  # no hypervisor copies to a host that has lost its power
            if share >= 1.0 or self._forces.get(instance.uuid, 0.0) > began - REPORT_S:
                return "done"
            if now - reported >= REPORT_S:
                reported = now
                _report(instance, migration, share)
            time.sleep(TICK_S)

    # The files ----------------------------------------------------------------------------------------------------

    def _keep(self, instance: Any, power_on: bool) -> None:
        """From now on the server is on this host."""
        power = power_state.RUNNING if power_on else power_state.SHUTDOWN
        self.instances[instance.uuid] = Guest.of(instance, power)
        self._save()

    def _power(self, instance: Any, power: int) -> None:
        guest = self.instances.get(instance.uuid)
        if guest is None:
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        guest.state = guest.details["power"] = power
        self._save()

    def _knobs(self) -> dict[str, Any]:
        return _read(Path(self._settings["knobs"]))

    def _dead(self) -> Any:
        """Hosts that are switched off."""
        return _read(Path(self._settings["dead"]))

    def _save(self) -> None:
        with self._write:
            text = json.dumps({uuid: guest.details for uuid, guest in list(self.instances.items())}, indent=1)
            beside = self._file.with_suffix(".new")
            beside.write_text(text)
            beside.replace(self._file)


def _duration_s(instance: Any, knobs: dict[str, Any]) -> float:
    if "seconds" in knobs:
        return max(0.01, float(knobs["seconds"]))
    return float(instance.flavor.memory_mb / float(knobs.get("rate_mib_s", RATE_MIB_S)))


def _report(instance: Any, migration: Any, share: float) -> None:
    """Write the progress where the API shows it, as libvirt's driver does.

    A conductor that is away is no reason to fail: the next report comes soon.
    """
    total = instance.flavor.memory_mb * MIB
    migration.memory_total = total
    migration.memory_processed = int(total * share)
    migration.memory_remaining = total - migration.memory_processed
    migration.disk_total = migration.disk_processed = migration.disk_remaining = 0
    try:
        migration.save()
        instance.progress = int(share * 100)
        instance.save()
    except oslo_messaging.MessagingException as error:
        LOG.warning("The progress could not be written: %s", error, instance=instance)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found
