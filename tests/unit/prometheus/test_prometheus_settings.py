"""The `prometheus:` mapping of clouds.yaml: what is taken, and what is refused in which words."""

from pathlib import Path

import pytest

from watari.drivers.prometheus import PrometheusSettings, read_settings
from watari.drivers.prometheus.queries import PRESETS, QUANTITIES
from watari.errors import BadInput

URL = "https://prometheus.example.org"


@pytest.mark.parametrize(
    ("text", "seconds"), [("2m", 120), ("90s", 90), ("1m30s", 90), ("5 min", 300), ("1h", 3600), (" 45 s ", 45)]
)
def test_times(text: str, seconds: int) -> None:
    assert read_settings({"url": URL, "window": text}).window == seconds


@pytest.mark.parametrize("path", ["", "/", "/api/v1", "/api/v1/query", "/api/v1/"])
def test_the_address_is_taken_with_and_without_the_api(path: str) -> None:
    assert read_settings({"url": f"{URL}/tenant{path}"}).url == f"{URL}/tenant"


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"url": None}, ".url: input should be a valid string"),
        ({"url": "prometheus:9090"}, ".url: write an address such as"),
        ({"url": "https://ops:secret@p/"}, ".url: put the user and the password into basic_auth"),
        ({"url": f"{URL}/?x=1"}, ".url: write it without ? and #"),
        ({"windw": "2m"}, ".windw: there is no such key; did you mean window?"),
        ({"window": 120}, ".window: write a time with its unit"),
        ({"window": "2"}, ".window: write a time with its unit"),
        ({"window": "5s"}, ".window: input should be greater than or equal to 20"),
        ({"preset": "kola"}, ".preset: input should be 'watari', 'libvirt', 'kolla'"),
        ({"labels": {"sever": "uuid"}}, ".labels.sever: there is no such key; did you mean server?"),
        ({"labels": {"server": "a-b"}}, ".labels.server: string should match pattern"),
        ({"queries": {"hst": {}}}, ".queries.hst: there is no such key; did you mean host?"),
        ({"queries": {"host": {"stolen": "x"}}}, ".queries.host.stolen: input should be 'seen', 'used', 'waited'"),
        ({"queries": {"host": {"used": "rate(x[$windw])"}}}, ".queries.host.used: $windw means nothing here"),
        ({"queries": {"host": {"seen": None}, "guest": {"seen": None}}}, "without `seen` of host or guest"),
        ({"bearer_token": "s", "bearer_token_file": "f"}, ": write one of bearer_token, bearer_token_file"),
        ({"basic_auth": {"username": "u"}}, ".basic_auth: write one of password and password_file"),
        ({"headers": {"Authorization": "x"}}, "sign in with bearer_token"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, ".headers.X-A: a header's value is one line of ASCII"),
        ({"ca_file": "x", "verify": False}, ": ca_file and verify: false exclude each other"),
        ({"cert_file": "x"}, ": cert_file and key_file go together"),
        ({"match": '{a="b"}'}, ": match: write it without braces"),
    ],
)
def test_what_is_wrong_is_named(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_settings({"url": URL, **wrong}, "clouds.yaml: tokyo.watari.prometheus")
    assert str(caught.value).startswith("clouds.yaml: tokyo.watari.prometheus")
    assert words in str(caught.value)


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(BadInput) as caught:
        read_settings({"windw": "2m", "timeout": "1"})
    assert [line.partition("prometheus")[2].split(":")[0] for line in str(caught.value).splitlines()] == [
        ".url is needed", ".timeout", ".windw",
    ]  # fmt: skip


@pytest.mark.parametrize("mapping", [None, "http://p", ["url"]])
def test_what_is_no_mapping(mapping: object) -> None:
    with pytest.raises(BadInput, match="write a mapping with at least `url`"):
        read_settings(mapping)


def test_secrets_are_in_no_error_and_in_no_text() -> None:
    basic = {"username": "u", "password": "hidden"}
    assert "hidden" not in repr(read_settings({"url": URL, "basic_auth": basic}))
    assert "hidden" not in repr(read_settings({"url": URL, "bearer_token": "hidden"}))
    assert "hidden" not in repr(read_settings({"url": URL, "headers": {"X-Token": "hidden"}}))
    with pytest.raises(BadInput) as caught:
        read_settings({"url": URL, "bearer_token": "hidden", "basic_auth": basic})
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_placeholder_of_a_preset_is_filled(preset: str) -> None:
    settings = read_settings({"url": URL, "preset": preset, "match": 'cluster="a"'})
    for quantity in QUANTITIES:
        for text in settings.expressions(quantity).values():
            assert "$" not in text
            assert 'cluster="a"' in text


def test_an_own_query_keeps_promqls_dollars() -> None:
    text = 'label_replace(x{a=~"b$"}[$window], "uuid", "$1", "id", "(.*)$$")'
    settings = read_settings({"url": URL, "queries": {"host": {"used": text}}})
    assert settings.expressions("used")["host"] == 'label_replace(x{a=~"b$"}[120s], "uuid", "$1", "id", "(.*)$")'


@pytest.mark.parametrize("preset", ["watari", "kolla", "vexxhost"])
def test_the_documentation_has_the_queries_in_full(preset: str) -> None:
    page = (Path(__file__).parents[3] / "docs/reference/prometheus.md").read_text(encoding="utf-8")
    for by_quantity in PRESETS[preset].values():
        for text in by_quantity.values():
            assert f"```promql\n{text}\n```" in page


def test_one_side_alone_is_asked_for() -> None:
    settings = read_settings({"url": URL, "preset": "kolla", "side": "host"})
    assert [set(settings.expressions(quantity)) for quantity in QUANTITIES] == [{"host"}] * 4 + [set(), {"host"}]
    guests = read_settings({"url": URL, "preset": "kolla", "side": "guest", "load_minutes": 5})
    assert set(guests.expressions("waited")) == {"guest"}
    assert guests.expressions("load") == {"guest": 'max by (instance_id) (node_load5{instance_id!="",})'}
    with pytest.raises(BadInput, match="side: host: without `seen` of host or guest"):
        read_settings({"url": URL, "preset": "guest", "side": "host"})


def test_the_documentation_has_every_setting() -> None:
    page = (Path(__file__).parents[3] / "docs/reference/prometheus.md").read_text(encoding="utf-8")
    for key in PrometheusSettings.__dataclass_fields__:
        assert f"`{key}`" in page or f"`{key}." in page
