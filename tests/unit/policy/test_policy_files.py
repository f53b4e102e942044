"""What policy files mean: the shipped ones, the defaults, digests, the schema and the reference page."""

import json
import re
from dataclasses import fields, replace
from datetime import UTC, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from watari.errors import BadInput
from watari.policy.keys import SECTIONS, TOP
from watari.policy.load import load_policy, parse_policy, policy_digest, shipped_policies
from watari.policy.schema import policy_json_schema, shown
from watari.policy.values import Peak, Policy, Window

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


def parsed(text: str) -> Policy:
    return parse_policy(text, "p.yaml")


def test_shipped_policies_load() -> None:
    assert shipped_policies() == ("cautious", "default", "published")
    for name in shipped_policies():
        policy = load_policy(name)
        assert policy.name == name
        assert re.fullmatch("[0-9a-f]{12}", policy.digest)
    assert load_policy() == load_policy(None) == load_policy("default")


def test_default_yaml_is_the_documentation_of_the_defaults() -> None:
    assert replace(load_policy("default"), digest="") == Policy()
    text = Path(str(REFERENCE.parents[1] / "src/watari/policy/files/default.yaml")).read_text(encoding="utf-8")
    written = yaml.safe_load(text)
    assert list(written) == [*TOP, *SECTIONS]
    for section, (_, table) in SECTIONS.items():
        assert list(written[section]) == list(table)


def test_published_is_the_rule_without_projection() -> None:
    policy = load_policy("published")
    assert (policy.rule, policy.detect.steal, policy.detect.load_per_vcpu) == ("published", 0.05, 1.0)
    assert (policy.destination.headroom, policy.destination.caution, policy.detect.host_over) == (0.0, 0.0, None)
    assert policy.look_ahead.horizon_s == 0
    assert policy.budgets == Policy().budgets


def test_cautious_rests_at_night_and_at_the_peaks() -> None:
    policy = load_policy("cautious")
    assert policy.budgets.quiet
    for hour in (12, 15, 22):
        assert any(peak.window.contains(time(hour)) and peak.moves <= 1 for peak in policy.budgets.peaks)


def test_the_table_has_every_field() -> None:
    for section, (cls, table) in SECTIONS.items():
        assert [key.field for key in table.values() if key.field] == [field.name for field in fields(cls)], section
    assert [*(key.field for key in TOP.values()), *SECTIONS, "digest"] == [field.name for field in fields(Policy)]


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "---\n", "detect:\nbudgets:\n  quiet:\n    # - 01:00-02:00\n", "\ufeff"]
)
def test_nothing_written_is_the_default(text: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    assert replace(load_policy(path), name="default") == load_policy("default")
    assert load_policy(str(path)).name == "mine"


def test_values_as_people_write_them() -> None:
    policy = parsed(
        """\
timezone: Asia/Tokyo
detect: {steal: 8%, host_over: none}
roles: {metadata_key: none, name_pattern: null, server_group: no}
exclude: {servers: [web-*, "9b*"], roles: [db]}
budgets:
  link: 8 Gbit/s
  total_bandwidth: ~
  quiet: [23:30-00:30, {from: 1:00, to: 2:00, zones: [az1, az2]}]
  peaks: ["11:45-12:45", {from: "21:45", to: 24:00, moves: 2, bandwidth: 50 %}]
"""
    )
    assert policy.timezone == ZoneInfo("Asia/Tokyo")
    assert (policy.detect.steal, policy.detect.host_over) == (0.08, None)
    assert (policy.roles.metadata_key, policy.roles.name_pattern, policy.roles.server_group) == ("", None, False)
    assert policy.exclude.servers == ("web-*", "9b*")
    assert policy.budgets.link_mib_s == 10**9 / 2**20
    assert policy.budgets.total_mib_s is None
    assert policy.budgets.quiet == (
        Window(time(23, 30), time(0, 30)),
        Window(time(1), time(2), frozenset({"az1", "az2"})),
    )
    assert policy.budgets.peaks == (
        Peak(Window(time(11, 45), time(12, 45))),
        Peak(Window(time(21, 45), time(0)), 2, 0.5),
    )


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_times_without_quotes_are_not_sexagesimal(quote: str) -> None:
    text = f"budgets:\n  peaks:\n    - from: {quote}11:45{quote}\n      to: {quote}12:45{quote}\n"
    assert parsed(text).budgets.peaks == (Peak(Window(time(11, 45), time(12, 45))),)


def test_utc_is_the_default_zone_by_either_name() -> None:
    assert parsed("timezone: UTC").timezone is UTC
    assert parsed("timezone: Etc/UTC").timezone is UTC


def test_same_meaning_same_digest() -> None:
    first = parsed(
        "detect: {steal: 7.1 %, smoothing: 1 h}\nexclude: {roles: [a, b]}\nbudgets: {quiet: [1:00-2:00, 3:00-4:00]}"
    )
    second = parsed(
        """\
name: another   # and a comment
budgets:
  quiet:
    - {from: "03:00", to: "04:00"}
    - 01:00 - 02:00
exclude:
  roles: [b, a]
detect:
  smoothing: 60 min
  steal: 0.071
"""
    )
    assert first.digest == second.digest == policy_digest(second)
    assert parsed("").digest == load_policy("default").digest == policy_digest(Policy())


@pytest.mark.parametrize(
    "text",
    [
        "timezone: Asia/Tokyo", "rule: published", "detect: {steal: 5.1 %}", "budgets: {quiet: [1:00-2:00]}",
        "budgets: {quiet: [{from: 1:00, to: 2:00, zones: [a]}]}", "exclude: {roles: [a]}", "exclude: {projects: [a]}",
    ],
)  # fmt: skip
def test_other_meaning_other_digest(text: str) -> None:
    others = {parsed(other).digest for other in ("", "budgets: {quiet: [1:00-2:01]}", "exclude: {servers: [a]}")}
    assert parsed(text).digest not in others


def test_the_schema_file_is_up_to_date() -> None:
    text = (REFERENCE / "policy.schema.json").read_text(encoding="utf-8")
    command = "python -m watari.policy.schema > docs/reference/policy.schema.json"
    assert json.loads(text) == policy_json_schema(), f"run: {command}"


def test_the_reference_names_every_key_with_its_default() -> None:
    page = (REFERENCE / "policy.md").read_text(encoding="utf-8")
    default = Policy()
    parts = {"": page[page.index("## Top of the file") : page.index("## `detect`")]}
    for section in SECTIONS:
        parts[section] = page[page.index(f"## `{section}`") :].split("\n## ")[0]
    for name, key in TOP.items():
        assert _row(name, key.kind.unit, shown(default, (name,)), key.why) in parts[""]
    for section, (_, table) in SECTIONS.items():
        for name, key in table.items():
            assert _row(name, key.kind.unit, shown(default, (section, name)), key.why) in parts[section]


def test_the_reference_shows_real_errors_and_a_real_example() -> None:
    page = (REFERENCE / "policy.md").read_text(encoding="utf-8")
    example, broken, *_ = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    output = re.findall(r"```text\n(.*?)```", page, re.DOTALL)[0]
    assert parse_policy(example, "tokyo.yaml").name == "tokyo"
    with pytest.raises(BadInput) as caught:
        parse_policy(broken, "broken.yaml")
    assert f"watari: {caught.value}\n" == output


def _row(*cells: str) -> str:
    name, unit, default, why = cells
    return f"| `{name}` | {unit} | `{default}` | {why} |"
