"""Import Nova once and fork one real process per service: shared pages make dozens of hosts fit a small machine.

Run as `python zygote.py zygote.json`. A file `run/want/<service>` has that service started, once; it goes away when the
service has its pid file, so that whoever looks on finds one or the other. Every service has a session, a log and a pid
file of its own, so that one can be killed, stopped and started again without the others.
"""

import gc
import json
import os
import signal
import socket
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

SETTINGS = json.loads(Path(sys.argv[1]).read_text())
RUN, LOG, ETC = (Path(SETTINGS[name]) for name in ("run", "log", "etc"))
WANT = RUN / "want"
MODULES = (
    "nova.cmd.compute",  # first: it decides how Nova does threads
    "nova.cmd.conductor",
    "nova.cmd.scheduler",
    "nova.compute.manager",
    "nova.conductor.manager",
    "nova.image.glance",
    "nova.network.neutron",
    "nova.scheduler.filters",
    "nova.scheduler.host_manager",
    "nova.scheduler.manager",
    "nova.servicegroup.drivers.db",
    "nova.virt.watari_lab",
    "nova.volume.cinder",
    "keystoneauth1.identity.generic",
    "kombu.transport.pyamqp",
    "oslo_messaging._drivers.impl_rabbit",
    "pymysql",
    "setproctitle",
)
PATIENCE_S = 300.0


def warm_up() -> None:
    sys.argv = ["nova-compute", "--config-file", str(ETC / "nova" / "nova.conf")]
    for module in MODULES:
        __import__(module)
    sys.modules["nova.objects"].register_all()
    gc.collect()
    gc.freeze()  # what is there now stays in pages that all children share


def launch(service: str) -> None:
    """Fork one service; the parent goes on."""
    if os.fork():
        return
    os.setsid()
    for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    log = os.open(LOG / f"{service}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    write_pid(service)
    (WANT / service).unlink(missing_ok=True)
    try:
        become(service)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def write_pid(service: str) -> None:
    """Pid, start time and boot: the same three words that the lab writes for what it starts itself."""
    started = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    beside = RUN / f".{service}.{os.getpid()}"
    beside.write_text(f"{os.getpid()} {started} {boot}\n")
    beside.replace(RUN / f"{service}.pid")


def become(service: str) -> None:
    binary, _, host = service.partition("@")
    conf = ETC / (f"nova-{host}" if host else "nova") / "nova.conf"
    sys.argv = [binary, "--config-file", str(conf)]
    sys.modules["setproctitle"].setproctitle(f"{binary} {host}".rstrip())
    for port in SETTINGS["ports"].values():
        wait_for(answers, port)  # conductor, scheduler and compute end with an error if these refuse
    wait_for(listens, SETTINGS["rabbitmq"])
    if binary == "nova-compute":
        wait_for(conductor_consumes)  # a compute that asks too early waits for its answer in vain
    getattr(sys.modules["nova.cmd"], binary.removeprefix("nova-")).main()


def wait_for(probe: Callable[..., bool], *arguments: int) -> None:
    end = time.monotonic() + PATIENCE_S
    while not probe(*arguments) and time.monotonic() < end:
        time.sleep(0.2)


def listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).close()
    except urllib.error.HTTPError as error:
        return error.code < 500
    except OSError:
        return False
    return True


def conductor_consumes() -> bool:
    import kombu  # type: ignore[import-not-found]

    try:
        with kombu.Connection(SETTINGS["rabbit_url"], connect_timeout=2) as connection:
            return bool(connection.default_channel.queue_declare("conductor", passive=True).consumer_count)
    except (OSError, *kombu.Connection(SETTINGS["rabbit_url"]).channel_errors):
        return False


def serve() -> None:
    """Start what is wanted until told to end; children are reaped at once and live on afterwards."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    WANT.mkdir(exist_ok=True)
    (RUN / "nova-zygote.ready").write_text(f"{os.getpid()}\n")
    launched: set[str] = set()
    while True:
        wanted = {path.name for path in WANT.iterdir()}
        launched &= wanted  # of the others the wish is gone: they are there
        for service in sorted(wanted - launched):
            launched.add(service)
            launch(service)
        time.sleep(0.1)


if __name__ == "__main__":
    warm_up()
    serve()
