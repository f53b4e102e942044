"""RabbitMQ: the services' messages. Its port mapper runs as a service of its own, so that none is left behind."""

import shutil
from pathlib import Path

from watari.lab.paths import write_text
from watari.lab.place import Place
from watari.lab.unit import Unit, listens

_INSTALLED = Path("/usr/lib/rabbitmq")


def write_rabbitmq(place: Place) -> None:
    """What is in the queues belongs to the last start: begin with none."""
    etc, port = place.paths.etc / "rabbitmq", place.spec.port("rabbitmq")
    write_text(etc / "rabbitmq.conf", f"listeners.tcp.1 = 127.0.0.1:{port}\nlog.file.level = warning\n")
    write_text(etc / "enabled_plugins", "[].\n")
    shutil.rmtree(place.paths.data / "rabbitmq", ignore_errors=True)
    (place.paths.data / "rabbitmq" / "home").mkdir(parents=True)


def epmd_unit(place: Place) -> Unit:
    port = place.spec.port("epmd")
    argv = ("epmd", "-address", "127.0.0.1", "-port", str(port))
    return Unit("epmd", argv, place.environment(), port, listens(port))


def rabbitmq_unit(place: Place) -> Unit:
    data, etc, spec = place.paths.data / "rabbitmq", place.paths.etc / "rabbitmq", place.spec
    port = spec.port("rabbitmq")
    env = place.environment() | {
        "HOME": str(data / "home"),
        "RABBITMQ_NODENAME": f"watari{spec.base_port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(spec.port("rabbitmq-peers")),
        "ERL_EPMD_PORT": str(spec.port("epmd")),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_MNESIA_BASE": str(data / "mnesia"),
        "RABBITMQ_LOG_BASE": str(place.paths.log / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(etc / "enabled_plugins"),
        "RABBITMQ_CONFIG_FILE": str(etc / "rabbitmq.conf"),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_PID_FILE": str(data / "pid"),
        # +sbwt none: an idle broker must not spin on a machine with few cores
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +S 2:2",
    }
    return Unit("rabbitmq", (str(_server_script()),), env, port, listens(port), stop_s=20, stop_group=True)


def _server_script() -> Path:
    """The server's own script: Debian's wrapper in /usr/sbin changes to the system's account and settings."""
    found = sorted(_INSTALLED.glob("lib/rabbitmq_server-*/sbin/rabbitmq-server"))
    return found[-1] if found else _INSTALLED / "rabbitmq-server"  # not installed yet
