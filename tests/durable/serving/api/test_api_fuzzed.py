"""Any request that the API's own description allows, or forbids, is answered as described: no 500, no surprise."""

from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from durable.serving.api.conftest import Open
from durable.serving.api.test_api import begun
from durable.serving.metered_cloud import NAME

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
STREAMS = {"/v1/events", "/v1/clouds/{cloud}/events"}
EXAMPLES = 15
RULING = {"X-Auth-Token": "ruling"}


def test_every_route_keeps_its_word(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office()
    run = begun(here)
    monkeypatch.setattr("watari.app.clouds.open_cloud", lambda name: here.desk.cloud)
    schema = schemathesis.openapi.from_url(f"{here.url}v1/openapi.json", headers=RULING)
    known = {"run": run, "plan": run.replace("r-", "p-"), "cloud": NAME, "server": "s0"}
    tried = 0
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        if operation.path not in STREAMS:
            ask(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), {})
            ask(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), known)
            ask(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), {})
            tried += 1
    assert tried >= 25


def ask(cases: SearchStrategy[Any], known: dict[str, str]) -> None:
    """Ask for a route in many ways; `known`: what stands in its path, if not anything."""

    @hypothesis.settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(hypothesis.HealthCheck),
    )  # fmt: skip
    @hypothesis.given(case=cases)
    def one(case: Any) -> None:
        if known:
            case.path_parameters = {name: known[name] for name in case.path_parameters or {}}
        case.call_and_validate(headers=RULING, checks=list(CHECKS))

    one()


def test_the_description_is_of_openapi_3_1_and_complete(office: Open) -> None:
    here = office()
    with here.client("") as client:
        described = client.get("/v1/openapi.json").json()
    assert described["openapi"].startswith("3.1")
    assert len(described["paths"]) >= 22
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} says nothing of itself"
            assert operation["security"], f"{method} {path} asks for no token"
            assert {"401", "403", "422", "429", "503"} <= operation["responses"].keys()
