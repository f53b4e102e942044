"""The files that services read, the template's fingerprint, the folder's lock."""

import configparser
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from watari.errors import BadInput, Busy
from watari.lab import template
from watari.lab.clouds import write_clouds
from watari.lab.inifile import render_ini
from watari.lab.nova import write_nova
from watari.lab.packages import nothing_starts
from watari.lab.paths import LabPaths, alone, default_dir, read_json, write_json
from watari.lab.place import Place
from watari.lab.prometheus import write_prometheus
from watari.lab.services import Services
from watari.lab.spec import LabSpec


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place.of(LabSpec(tmp_path, computes=3))
    paste = place.paths.venv / "etc" / "nova" / "api-paste.ini"
    paste.parent.mkdir(parents=True)
    paste.write_text("")
    return place


def test_ini_text_is_what_was_meant() -> None:
    text = render_ini({"DEFAULT": {"Key": "50 %", "yes": True}, "a": {"url": "mysql://h/?x=1", "n": 3}, "empty": {}})
    read = configparser.RawConfigParser()
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(text)
    assert dict(read["DEFAULT"]) == {"Key": "50 %", "yes": "true"}
    assert read.get("a", "url") == "mysql://h/?x=1"
    assert "[empty]" in text


def test_every_host_has_its_own_state_and_no_way_to_the_database(place: Place) -> None:
    write_nova(place)
    seen = set()
    for host in place.spec.hosts:
        conf = configparser.RawConfigParser()
        conf.read(place.paths.etc / f"nova-{host}" / "nova.conf")
        assert conf["DEFAULT"]["host"] == host
        assert "database" not in conf
        seen.add(conf["DEFAULT"]["state_path"])
        settings = json.loads((place.paths.etc / f"nova-{host}" / "host.json").read_text())
        assert settings["servers"] == str(place.paths.servers(host))
        assert settings["knobs"] == str(place.paths.knobs(host))
    assert len(seen) == 3


def test_nothing_listens_beyond_this_machine(place: Place) -> None:
    units = [unit for unit in Services.of(place).units.values() if unit.port is not None]
    silent = {unit.name for unit in units if not any("127.0.0.1" in word for word in unit.argv)}
    assert silent == {"rabbitmq", "exporter"}  # the one is told by its environment, the other knows no other address
    assert Services.of(place).unit("rabbitmq").env["RABBITMQ_NODE_IP_ADDRESS"] == "127.0.0.1"
    assert "inet_dist_use_interface {127,0,0,1}" in str(Services.of(place).unit("rabbitmq").env)


def test_prometheus_scrapes_every_host_by_name(place: Place) -> None:
    write_prometheus(place)
    config = yaml.safe_load((place.paths.etc / "prometheus" / "prometheus.yml").read_text())
    (job,) = config["scrape_configs"]
    assert [target["labels"]["host"] for target in job["static_configs"]] == ["cmp01", "cmp02", "cmp03"]
    assert {"source_labels": ["host"], "target_label": "__param_host"} in job["relabel_configs"]


def test_clouds_yaml_names_the_clouds_and_what_watari_has_to_know(place: Place) -> None:
    write_clouds(place)
    clouds = yaml.safe_load(place.paths.clouds_yaml.read_text())["clouds"]
    watari = clouds["lab"]["watari"]
    assert watari["prometheus"]["url"] == "http://127.0.0.1:21010"
    assert (watari["shared_storage"], watari["link_mib_s"]) == (True, 1192)
    assert clouds["lab-user"]["auth"]["project_name"] == "demo"
    assert place.paths.clouds_yaml.stat().st_mode & 0o077 == 0


def test_services_do_not_see_the_callers_cloud(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OS_CLOUD", "OS_AUTH_URL", "http_proxy", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"):
        monkeypatch.setenv(name, "x")
    assert not {"OS_CLOUD", "OS_AUTH_URL", "http_proxy", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"} & set(
        place.environment()
    )


def test_a_template_is_good_for_the_lab_that_it_was_made_for_and_no_other(place: Place) -> None:
    for name in ("mysql", "keystone", "glance", "nova"):
        write_json(place.paths.data / name / "file.json", name)
    assert not template.usable(place)
    template.save(place)
    assert template.usable(place)
    assert template.data_usable(place)
    for changed in ({"computes": 4}, {"zones": 1}, {"base_port": 22000}, {"dir": place.spec.dir / "moved"}):
        other = replace(place, spec=replace(place.spec, **changed))
        assert template.fingerprint(other) != template.fingerprint(place)
        assert not template.usable(other)


def test_restoring_brings_back_what_was_packed_and_nothing_else(place: Place) -> None:
    for name in ("mysql", "keystone", "glance", "nova"):
        write_json(place.paths.data / name / "file.json", name)
    template.save(place)
    write_json(place.paths.data / "nova" / "file.json", "changed")
    write_json(place.paths.data / "counters.json", {})
    template.restore(place)
    assert read_json(place.paths.data / "nova" / "file.json", None) == "nova"
    assert not place.paths.counters.exists()
    assert template.data_usable(place)


def test_data_that_was_never_finished_is_not_used(place: Place) -> None:
    write_json(place.paths.data / "mysql" / "file.json", 1)
    assert not template.data_usable(place)


def test_one_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path / "lock"), pytest.raises(Busy, match=str(os.getpid())), alone(tmp_path / "lock"):
        pass
    with alone(tmp_path / "lock"):
        pass


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="--dir"):
        LabPaths(tmp_path / "file" / "lab").make()


def test_the_default_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    monkeypatch.delenv("WATARI_LAB_DIR", raising=False)
    assert default_dir() == Path("/x/watari/lab")
    monkeypatch.setenv("WATARI_LAB_DIR", "/y")
    assert default_dir() == Path("/y")


def test_packages_start_nothing_and_leave_a_policy_that_was_there(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with nothing_starts(policy):
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & 0o111
    assert not policy.exists()
    policy.write_text("mine")
    with nothing_starts(policy):
        assert policy.read_text() == "mine"
    assert policy.read_text() == "mine"
