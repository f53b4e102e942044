"""What a controller says, for programs that collect it."""

import io
import json
import logging
import re

from structlog.contextvars import bound_contextvars

from durable.serving.site import Build
from watari.act.durable.records import list_runs
from watari.app.logs import saying


def lines(text: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in text.splitlines()]


def test_every_change_is_a_line_with_its_run_and_operation(on_sqlite: Build) -> None:
    site = on_sqlite()
    controller = site.serve("json")
    site.until(lambda: site.is_calm() and not list_runs(site.store, only_open=True))
    assert controller.end() == 0
    said = lines(controller.out())
    runs = {row.id for row in list_runs(site.store)}
    moves = [line for line in said if line.get("operation") and "live-migrate" in line["text"]]
    assert {line["run"] for line in moves} == runs
    for state in ("intended", "running", "done"):
        assert sum(f": {state}" in line["text"] for line in moves) >= 9, f"nine servers were moved, {state} too"
    assert any(line.get("cloud") == "filed" and "starved" in line["text"] for line in said)
    assert all({"at", "level", "logger", "text"} <= line.keys() for line in said)


def test_what_libraries_warn_of_is_in_it_and_a_traceback_is_one_line() -> None:
    out = io.StringIO()
    with saying(out, "json") as say, bound_contextvars(run="r-1"):
        say("it begins: 100 %s")
        logging.getLogger("some.library").warning("%s is odd", "this")
        try:
            raise ValueError("of the test")
        except ValueError:
            logging.getLogger("watari.x").exception("broken")
    first, second, third = lines(out.getvalue())
    assert (first["text"], first["level"], first["run"]) == ("it begins: 100 %s", "info", "r-1")
    assert (second["text"], second["level"], second["logger"]) == ("this is odd", "warning", "some.library")
    assert "ValueError: of the test" in third["exception"]


def test_for_people_it_is_a_line_with_the_time_and_logging_is_as_before() -> None:
    before, out = logging.getLogger().handlers[:], io.StringIO()
    with saying(out, "json"):
        assert logging.getLogger().handlers != before
    assert logging.getLogger().handlers == before
    with saying(out, "text") as say:
        say("hello")
    assert re.fullmatch(r"\d\d:\d\d:\d\d hello\n", out.getvalue())
