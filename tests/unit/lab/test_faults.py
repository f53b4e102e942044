"""The lab's faults are files that its parts read; none of this needs a lab that runs."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from watari.errors import BadInput
from watari.lab import packages
from watari.lab.lab import Lab
from watari.lab.paths import read_json, write_json
from watari.lab.spec import LabSpec


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    lab = Lab(LabSpec(tmp_path, computes=2))
    lab.paths.make()
    write_json(lab.paths.description, lab.spec.to_json())
    return lab


def test_knobs_add_up_and_are_cleared(lab: Lab) -> None:
    lab.knobs("cmp01", fail_copy=0.5)
    lab.knobs("cmp01", seconds=30)
    lab.knobs("cmp02", fail_precheck=True)
    assert read_json(lab.paths.knobs("cmp01"), None) == {"fail_copy": 0.5, "seconds": 30}
    lab.clear_knobs("cmp01")
    assert not lab.paths.knobs("cmp01").exists()
    lab.clear_knobs()
    assert not lab.paths.knobs("cmp02").exists()


def test_demand_and_silence(lab: Lab) -> None:
    lab.set_demand("a", 2)
    lab.set_demand("b", 1.5)
    lab.set_demand("a", None)
    assert read_json(lab.paths.demand, None) == {"b": 1.5}
    lab.mute("x")
    lab.mute("a")
    lab.unmute("x")
    assert read_json(lab.paths.mute, None) == ["a"]


def test_a_killed_host_is_dead_in_status(lab: Lab) -> None:
    lab.kill_host("cmp02")
    states = {row.name: row.state for row in lab.status()}
    assert states["nova-compute@cmp02"] == "dead"
    assert states["nova-compute@cmp01"] == "down"
    assert states["mariadb"] == "down"


def test_unknown_hosts_and_services_are_refused(lab: Lab) -> None:
    on_hosts: tuple[Callable[[str], object], ...] = (lab.kill_host, lab.revive_host, lab.knobs, lab.servers_on)
    for ask in on_hosts:
        with pytest.raises(BadInput, match="cmp01, cmp02"):
            ask("cmp03")
    for call in (lab.stop, lab.start, lab.kill, lab.pause):
        with pytest.raises(BadInput, match="has no service"):
            call("cinder")


def test_a_lab_is_opened_as_it_was_made(lab: Lab) -> None:
    assert Lab.open(lab.paths.root).spec == lab.spec
    with pytest.raises(BadInput, match="watari lab up"):
        Lab.open(lab.paths.root / "elsewhere")


def test_what_is_asked_for_changes_what_is_known(lab: Lab, tmp_path: Path) -> None:
    assert Lab.described(lab.paths.root, {}).spec == lab.spec
    assert Lab.described(lab.paths.root, {"computes": 5}).spec.computes == 5
    assert Lab.described(tmp_path / "new", {"base_port": 22000}).spec == LabSpec(tmp_path / "new", base_port=22000)
    assert Lab.described(tmp_path / "new", {"computes": 1}).spec.zones == 1


def test_packages_that_are_missing_are_named_to_who_may_not_install_them(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "missing_debian_packages", lambda: ["memcached", "prometheus"])
    monkeypatch.setattr("shutil.which", lambda name, **_: f"/usr/bin/{name}")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(BadInput, match="apt-get install --no-install-recommends memcached prometheus"):
        packages.install(lab.paths, print)
    monkeypatch.setattr("shutil.which", lambda name, **_: None)
    with pytest.raises(BadInput, match="no apt-get"):
        packages.install(lab.paths, print)


def test_python_packages_are_installed_once(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []

    def run(log: Path, argv: list[str], what: str) -> None:
        ran.append(what)
        lab.paths.venv.mkdir(exist_ok=True)

    monkeypatch.setattr(packages, "_run", run)
    monkeypatch.setattr(packages, "NEEDED_MIB", 0)
    for _ in range(2):
        packages.install_python_packages(lab.paths, lambda _: None)
    assert ran == ["make an environment", "install"]
    monkeypatch.setattr(packages, "PYTHON_PACKAGES", ("nova==35.0.0",))
    packages.install_python_packages(lab.paths, lambda _: None)
    assert len(ran) == 4


def test_virt_and_ml2_drivers_are_where_nova_and_neutron_look(lab: Lab) -> None:
    for version in ("python3.11", "python3.12", "python3.13"):
        (lab.paths.venv / "lib" / version / "site-packages" / "nova" / "virt").mkdir(parents=True)
    packages.link_virt(lab.paths)
    packages.link_virt(lab.paths)  # every start does it again
    links = list(lab.paths.venv.glob("lib/*/site-packages/nova/virt/watari_lab.py"))
    assert len(links) == 1
    assert links[0].resolve().name == "driver.py"
