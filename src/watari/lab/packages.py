"""The software of the lab: Debian's packages for the base, PyPI's for OpenStack, each installed once."""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from watari.errors import BadInput, Permanent
from watari.lab.command import tail
from watari.lab.paths import LabPaths, told

PYTHON_PACKAGES = (
    "nova==34.0.0",
    "keystone==30.0.0",
    "glance==33.0.0",
    "openstack-placement==16.0.0",
    "neutron==29.0.0",
    "pymysql",
    "python-memcached",
    "pyuwsgi",  # uWSGI as a wheel: nothing has to be compiled
)
NEEDED_MIB = 2048  # the environment, the template and the data of six hosts, with room
_POLICY = Path("/usr/sbin/policy-rc.d")
_VIRT = Path(__file__).parent / "virt"

Say = Callable[[str], None]


def missing_debian_packages() -> list[str]:
    """Debian packages whose programs are not on this machine."""
    programs = {
        "mariadb-server": "mariadbd",
        "memcached": "memcached",
        "prometheus": "prometheus",
        "erlang-base": "epmd",
    }
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/bin"
    missing = [package for package, program in programs.items() if not shutil.which(program, path=path)]
    if not any(Path("/usr/lib/rabbitmq").glob("lib/rabbitmq_server-*/sbin/rabbitmq-server")):
        missing.append("rabbitmq-server")
    return sorted(missing)


def install(paths: LabPaths, say: Say) -> None:
    """Install what is missing, Debian's packages and OpenStack side by side.

    Raises BadInput, naming the packages, if this account or system cannot, and Permanent if one of them fails.
    """
    missing = wanted_debian_packages()
    with ThreadPoolExecutor(1) as pool:
        debian = pool.submit(_install_debian_packages, paths, missing, say)
        install_python_packages(paths, say)
        debian.result()


def wanted_debian_packages() -> list[str]:
    """Debian's packages that are missing. Raises BadInput, naming them, where this cannot install any."""
    missing = missing_debian_packages()
    if not missing:
        return []
    words = " ".join(missing)
    if not shutil.which("apt-get"):
        raise BadInput(f"the lab needs the programs of Debian's packages {words}, and this system has no apt-get")
    if os.geteuid() != 0:
        raise BadInput(
            f"these packages are missing: {words}; install them as root and run this again:\n"
            f"  sudo apt-get install --no-install-recommends {words}"
        )
    return missing


def _install_debian_packages(paths: LabPaths, missing: list[str], say: Say) -> None:
    if not missing:
        return
    words, log = " ".join(missing), paths.log_of("apt")
    say(f"installing {words}")
    with nothing_starts(_POLICY):
        if _apt(log, "install", *missing):
            _apt(log, "update")  # the lists may be missing, or older than what the mirror still has
            if _apt(log, "install", *missing):
                raise Permanent(f"apt-get could not install {words}; the end of {log}:\n{tail(log.read_bytes())}")


@contextmanager
def nothing_starts(policy: Path) -> Iterator[None]:
    """Keep the packages' own services from starting; a policy that the machine has already is left alone."""
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink(missing_ok=True)


def install_python_packages(paths: LabPaths, say: Say) -> None:
    """Make the environment with OpenStack in it, unless it is there already. Raises Permanent if that fails."""
    stamp = paths.venv / ".watari-lab"
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return
    free_mib = shutil.disk_usage(paths.root).free // (1024 * 1024)
    if free_mib < NEEDED_MIB:
        raise Permanent(f"{paths.root} has {free_mib} MiB free and the lab needs about {NEEDED_MIB}; free space first")
    say(f"installing {' '.join(PYTHON_PACKAGES[:5])} and what they need (once, a few minutes)")
    log = paths.log_of("pip")
    shutil.rmtree(paths.venv, ignore_errors=True)  # of other packages, or of another Python, or broken off
    python = sys._base_executable or sys.executable  # type: ignore[attr-defined]
    _run(log, [python, "-m", "venv", str(paths.venv)], "make an environment")
    options = ("--disable-pip-version-check", "--no-compile")  # a third of it is used, and compiles when it is
    _run(log, [paths.bin("python"), "-m", "pip", "install", *options, *PYTHON_PACKAGES], "install")
    with told(stamp):
        stamp.write_text(wanted)


def link_virt(paths: LabPaths) -> None:
    """Put the virt driver and the ML2 driver where Nova and Neutron load such things from."""
    site = Path(
        sysconfig.get_path("purelib", vars={"base": str(paths.venv), "platbase": str(paths.venv)}, scheme="venv")
    )
    for source, link in ((_VIRT / "driver.py", "nova/virt/watari_lab.py"), (_VIRT / "ml2.py", "watari_lab_ml2.py")):
        target = site / link
        target.unlink(missing_ok=True)
        target.symlink_to(source)
    described = site / "watari_lab-1.dist-info"
    described.mkdir(exist_ok=True)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: watari-lab\nVersion: 1\n")
    (described / "entry_points.txt").write_text(
        "[neutron.ml2.mechanism_drivers]\nwatari_lab = watari_lab_ml2:LabMechanismDriver\n"
    )


def _fingerprint() -> str:
    text = "\n".join((*PYTHON_PACKAGES, sys.version))
    return hashlib.sha256(text.encode()).hexdigest()


def _apt(log: Path, command: str, *arguments: str) -> int:
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    options = ["-y", "-o", "DPkg::Lock::Timeout=600", "--no-install-recommends"]
    with log.open("ab") as file:
        return subprocess.run(
            ["apt-get", *options, command, *arguments], env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        ).returncode


def _run(log: Path, argv: list[str], what: str) -> None:
    env = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")}
    with told(log), log.open("ab") as file:
        code = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file).returncode
    if code:
        raise Permanent(f"{what} failed: `{' '.join(argv[:4])} …`; the end of {log}:\n{tail(log.read_bytes())}")
