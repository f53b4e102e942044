"""Prometheus: scrapes the lab's exporter, one target per host, as it would scrape the hosts."""

import sys
from pathlib import Path

import yaml

import watari
from watari.lab.paths import write_text
from watari.lab.place import Place
from watari.lab.unit import Unit, answers

SCRAPE_S = 5


def write_prometheus(place: Place) -> None:
    exporter = f"127.0.0.1:{place.spec.port('exporter')}"
    targets = [
        {"targets": [exporter], "labels": {"host": host, "zone": place.spec.zone_of(host)}} for host in place.spec.hosts
    ]
    relabel = [
        {"source_labels": ["host"], "target_label": "__param_host"},
        {"source_labels": ["host"], "target_label": "instance"},
    ]
    config = {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": f"{SCRAPE_S - 1}s"},
        "scrape_configs": [{"job_name": "hosts", "static_configs": targets, "relabel_configs": relabel}],
    }
    text = "# Written by `watari lab up`.\n" + yaml.safe_dump(config, sort_keys=False)
    write_text(place.paths.etc / "prometheus" / "prometheus.yml", text)


def prometheus_unit(place: Place) -> Unit:
    port = place.spec.port("prometheus")
    argv = (
        "prometheus",
        f"--config.file={place.paths.etc / 'prometheus' / 'prometheus.yml'}",
        f"--storage.tsdb.path={place.paths.data / 'prometheus'}",
        "--storage.tsdb.retention.time=1d",
        f"--web.listen-address=127.0.0.1:{port}",
    )
    return Unit("prometheus", argv, place.environment(), port, answers(port, "/-/ready"), stop_s=15)


def exporter_unit(place: Place) -> Unit:
    """The exporter runs with Watari's own Python: it uses Watari's model of contention."""
    port = place.spec.port("exporter")
    argv = (sys.executable, "-m", "watari.lab.exporter", str(place.paths.root))
    source = str(Path(watari.__file__).parents[1])  # a checkout that is not installed works too
    env = place.environment() | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return Unit("exporter", argv, env, port, answers(port, "/ready"))
