"""A libvirtd of one's own with tiny paused guests, in a folder of its own; gone without a trace afterwards."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any, Final, Self

from watari.drivers.libvirt.library import libvirt

NOBODY: Final = 65534
DRIVER: Final = "qemu:///session"
DISKS: Final = ("vda", "vdb")

DOMAIN = """\
<domain type='qemu'><name>instance-{n:08x}</name>
<metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
<nova:name>server-{n}</nova:name><nova:flavor name="m1.tiny"/>
<nova:owner><nova:user uuid="{n:032x}">user-{n}</nova:user><nova:project uuid="{n:032x}">project-{n}</nova:project>
</nova:owner></nova:instance></metadata>
<memory unit='MiB'>{memory_mib}</memory><vcpu>2</vcpu><os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>{qemu}</emulator>{disks}<controller type='usb' model='none'/></devices></domain>
"""
DISK = "<disk type='file'><source file='{path}'/><target dev='{target}' bus='virtio'/><shareable/></disk>"


class PrivateLibvirt:
    """Entered: a daemon with `guests` domains. libvirt's session mode, as nobody where root asks: nothing of the
    system's own libvirt is touched. Raises FileNotFoundError without libvirtd or QEMU.
    """

    def __init__(self, guests: int, memory_mib: int = 1) -> None:
        self._guests, self._memory_mib = guests, memory_mib
        self.folder = Path(tempfile.mkdtemp(prefix="wx-", dir="/tmp"))  # sockets' paths are short: 107 bytes
        self.socket = self.folder / "libvirt" / "libvirt-sock"
        self.uri = f"qemu+unix:///session?socket={self.socket}"
        self.log: IO[bytes] = (self.folder / "log").open("wb")
        names = ("XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "HOME")
        self._as_whom: dict[str, Any] = {"env": {**os.environ, **dict.fromkeys(names, str(self.folder))}}
        if os.geteuid() == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            self._as_whom |= {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._daemon is not None
        return self._daemon.pid

    @property
    def guests(self) -> list[int]:
        """The ids of their processes."""
        return [int(path.read_text()) for path in self.folder.glob("libvirt/qemu/run/instance-*.pid")]

    def __enter__(self) -> Self:
        try:
            self._start()
            self._fill()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End guests and daemon, by their ids, and remove the folder."""
        for guest in self.guests:
            with contextlib.suppress(ProcessLookupError):
                os.kill(guest, signal.SIGKILL)
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(30)
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self) -> None:
        conf = self.folder / "libvirtd.conf"
        conf.write_text("max_clients = 50\n")
        command = [_found("libvirtd"), "--config", str(conf)]
        self._daemon = subprocess.Popen(command, stdout=self.log, stderr=self.log, **self._as_whom)
        end = time.monotonic() + 30
        while not self.socket.exists():
            if self._daemon.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"libvirtd does not start: {(self.folder / 'log').read_text()[-500:]}")
            time.sleep(0.1)

    def _fill(self) -> None:
        qemu = _found("qemu-system-x86_64")
        connection = libvirt().open(self.uri)
        for n in range(1, self._guests + 1):
            disks = [DISK.format(path=self._disk(n, target), target=target) for target in DISKS]
            xml = DOMAIN.format(n=n, qemu=qemu, memory_mib=self._memory_mib, disks="".join(disks))
            connection.createXML(xml, libvirt().VIR_DOMAIN_START_PAUSED)
        connection.close()

    def _disk(self, n: int, target: str) -> Path:
        path = self.folder / f"{n}-{target}.raw"
        path.touch()
        os.truncate(path, 2**20)
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
        return path


def _found(program: str) -> str:
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if path is None:
        raise FileNotFoundError(f"{program} is not installed here")
    return path
