"""What a guest of the rig is: Debian's kernel, busybox and one script; its description for libvirt."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

from rigs.libvirt import packages

HERE = Path(__file__).parent
# In the order in which they must be loaded.
MODULES = (
    "failover", "net_failover", "virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev",
    "virtio_pci", "virtio_net",
)  # fmt: skip
NAMES = UUID("6f1d8f5e-3c43-4f0e-9a51-1b1e6a6d2f01")  # the guests' ids come from their names
NOVA = "http://openstack.org/xmlns/libvirt/nova/1.1"


@dataclass(frozen=True)
class Image:
    """What QEMU boots."""

    kernel: Path
    initrd: Path


@dataclass(frozen=True)
class Guest:
    """One guest. `number`: the last byte of its address, 10.77.0.number."""

    name: str
    number: int
    memory_mib: int = 96
    burn: int = 0
    dirty_mib: int = 0
    metadata: str = ""  # more XML for its <metadata>

    @property
    def uuid(self) -> str:
        return str(uuid5(NAMES, self.name))

    @property
    def address(self) -> str:
        return f"10.77.0.{self.number}"

    def xml(self, image: Image) -> str:
        asked = f"address={self.address}/24 burn={self.burn} dirty={self.dirty_mib}"
        words = f"console=ttyS0 quiet panic=-1 tsc=unstable {asked}"
        return f"""<domain type='qemu'><name>{self.name}</name><uuid>{self.uuid}</uuid>
<metadata>{self.metadata}</metadata>
<memory unit='MiB'>{self.memory_mib}</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc-i440fx-7.2'>hvm</type>
<kernel>{image.kernel}</kernel><initrd>{image.initrd}</initrd><cmdline>{words}</cmdline></os>
<features><acpi/></features><cpu mode='custom' match='exact'><model>qemu64</model></cpu><clock offset='utc'/>
<on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<controller type='usb' model='none'/>
<interface type='bridge'><source bridge='br0'/><mac address='52:54:00:77:00:{self.number:02x}'/><model type='virtio'/>
<rom enabled='no'/></interface>
<serial type='file'><source path='/var/log/libvirt/qemu/{self.name}.serial'/></serial>
<memballoon model='none'/></devices></domain>"""


def nova_metadata(name: str, project: str, flavor: str) -> str:
    """As Nova's libvirt driver writes it."""
    return f"""<nova:instance xmlns:nova="{NOVA}"><nova:package version="34.0.0"/><nova:name>{name}</nova:name>
<nova:flavor name="{flavor}"><nova:memory>96</nova:memory><nova:vcpus>1</nova:vcpus></nova:flavor>
<nova:owner><nova:user uuid="u-1">operator</nova:user>
<nova:project uuid="p-{project}">{project}</nova:project></nova:owner>
</nova:instance>"""


def build(folder: Path) -> Image:
    """The image, built once. Every file of the kernel comes from Debian's package."""
    image = Image(folder / "vmlinuz", folder / "initrd.gz")
    made = HERE / "guest_init.sh", HERE / "guest_busy.sh", HERE / "guest.py"
    if image.initrd.exists() and image.initrd.stat().st_mtime > max(file.stat().st_mtime for file in made):
        return image
    folder.mkdir(parents=True, exist_ok=True)
    unpacked = folder / "kernel"
    if not any(unpacked.glob("boot/vmlinuz-*")):
        shutil.rmtree(unpacked, ignore_errors=True)
        packages.unpack_kernel(unpacked)
    shutil.copy(next(unpacked.glob("boot/vmlinuz-*")), image.kernel)
    root = folder / "root"
    shutil.rmtree(root, ignore_errors=True)
    _fill(root, unpacked)
    whole = f"cd {root} && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 > {image.initrd}.new"
    subprocess.run(["bash", "-o", "pipefail", "-c", whole], check=True)
    image.initrd.with_name("initrd.gz.new").replace(image.initrd)
    return image


def _fill(root: Path, kernel: Path) -> None:
    for name in ("bin", "proc", "sys", "dev", "tmp", "modules", "www/cgi-bin"):
        (root / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox") or "/bin/busybox", root / "bin/busybox")
    present = []
    for name in MODULES:
        if file := next(kernel.glob(f"**/{name}.ko"), None):  # some are part of the kernel in some versions
            shutil.copy(file, root / "modules" / file.name)
            present.append(name)
    (root / "modules/order").write_text("\n".join(present) + "\n")
    shutil.copy(HERE / "guest_init.sh", root / "init")
    shutil.copy(HERE / "guest_busy.sh", root / "bin/busy")
    head = "#!/bin/busybox sh\necho 'Content-Type: text/plain'\necho\n"
    pages = {"stat": "cat /proc/sys/kernel/random/boot_id /proc/uptime /proc/loadavg\n"}
    pages |= {what: f"/bin/busy {what} ${{QUERY_STRING:-0}} >/dev/null 2>&1\necho ok\n" for what in ("burn", "dirty")}
    for name, text in pages.items():
        (root / "www/cgi-bin" / name).write_text(head + text)
    for file in (root / "init", root / "bin/busy", *(root / "www/cgi-bin").iterdir()):
        file.chmod(0o755)
