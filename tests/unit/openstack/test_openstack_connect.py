"""clouds.yaml: which cloud, and what its `watari:` section says."""

from collections.abc import Callable
from datetime import UTC
from pathlib import Path

import pytest

from watari.drivers.openstack import RealTime, cloud_names, connect
from watari.drivers.openstack.times import moment
from watari.errors import BadInput


def test_nothing_is_asked_of_a_cloud_before_its_first_use(clouds_yaml: Callable[..., Path]) -> None:
    assert connect("east", [clouds_yaml(url="http://127.0.0.1:9")]).name == "east"


def test_an_unknown_cloud_is_told_the_known_ones(clouds_yaml: Callable[..., Path]) -> None:
    with pytest.raises(BadInput, match=r'no cloud "west" in clouds.yaml; known are east \(.*clouds.yaml\)'):
        connect("west", [clouds_yaml()])
    assert "east" in cloud_names([clouds_yaml()])


def test_the_file_is_found_as_every_openstack_client_does(
    clouds_yaml: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", str(clouds_yaml()))
    assert connect("east").name == "east"


def test_the_section_is_read_as_it_is_written(clouds_yaml: Callable[..., Path]) -> None:
    prometheus = {"url": "http://p:9090", "step_s": 15}
    section = {"shared_storage": True, "link_mib_s": 2384, "prometheus": prometheus}
    settings = connect("east", [clouds_yaml(watari=section)]).settings
    assert (settings.shared_storage, settings.link_mib_s, settings.prometheus) == (True, 2384.0, prometheus)
    plain = connect("east", [clouds_yaml()]).settings
    assert (plain.shared_storage, plain.link_mib_s, plain.prometheus) == (False, 1192.0, {})


@pytest.mark.parametrize(
    ("section", "why"),
    [
        (
            {"shared_disk": True},
            "unknown key shared_disk; known keys: link_mib_s, meters, meters_rule, orchestrators, own_network, "
            "prometheus, shared_storage",
        ),
        ({"shared_storage": "yes"}, "shared_storage: 'yes' is neither true nor false"),
        ({"own_network": "mine"}, "own_network: 'mine' is neither true nor false"),
        ({"link_mib_s": 0}, "link_mib_s: 0 is no number"),
        ({"link_mib_s": True}, "link_mib_s: True is no number"),
        ({"link_mib_s": "fast"}, "link_mib_s: 'fast' is no number"),
        ({"prometheus": "http://p"}, "prometheus: a section with keys"),
        ({"prometheus": {"url": "http://p"}, "meters": []}, "write one of prometheus and meters"),
        ({"meters_rule": {}}, "meters_rule: it is of use with meters only"),
        ([1], r"a section with keys is expected, not \[1\]"),
    ],
)
def test_what_is_wrong_in_the_section_is_named(clouds_yaml: Callable[..., Path], section: object, why: str) -> None:
    with pytest.raises(BadInput, match=f"clouds.yaml, cloud east, watari.*{why}"):
        connect("east", [clouds_yaml(watari=section)])


def test_a_file_that_is_no_yaml_holds_no_cloud(tmp_path: Path) -> None:
    broken = tmp_path / "clouds.yaml"
    broken.write_text("clouds: [")
    with pytest.raises(BadInput, match="none is known"):
        connect("east", [broken])


def test_a_section_without_an_address_is_told(clouds_yaml: Callable[..., Path]) -> None:
    with pytest.raises(BadInput, match=r"clouds.yaml, cloud east, its auth section: "):
        connect("east", [clouds_yaml(auth={"auth_url": None})])


def test_real_time_is_utc() -> None:
    assert RealTime().now().tzinfo is UTC
    assert moment("2026-11-20T12:00:00.000000") == moment("2026-11-20T12:00:00Z")
