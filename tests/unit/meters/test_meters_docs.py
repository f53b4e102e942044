"""The reference of meters says what there is."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from times import SetClock
from watari.drivers.gauges import BUILT_IN, RuleSettings, Surroundings, open_gauges, read_rule
from watari.drivers.libvirt.meter import LibvirtMeterSettings
from watari.drivers.mackerel import MackerelSettings
from watari.model.readings import Rule

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/reference/meters.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("settings", [RuleSettings, LibvirtMeterSettings, MackerelSettings])
def test_every_setting_is_there(settings: Any) -> None:
    for key in settings.__dataclass_fields__:
        assert f"`{key}`" in PAGE


def test_every_kind_and_finding_is_there() -> None:
    for kind in BUILT_IN:
        assert f"## `{kind}`" in PAGE
    code = (
        "".join(p.read_text() for p in (ROOT / "src/watari").glob("**/meter*.py"))
        + (ROOT / "src/watari/drivers/mackerel.py").read_text()
    )
    codes = set(re.findall(r'"(meter-[a-z-]+)"', code)) | {
        f"meter-{name}" for name in re.findall(r'_finding\(\w+, "([a-z-]+)"', code)
    }
    assert {"meter-away", "meter-missing", "meter-silent-hosts", "meter-partial"} <= codes
    for name in codes:
        assert f"`{name}`" in PAGE


def test_the_example_is_right() -> None:
    (text,) = re.findall(r"```yaml\n# clouds.yaml\n(.*?)```", PAGE, re.DOTALL)
    section = yaml.safe_load(text)["clouds"]["tokyo"]["watari"]
    gauges = open_gauges(section["meters"], Surroundings(SetClock(), "here", dict))
    assert [gauge.name for gauge in gauges] == ["libvirt", "prometheus", "guests", "mackerel"]
    assert read_rule(section["meters_rule"], "here") == Rule()
