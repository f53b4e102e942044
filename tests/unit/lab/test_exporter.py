"""What Prometheus reads: names, labels, who is left out."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from watari.lab.exporter import Measured, exposition, handler
from watari.lab.paths import LabPaths, write_json
from watari.lab.spec import LabSpec


def details(name: str, vcpus: int = 2, power: int = 1) -> dict[str, object]:
    return {
        "domain": f"instance-{name}",
        "name": name,
        "project": "p1",
        "flavor": 'm1."odd"',
        "vcpus": vcpus,
        "memory_mib": 4096,
        "disk_gib": 10,
        "metadata": {"lab:cores": str(vcpus)},
        "since": 1.0,
        "power": power,
    }


@pytest.fixture
def paths(tmp_path: Path) -> LabPaths:
    paths = LabPaths(tmp_path)
    write_json(paths.description, LabSpec(tmp_path, computes=2).to_json())
    write_json(
        paths.servers("cmp01"), {id: details(id) for id in ("a", "b", "c", "d", "e")} | {"off": details("off", power=4)}
    )
    write_json(paths.servers("cmp02"), {"z": details("z")})
    return paths


def samples(text: bytes) -> dict[tuple[str, ...], float]:
    """Values by name and sorted labels' values."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def stepped(paths: LabPaths) -> Measured:
    measured = Measured(paths)
    measured.step()
    measured._book.at -= 10.0  # ten seconds later
    measured.step()
    return measured


def test_libvirt_and_guest_metrics_of_one_host(paths: LabPaths) -> None:
    found = samples(exposition(stepped(paths), "cmp01"))
    delay = found["libvirt_domain_vcpu_delay_seconds_total", "instance-a", "a", "0"]
    assert delay == pytest.approx(2.0, rel=0.1)  # 10 cores wanted of 8 threads: a fifth of 10 s
    assert found["libvirt_domain_vcpu_delay_seconds_total", "instance-a", "a", "1"] == delay
    assert found["node_cpu_seconds_total", "0", "a", "steal"] == delay
    assert found["libvirt_domain_vcpu_wait_seconds_total", "instance-a", "a", "0"] == 0.0
    assert found["libvirt_domain_info_virtual_cpus", "instance-a", "a"] == 2.0
    ran = found["libvirt_domain_vcpu_time_seconds_total", "instance-a", "a", "0"]
    assert found["libvirt_domain_info_cpu_time_seconds_total", "instance-a", "a"] == pytest.approx(2 * ran)
    assert found["libvirt_domain_info_meta", "instance-a", 'm1."odd"', "a", "p1", "a"] == 1.0
    assert found["node_load1", "a"] == pytest.approx(2.5)
    assert not any("z" in key for key in found)


def test_a_server_that_is_off_has_no_vcpu_metrics(paths: LabPaths) -> None:
    found = samples(exposition(stepped(paths), "cmp01"))
    assert ("libvirt_domain_info_virtual_cpus", "instance-off", "off") in found
    assert not any(key[0].startswith(("libvirt_domain_vcpu", "node_")) and "off" in key for key in found)


def test_a_mute_server_is_left_out_and_its_neighbours_still_feel_it(paths: LabPaths) -> None:
    write_json(paths.mute, ["b"])
    found = samples(exposition(stepped(paths), "cmp01"))
    assert not any("b" in key for key in found)
    assert found["node_load1", "a"] == pytest.approx(2.5)


def test_demand_can_be_set_from_outside(paths: LabPaths) -> None:
    write_json(paths.demand, dict.fromkeys(("a", "b", "c", "d", "e"), 0.5))
    assert samples(exposition(stepped(paths), "cmp01"))["node_load1", "a"] == pytest.approx(0.5)


def test_counters_are_saved_and_read_again(paths: LabPaths) -> None:
    measured = stepped(paths)
    measured.save()
    again = Measured(paths)
    again.step()
    key = ("libvirt_domain_vcpu_time_seconds_total", "instance-a", "a", "0")
    assert samples(exposition(again, "cmp01"))[key] == pytest.approx(
        samples(exposition(measured, "cmp01"))[key], abs=1.0
    )


@pytest.mark.parametrize("text", ["", "{", '{"at": 1}', "[]", '{"at": 1, "of": {"a": {"odd": 1}}}'])
def test_counters_that_cannot_be_read_begin_anew(paths: LabPaths, text: str) -> None:
    paths.counters.write_text(text)
    measured = Measured(paths)
    measured.step()
    assert len(measured.on("cmp01")) == 6


@pytest.fixture
def url(paths: LabPaths) -> Iterator[str]:
    write_json(paths.dead, ["cmp02"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(stepped(paths)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/metrics?host=cmp01", 200),
        ("/metrics?host=cmp02", 503),
        ("/metrics?host=cmp09", 404),
        ("/metrics", 404),
        ("/", 404),
        ("/ready", 200),
    ],
)
def test_scrapes(url: str, path: str, status: int) -> None:
    try:
        with urllib.request.urlopen(url + path) as answer:
            assert answer.status == status
    except urllib.error.HTTPError as error:
        assert error.code == status


def test_a_dead_hosts_servers_do_nothing(paths: LabPaths) -> None:
    write_json(paths.dead, ["cmp01"])
    assert stepped(paths).on("cmp01") == []
    assert json.loads(paths.dead.read_text()) == ["cmp01"]
