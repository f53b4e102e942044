"""Libvirt hosts on one machine.

A host is a set of namespaces (mount, UTS, PID, cgroup, network) with a libvirtd of its own and one core. All of them
hang on two switches: `mgt0` for libvirt and its moves, 10.78.0.0/24, and `br0` for the guests, 10.77.0.0/24. The tests
stand in a network namespace on both. Nothing is seen in the machine's own network. Sets of hosts with different
prefixes know nothing of each other.
"""

import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid5

from rigs.libvirt.guest import NAMES

HERE = Path(__file__).parent
PREFIX = os.environ.get("WATARI_RIG_PREFIX") or "wl"  # of all that the machine sees of them
CGROUPS = ("cpu", "cpuacct", "cpuset")
CGROUP_ROOT = Path("/sys/fs/cgroup")
CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class HostSpec:
    """One host: the last byte of its addresses, and the core that everything of it runs on."""

    name: str
    number: int
    core: int

    @property
    def address(self) -> str:
        return f"10.78.0.{self.number}"

    @property
    def uri(self) -> str:
        return f"qemu+tcp://{self.address}/system"

    @property
    def uuid(self) -> UUID:
        return uuid5(NAMES, self.name)


SPECS: Mapping[str, HostSpec] = {spec.name: spec for spec in (
    HostSpec("h1", 11, 0), HostSpec("h2", 12, 1), HostSpec("h3", 13, 1),
)}  # fmt: skip


class Hosts:
    """All of them, from `up` to `down`. `prefix`: begins the names of their namespaces and control groups."""

    def __init__(self, folder: Path, specs: Iterable[HostSpec] = SPECS.values(), prefix: str = PREFIX) -> None:
        self.folder, self.prefix = folder, prefix
        self.specs = {spec.name: spec for spec in specs}
        self.switch, self.probe = f"{prefix}-switch", f"{prefix}-probe"
        self._inits: dict[str, subprocess.Popen[bytes]] = {}

    def netns(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def up(self) -> None:
        """What a killed run left is removed first."""
        self.down()
        self._plug_switches()
        for spec in self.specs.values():
            self._plug(spec)
            self.start(spec.name)

    def start(self, name: str) -> None:
        """Start a host, and wait until its libvirtd answers."""
        spec, netns = self.specs[name], self.netns(name)
        home = self.folder / "hosts" / name
        home.mkdir(parents=True, exist_ok=True)
        env = {
            **os.environ, "NAME": name, "UUID": str(spec.uuid), "ADDRESS": spec.address, "HOME_DIR": str(home),
            "CGROUP": netns, "HOSTS": ";".join(f"{other.address} {other.name}" for other in self.specs.values()),
        }  # fmt: skip
        joins = "".join(f"echo $$ > {CGROUP_ROOT / group / netns}/tasks; " for group in CGROUPS)
        enter = f"exec nsenter --net=/run/netns/{netns} unshare --mount --uts --cgroup --pid --fork --kill-child"
        words = ["bash", "-c", f"{joins}{enter} --mount-proc bash {HERE / 'host_init.sh'}"]
        with (self.folder / f"{name}.log").open("wb") as log:
            self._inits[name] = subprocess.Popen(
                words, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.wait(name)

    def wait(self, name: str) -> None:
        """Until its libvirtd answers; raises RuntimeError with the end of its log after 30 s."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with contextlib.suppress(subprocess.TimeoutExpired):
                words = ["virsh", "-q", "-c", self.specs[name].uri, "hostname"]
                if _run(*_within(self.probe, words), timeout=5).returncode == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"{name} did not come up: {(self.folder / f'{name}.log').read_text()[-800:]}")

    def kill(self, name: str) -> None:
        """As if its power were cut."""
        process = self._inits.pop(name)
        for child in _children(process.pid):
            os.kill(child, signal.SIGKILL)
        process.kill()
        process.wait()
        _end_all(self.netns(name))

    def stop_libvirtd(self, name: str, *, stay_down: bool = True) -> None:
        """Its daemon is killed, its guests live on. Unless it has to stay down it comes back by itself."""
        mark = self.folder / "hosts" / name / "stay-down"
        if stay_down:
            mark.touch()
        self._signal_libvirtd(name, signal.SIGKILL)

    def start_libvirtd(self, name: str) -> None:
        (self.folder / "hosts" / name / "stay-down").unlink(missing_ok=True)
        self.wait(name)

    def freeze_libvirtd(self, name: str) -> None:
        """It takes connections, and answers nothing, as one that waits for a broken disk."""
        self._signal_libvirtd(name, signal.SIGSTOP)

    def thaw_libvirtd(self, name: str) -> None:
        self._signal_libvirtd(name, signal.SIGCONT)

    def _signal_libvirtd(self, name: str, number: signal.Signals) -> None:
        for pid in _tasks(self.netns(name)):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == "libvirtd":
                    os.kill(pid, number)

    def restore(self, name: str) -> None:
        """Up again, whatever was done to it."""
        self.thaw_libvirtd(name)
        (self.folder / "hosts" / name / "stay-down").unlink(missing_ok=True)
        if name in self._inits:
            self.wait(name)
        else:
            self.start(name)

    def qemu(self, name: str, guest: str) -> int:
        """The process of a guest that runs there."""
        for pid in _tasks(self.netns(name)):
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
                if f"guest={guest},".encode() in b" ".join(words) and b"qemu" in words[0]:
                    return pid
        raise LookupError(f"{guest} does not run on {name}")

    def cut(self, name: str) -> None:
        """Its cable for libvirt and moves is drawn."""
        _ip("-n", self.switch, "link", "set", f"m-{name}", "down")

    def mend(self, name: str) -> None:
        _ip("-n", self.switch, "link", "set", f"m-{name}", "up")

    def shape(self, name: str, mbit_s: int) -> None:
        """What leaves it on that cable is held to a rate."""
        rate = ["rate", f"{mbit_s}mbit", "burst", "128kb", "latency", "100ms"]
        tc = ["tc", "-n", self.netns(name), "qdisc", "replace", "dev", "mgt0", "root", "tbf", *rate]
        subprocess.run(tc, check=True)

    def unshape(self, name: str) -> None:
        _run("tc", "-n", self.netns(name), "qdisc", "del", "dev", "mgt0", "root")  # fails if there is none

    def sent(self, name: str) -> int:
        """Bytes that have left it on that cable."""
        rows = json.loads(_ip("-n", self.netns(name), "-s", "-j", "link", "show", "mgt0"))
        return int(rows[0]["stats64"]["tx"]["bytes"])

    def down(self) -> None:
        for name in list(self._inits):
            self.kill(name)
        for name in self.specs:
            _end_all(self.netns(name))
            for group in CGROUPS:
                _remove_cgroup(CGROUP_ROOT / group / self.netns(name))
        present = _run("ip", "netns", "list").stdout.split()
        for netns in (*map(self.netns, self.specs), self.probe, self.switch):
            if netns in present:
                _ip("netns", "del", netns)
        shutil.rmtree(self.folder / "hosts", ignore_errors=True)

    def _plug_switches(self) -> None:
        for netns in (self.switch, self.probe):
            _ip("netns", "add", netns)
            _ip("-n", netns, "link", "set", "lo", "up")
        for bridge in ("switch-m", "switch-d"):
            _ip("-n", self.switch, "link", "add", bridge, "type", "bridge")
            _ip("-n", self.switch, "link", "set", bridge, "up")
        for letter, net in (("m", "10.78.0"), ("d", "10.77.0")):
            self._cable(self.probe, f"{letter}0", f"{letter}-probe", f"switch-{letter}")
            _ip("-n", self.probe, "addr", "add", f"{net}.200/24", "dev", f"{letter}0")

    def _plug(self, spec: HostSpec) -> None:
        netns = self.netns(spec.name)
        _ip("netns", "add", netns)
        _ip("-n", netns, "link", "set", "lo", "up")
        self._cable(netns, "mgt0", f"m-{spec.name}", "switch-m")
        _ip("-n", netns, "addr", "add", f"{spec.address}/24", "dev", "mgt0")
        _ip("-n", netns, "link", "add", "br0", "type", "bridge")
        _ip("-n", netns, "link", "set", "br0", "up")
        self._cable(netns, "dat0", f"d-{spec.name}", "switch-d")
        _ip("-n", netns, "link", "set", "dat0", "master", "br0")
        for group in CGROUPS:
            (CGROUP_ROOT / group / netns).mkdir(exist_ok=True)
        cpuset = CGROUP_ROOT / "cpuset" / netns
        (cpuset / "cpuset.mems").write_text((CGROUP_ROOT / "cpuset/cpuset.mems").read_text())
        (cpuset / "cpuset.cpus").write_text(str(spec.core))

    def _cable(self, netns: str, name: str, end: str, bridge: str) -> None:
        """From a namespace to a bridge of the switch."""
        _ip("link", "add", name, "netns", netns, "type", "veth", "peer", "name", end, "netns", self.switch)
        _ip("-n", self.switch, "link", "set", end, "master", bridge, "up")
        _ip("-n", netns, "link", "set", name, "up")


@contextlib.contextmanager
def standing_in(netns: str) -> Iterator[None]:
    """This thread, and all threads and processes that it starts, are in a network namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open("rb") as home, Path(f"/run/netns/{netns}").open("rb") as there:
        if libc.setns(there.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {netns}")
        try:
            yield
        finally:
            libc.setns(home.fileno(), CLONE_NEWNET)


def _tasks(group: str) -> list[int]:
    """The processes of one host, those of its guests included."""
    folder = CGROUP_ROOT / "cpu" / group
    files = [folder / "cgroup.procs", *folder.glob("**/cgroup.procs")] if folder.exists() else []
    pids: set[int] = set()
    for file in files:
        with contextlib.suppress(OSError):
            pids |= {int(word) for word in file.read_text().split()}
    return sorted(pids)


def _end_all(group: str) -> None:
    end = time.monotonic() + 10
    while (pids := _tasks(group)) and time.monotonic() < end:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _remove_cgroup(folder: Path) -> None:
    for sub in sorted(folder.glob("**/"), key=lambda path: -len(path.parts)) if folder.exists() else []:
        with contextlib.suppress(OSError):
            sub.rmdir()


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _within(netns: str, words: list[str]) -> list[str]:
    return ["nsenter", f"--net=/run/netns/{netns}", *words]


def _run(*words: str, timeout: float | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=timeout)


def _ip(*words: str) -> str:
    ended = _run("ip", *words)
    if ended.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {ended.stderr.strip()}")
    return ended.stdout
