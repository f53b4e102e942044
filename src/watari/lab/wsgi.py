"""OpenStack's APIs as uWSGI processes: Nova and Neutron no longer bring servers of their own."""

from watari.lab.place import Place
from watari.lab.unit import Unit, answers


def wsgi_unit(place: Place, name: str, module: str) -> Unit:
    port = place.spec.port(name)
    argv = (
        place.paths.bin("uwsgi"),
        *("--http-socket", f"127.0.0.1:{port}", "--module", module),
        *("--master", "--processes", "1", "--threads", "8", "--enable-threads", "--lazy-apps", "--need-app"),
        *("--die-on-term", "--no-orphans", "--buffer-size", "65535", "--http-chunked-input", "--disable-logging"),
        # uWSGI's http-socket does not keep connections; clients that expect it would wait
        *("--add-header", "Connection: close", "--procname-prefix", f"{name} "),
    )
    return Unit(name, argv, place.environment(), port, answers(port))
