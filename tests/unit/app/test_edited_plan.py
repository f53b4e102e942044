"""A plan is kept under its id: another one under the same id is not carried out as if it were that one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from watari.act.durable.records import submit
from watari.act.durable.store import Store
from watari.errors import BadInput
from watari.model.compute import HostName, ServerId
from watari.plan.plan import Cost, Operation, OperationId, Plan
from watari.plan.steps import LiveMigrate

NOW = datetime(2024, 5, 1, 12, tzinfo=UTC)


def test_a_plan_file_that_was_edited_is_refused(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "runs.db"))
    step = LiveMigrate(ServerId("a"), HostName("h1"), HostName("h2"))
    op = Operation(OperationId("1"), "a", "a", "az1", "", 1, (step,), Cost(1024))
    plan = Plan("p-12345678", "balance", "c", NOW, NOW + timedelta(hours=1), "", "", (op,))
    first = submit(store, plan, "c", ("", "p.yaml"), NOW)
    assert submit(store, plan, "c", ("", "p.yaml"), NOW) == (first[0], False)
    edited = replace(plan, operations=(replace(op, steps=(replace(step, target=HostName("h3")),)),))
    with pytest.raises(BadInput, match="a file was edited"):
        submit(store, edited, "c", ("", "p.yaml"), NOW)
    store.close()
