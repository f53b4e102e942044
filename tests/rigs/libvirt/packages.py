"""What the rig needs of Debian: QEMU, libvirt and a guest's kernel; installed once, nothing is started."""

import os
import shutil
import subprocess
from pathlib import Path

from watari.lab.packages import nothing_starts

PROGRAMS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "libvirtd": "libvirt-daemon-system",
    "virsh": "libvirt-clients",
    "busybox": "busybox-static",
    "tc": "iproute2",
    "nsenter": "util-linux",
}
BINDINGS = Path("/usr/lib/python3/dist-packages/libvirt.py")
KERNEL = "linux-image-cloud-amd64"
APT = ("apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=600", "--no-install-recommends")


def install() -> None:
    """Install what is missing. Raises RuntimeError with apt's last lines."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"
    missing = {package for program, package in PROGRAMS.items() if not shutil.which(program, path=path)}
    if not BINDINGS.exists():
        missing.add("python3-libvirt")
    if not missing:
        return
    with nothing_starts(Path("/usr/sbin/policy-rc.d")):
        if _apt("install", *sorted(missing)).returncode:
            _apt("update")
            ended = _apt("install", *sorted(missing))
            if ended.returncode:
                raise RuntimeError(f"apt-get could not install {sorted(missing)}: {ended.stdout[-800:]}")


def unpack_kernel(folder: Path) -> None:
    """Debian's kernel for clouds, its newest version, into a folder; nothing is installed."""
    folder.mkdir(parents=True)
    said = ""
    for _ in range(2):
        ended = subprocess.run(["apt-cache", "depends", KERNEL], capture_output=True, text=True)
        words = ended.stdout.split()
        if "Depends:" in words:  # of the newest version, which has a name of its own
            package = words[words.index("Depends:") + 1]
            ended = subprocess.run(["apt-get", "-q", "download", package], cwd=folder, capture_output=True, text=True)
            if ended.returncode == 0:
                break
        said = (ended.stdout + ended.stderr)[-800:]
        _apt("update")  # the lists may be missing, or older than what the mirror still has
    files = list(folder.glob("*.deb"))
    if not files:
        raise RuntimeError(f"apt-get could not download the kernel of {KERNEL}: {said}")
    subprocess.run(["dpkg-deb", "-x", files[0], folder], check=True)
    files[0].unlink()


def _apt(*words: str) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run([*APT, *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
