"""The plan as people read it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from textwrap import dedent

import pytest
from hypothesis import given, settings

from strategies import plans
from watari.model.compute import HostName, ServerId
from watari.model.reasons import Candidate, Finding, Reason, Refusal
from watari.plan.plan import Cost, Forecast, Operation, OperationId, Plan
from watari.plan.render import explain, render, render_operation, render_table
from watari.plan.steps import ColdMigrate, DisableHost, EnableHost, LiveMigrate


def operation(number: int, name: str, source: str, target: str, wave: int = 1) -> Operation:
    return Operation(
        id=OperationId(str(number)), subject=f"id-{name}", name=name, zone="az1", role="web", wave=wave,
        steps=(LiveMigrate(ServerId(f"id-{name}"), HostName(source), HostName(target)),), cost=Cost(32768, 0, 90, 0.2),
    )  # fmt: skip


FIRST = replace(
    operation(1, "web-0107", "az1-h07", "az1-h22"),
    reasons=(
        Reason("steal", "steal", "16 %", "5 %"),
        Reason("load", "load per vCPU", "1.23", "1.00"),
        Reason("choice", "fewest moves that relieve az1-h07"),
    ),
    candidates=(
        Candidate("az1-h22", 0.86, 0.0, 1, 90112, 0.61, "lowest score"),
        Candidate("az1-h19", 1.11, 0.0, 2, 90112, 0.62, "2 web there, 1 on az1-h22"),
        Candidate("az1-h03", None, None, 0, 6144, 0.4, "6,144 MiB free, needs 32,768 MiB"),
    ),
    steal_before=0.16,
    steal_after=0.006,
    relieves=("web-0011", "db-3"),
)
SECOND = replace(
    operation(2, "db-1", "az1-h08", "az1-h22", wave=2),
    cost=Cost(16384, 40960, 300, 2.4),
    destructive=True,
    waits_for=(OperationId("1"),),
    waits_why="moves into az1-h22: 1 of 1 at once in wave 1",
    relieves=("web-0012",),
)
MADE = datetime(2024, 5, 1, 12, tzinfo=UTC)
PLAN = Plan(
    id="p-1a2b3c4d", job="balance", cloud="sim", made_at=MADE, expires_at=MADE + timedelta(minutes=30),
    snapshot_digest="", policy_digest="", operations=(FIRST, SECOND),
    refusals=(
        Refusal("web-0011", "relieved", "moving web-0107 off az1-h07 brings its steal from 9 % to 0.0 %"),
        Refusal("web-0012", "relieved", "moving db-1 off az1-h08 brings its steal from 9 % to 0.0 %"),
        Refusal("db-3", "relieved", "moving web-0107 off az1-h07 brings its steal from 8 % to 0.0 %"),
        Refusal("web-0294", "cool-down", "moved 22 min ago; the cool-down is 1 h",
                "Wait until 14:40, or lower calm.cool_down.",
                (Candidate("az1-h22", 1.5, 0.0, 1, 1, 0.5, "best"),
                 Candidate("az1-h01", None, None, 0, 1, 0.5, "is down"))),
    ),
    findings=(Finding("az3-h09", "no-data", "no steal data for 6 min (limit 5 min)", "warning", "Check its exporter."),
              Finding("az2", "zone-full", "its servers ask for 90.0 cores, its hosts have 48.0", "error")),
    forecast=Forecast(17, 0, 21.4, 0.0, 5, 0),
)  # fmt: skip


def test_the_plan() -> None:
    assert render(PLAN) == dedent("""\
        plan balance p-1a2b3c4d on sim: 2 moves in 2 waves, 48 GiB memory, 40 GiB disk, about 6 min
          starved 17 -> 0, hosts over capacity 5 -> 0, steal 21.4 -> 0.0 cores
          wave 1
            1 live-migrate web-0107 az1-h07 -> az1-h22 (32 GiB, about 90 s)
                because steal 16 % (limit 5 %), load per vCPU 1.23 (limit 1.00), fewest moves that relieve az1-h07; relieves web-0011, db-3
                chosen az1-h22: projected steal 0.0 %, 1 web there, cpu 61 %, 88 GiB free, score 0.86
                lost az1-h19: 2 web there, 1 on az1-h22 (score 1.11)
                ruled out az1-h03: 6,144 MiB free, needs 32,768 MiB
          wave 2
            2 live-migrate db-1 az1-h08 -> az1-h22 (16 GiB + 40 GiB disk, about 5 min, pause 2 s, destructive)
                because relieves web-0012
                waits for operation 1: moves into az1-h22: 1 of 1 at once in wave 1
          stays 2 servers: relieved by operation 1
          stays web-0012: relieved by operation 2
          refused web-0294: moved 22 min ago; the cool-down is 1 h. Wait until 14:40, or lower calm.cool_down.
          finding az3-h09: no steal data for 6 min (limit 5 min). Check its exporter.
          finding az2: its servers ask for 90.0 cores, its hosts have 48.0 (error)
        """)  # noqa: E501  golden text


def test_verbose_names_every_server_that_stays_and_the_hosts_of_a_refusal() -> None:
    lines = [line.strip() for line in render(PLAN, verbose=True).splitlines()]
    assert lines[lines.index("stays web-0011: moving web-0107 off az1-h07 brings its steal from 9 % to 0.0 %") + 2] == (
        "stays db-3: moving web-0107 off az1-h07 brings its steal from 8 % to 0.0 %"
    )
    refused = next(i for i, line in enumerate(lines) if line.startswith("refused web-0294"))
    assert lines[refused + 1 : refused + 3] == ["lost az1-h22: best (score 1.50)", "ruled out az1-h01: is down"]


def test_long_lists_end_in_a_count_by_code() -> None:
    refusals = tuple(Refusal(f"s{i}", "hold" if i % 3 else "cool-down", "why") for i in range(33))
    findings = tuple(Finding(f"h{i}", "no-data", "why") for i in range(22))
    plan = replace(PLAN, operations=(), refusals=refusals, findings=findings)
    text = render(plan)
    assert text.count("  refused ") == 20
    assert "  and 13 more refused: 9 hold, 4 cool-down\n" in text
    assert "  and 2 more findings: 2 no-data\n" in text
    assert render(plan, verbose=True).count("  refused ") == 33


def test_an_empty_plan_says_why() -> None:
    calm = replace(PLAN, operations=(), refusals=(), findings=(), forecast=Forecast())
    assert render(calm) == "plan balance p-1a2b3c4d on sim: nothing to do, no server is starved\n"
    assert render(replace(calm, cloud="")).startswith("plan balance p-1a2b3c4d: nothing")
    stuck = replace(calm, refusals=PLAN.refusals, forecast=Forecast(3, 3, 1.0, 1.0))
    assert "nothing to do now, 3 starved servers cannot be helped\n  starved 3 -> 3," in render(stuck)
    assert "nothing to do now, 1 refused" in render(replace(calm, refusals=PLAN.refusals))


@pytest.mark.parametrize("code", ["blind", "empty-cloud"])
def test_who_saw_nothing_does_not_say_that_nobody_starves(code: str) -> None:
    found = (Finding("h7", "no-data", "is silent"), Finding("cloud", code, "there is nothing to see"))
    plan = replace(PLAN, operations=(), refusals=(), findings=found, forecast=Forecast())
    assert (
        render(plan).splitlines()[0] == "plan balance p-1a2b3c4d on sim: nothing was planned: there is nothing to see"
    )


@pytest.mark.parametrize(
    ("codes", "said"),
    [
        (["hold"], "1 starved server will be judged again when it lasts\n"),
        (["hold", "moving", "easing"], "3 starved servers will be judged again when it lasts\n"),
        (["hold", "pinned", "easing"], "1 of 3 starved servers cannot be helped, the others are judged again\n"),
        (["pinned"], "1 starved server cannot be helped\n"),
    ],
)
def test_who_only_has_to_wait_is_not_called_helpless(codes: list[str], said: str) -> None:
    refusals = tuple(Refusal(f"s{i}", code, "why") for i, code in enumerate(codes))
    plan = replace(PLAN, operations=(), refusals=refusals, forecast=Forecast(len(codes), len(codes), 1.0, 1.0))
    assert f": nothing to do now, {said}" in render(plan)


def test_an_operation_of_several_steps_lists_them() -> None:
    steps = (*FIRST.steps, LiveMigrate(ServerId("x"), HostName("a"), HostName("b")))
    assert render_operation(replace(FIRST, steps=steps))[1:3] == [
        "    step 1 live-migrate id-web-0107 az1-h07 -> az1-h22",
        "    step 2 live-migrate x a -> b",
    ]


def test_the_table() -> None:
    columns, rows = render_table(PLAN)
    assert columns == ("#", "server", "from", "to", "GiB", "seconds", "wave", "steal", "why", "action")
    assert rows[0][9] == "live-migrate"
    assert rows[0][:8] == ("1", "web-0107", "az1-h07", "az1-h22", 32.0, 90, 1, "16 % -> 0.6 %")
    assert str(rows[0][8]).startswith("steal 16 % (limit 5 %), load per vCPU 1.23")
    assert rows[1][4:8] == (56.0, 300, 2, "unknown -> unknown")


def drained(*operations: Operation, refusals: tuple[Refusal, ...] = ()) -> Plan:
    disable = DisableHost(HostName("h7"), "watari drain: broken DIMM (2024-05-01T12:00Z)")
    first = Operation(OperationId("1"), "h7", "h7", "az1", "", 1, (disable,), Cost())
    return replace(
        PLAN,
        job="drain",
        cloud="lab",
        operations=(first, *operations),
        refusals=refusals,
        findings=(),
        forecast=Forecast(),
    )


LIVE = replace(operation(2, "web-1", "h7", "h8", 2), waits_for=(OperationId("1"),))
COLD = replace(
    operation(3, "old-1", "h7", "h9", 3),
    steps=(ColdMigrate(ServerId("id-old-1"), HostName("h7"), HostName("h9")),),
    cost=Cost(0, 20480, 68, 68),
    waits_for=(OperationId("1"),),
    waits_why="link of h7: 1 of 1 at once in wave 2",
    vcpus=4,
)
ENABLE = replace(
    operation(4, "h7", "", "", 4),
    steps=(EnableHost(HostName("h7"), "watari drain: broken DIMM (2024-05-01T12:00Z)"),),
    cost=Cost(),
    waits_for=tuple(map(OperationId, ("1", "2", "3"))),
)


def test_a_drain() -> None:
    assert render(drained(LIVE, COLD, ENABLE)) == dedent("""\
        plan drain p-1a2b3c4d on lab: h7 would be empty: 2 moves (1 live, 1 cold) in 2 waves, 32 GiB memory, 20 GiB disk, about 3 min
          wave 1
            1 disable h7: watari drain: broken DIMM (2024-05-01T12:00Z)
          wave 2
            2 live-migrate web-1 h7 -> h8 (32 GiB, about 90 s)
          wave 3
            3 cold-migrate old-1 h7 -> h9 (4 vCPU, 20 GiB disk, about 68 s, down about 68 s)
                waits: link of h7: 1 of 1 at once in wave 2
          wave 4
            4 enable h7
                waits for operations 2, 3
        """)  # noqa: E501  golden text


@pytest.mark.parametrize(
    ("moves", "codes", "said"),
    [
        ((), (), "h7 is empty and would take no more servers"),
        ((), ("error",), "h7 would keep its only server: no moves"),
        ((), ("error", "pinned"), "h7 would keep all 2 servers: no moves"),
        ((LIVE,), ("moving",), "h7 would be empty: 1 move in 1 wave, 32 GiB memory, about 90 s"),
        ((LIVE,), ("arriving",), "h7 would keep 1 of 2 servers: 1 move in 1 wave, 32 GiB memory, about 90 s"),
    ],
)
def test_the_verdict_of_a_drain(moves: tuple[Operation, ...], codes: tuple[str, ...], said: str) -> None:
    made = drained(*moves, refusals=tuple(Refusal(f"s{i}", code, "why") for i, code in enumerate(codes)))
    assert render(made).splitlines()[0] == f"plan drain p-1a2b3c4d on lab: {said}"


@pytest.mark.parametrize("code", ["host-down", "storage"])
def test_a_host_that_is_not_drained_at_all(code: str) -> None:
    plan = replace(
        drained(), operations=(), findings=(Finding("h7", code, "is down: nothing moves live off it", "error"),)
    )
    said = "nothing was planned: h7 is down: nothing moves live off it"
    assert render(plan).splitlines()[0] == f"plan drain p-1a2b3c4d on lab: {said}"


def test_many_operations_that_one_waits_for() -> None:
    many = replace(ENABLE, waits_for=tuple(OperationId(str(n)) for n in range(2, 22)))
    assert render_operation(many)[1] == "    waits for 20 operations, 2 to 21"


def test_the_rows_of_a_drain() -> None:
    _, rows = render_table(drained(LIVE, COLD, ENABLE))
    reason = "watari drain: broken DIMM (2024-05-01T12:00Z)"
    assert rows[0] == ("1", "", "h7", "", 0.0, 0, 1, "", reason, "disable-host")
    assert [row[9] for row in rows] == ["disable-host", "live-migrate", "cold-migrate", "enable-host"]
    assert rows[3][:4] == ("4", "", "h7", "")
    assert explain(drained(LIVE), "h7") == [f"h7: operation 1 of plan p-1a2b3c4d, wave 1 of 2: disable h7: {reason}"]


def test_explain_a_moved_server_by_id_and_by_name() -> None:
    lines = explain(PLAN, "web-0107")
    assert lines == explain(PLAN, "id-web-0107")
    assert lines is not None
    assert lines[:2] == [
        "web-0107 (id-web-0107) is moved by operation 1 of plan p-1a2b3c4d, wave 1 of 2: "
        "live-migrate web-0107 az1-h07 -> az1-h22",
        "    costs 32 GiB, about 90 s; steal 16 % -> 0.6 %",
    ]
    assert lines[3].endswith("score 0.86; lowest score")


def test_explain_refused_relieved_and_unknown_servers() -> None:
    assert explain(PLAN, "web-0294") == [
        "web-0294 is not moved: moved 22 min ago; the cool-down is 1 h. Wait until 14:40, or lower calm.cool_down.",
        "    lost az1-h22: best (score 1.50)",
        "    ruled out az1-h01: is down",
    ]
    assert explain(PLAN, "db-3") == [
        "db-3 stays: moving web-0107 off az1-h07 brings its steal from 8 % to 0.0 %",
        "db-3 gets better by operation 1: live-migrate web-0107 az1-h07 -> az1-h22",
    ]
    assert explain(PLAN, "healthy") is None


def test_names_of_tenants_are_escaped() -> None:
    evil = replace(PLAN, operations=(replace(FIRST, name="web\x1b[2J\n1"),))
    assert "web\\x1b[2J\\n1" in render(evil)
    assert "\x1b" not in render(evil)


@settings(max_examples=50, deadline=None)
@given(plans())
def test_every_plan_renders_in_one_line_per_fact(plan: Plan) -> None:
    for verbose in (False, True):
        lines = render(plan, verbose=verbose).split("\n")
        assert lines.pop() == ""
        assert all(line.isprintable() for line in lines)
        assert sum(line.startswith("    ") and " live-migrate " in line for line in lines) >= len(plan.operations)
    assert len(render_table(plan)[1]) == len(plan.operations)
    for op in plan.operations:
        assert explain(plan, op.subject)
