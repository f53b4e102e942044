"""What goes wrong between a meter and a Prometheus, and what odd answers do: a stub server says it all."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from watari.drivers.prometheus import PrometheusMeter, Report, read_settings
from watari.errors import BadInput, Permanent, Transient
from watari.model.compute import Load, ServerId

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
AT_S = NOW.timestamp()
VM = ServerId("0b1c")


class PatientClock:
    """Sleeps at once, and says for how long it would have."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> datetime:
        return NOW

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    form: dict[str, str]


Reply = tuple[int, dict[str, str], bytes]


@dataclass
class Stub:
    """Answers every query with what `reply` makes of it, and keeps what it was asked."""

    url: str
    reply: Callable[[Asked], Reply] = lambda asked: vector()
    asked: list[Asked] = field(default_factory=list)
    cut: int = 0  # bytes that are promised and do not come

    def says(self, status: int, body: bytes | dict[str, object], **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.reply = lambda asked: (status, named, content)


def vector(
    *series: tuple[Mapping[str, str], str], at_s: float = AT_S, side: str = "host", warnings: tuple[str, ...] = ()
) -> Reply:
    result = [{"metric": dict(labels) | {"watari_side": side}, "value": [at_s, value]} for labels, value in series]
    document = {"status": "success", "data": {"resultType": "vector", "result": result}, "warnings": list(warnings)}
    return 200, {"content-type": "application/json"}, json.dumps(document).encode()


def is_of(asked: Asked) -> str:
    """Which quantity of the preset `watari` a query is of."""
    query = asked.form["query"]
    for quantity, sign in (
        ("last", "max_over_time"), ("seen", "timestamp("), ("waited", "delay"), ("vcpus", "virtual_cpus"),
        ("used", "cpu_time"),
    ):  # fmt: skip
        if sign in query:
            return quantity
    return "load"


def values(**by_quantity: str) -> Callable[[Asked], Reply]:
    """A Prometheus that knows one server by these values; a newest sample 5 s ago unless said."""
    known = {"seen": str(AT_S - 5), "used": "1.5", "waited": "0.5", "vcpus": "2"} | by_quantity
    return lambda asked: vector(({"uuid": VM}, known[is_of(asked)])) if is_of(asked) in known else vector()


@pytest.fixture(name="stub")
def a_stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(self.path, headers, {name: texts[0] for name, texts in form.items()})
            stub.asked.append(asked)
            status, answer_headers, body = stub.reply(asked)
            self.send_response(status)
            for name, value in answer_headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body) + stub.cut))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub = Stub(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield stub
    server.shutdown()
    server.server_close()
    thread.join()


def measure(stub: Stub, clock: PatientClock | None = None, **settings: object) -> tuple[dict[ServerId, Load], Report]:
    meter = PrometheusMeter(read_settings({"url": stub.url, **settings}), clock or PatientClock())
    loads = meter.loads([VM])
    assert meter.last_report is not None
    return dict(loads), meter.last_report


def test_a_load(stub: Stub) -> None:
    stub.reply = values()
    loads, report = measure(stub)
    load = loads[VM]
    assert (load.steal, load.load_per_vcpu, load.cpu_demand) == (0.25, 1.0, 2.0)
    assert (NOW - load.at).total_seconds() == 5
    assert report.findings()[0].code == "meter-estimated-load"


def test_all_queries_of_a_cycle_are_of_one_moment(stub: Stub) -> None:
    stub.reply = values()
    measure(stub)
    assert [is_of(asked) for asked in stub.asked] == ["seen", "used", "waited", "vcpus", "load"]
    assert "time" not in stub.asked[0].form
    assert {asked.form["time"] for asked in stub.asked[1:]} == {f"{AT_S:.3f}"}


def test_when_nobody_is_known_only_since_when_is_asked(stub: Stub) -> None:
    loads, report = measure(stub)
    assert [is_of(asked) for asked in stub.asked] == ["seen", "last"]
    assert (loads, report.missing) == ({}, {VM: "unseen"})


def test_a_path_before_the_api_and_headers_are_kept(stub: Stub) -> None:
    stub.reply = values()
    settings = {"url": f"{stub.url}/prometheus/", "headers": {"X-Scope-OrgID": "tokyo"}}
    PrometheusMeter(read_settings(settings), PatientClock()).loads([VM])
    assert {asked.path for asked in stub.asked} == {"/prometheus/api/v1/query"}
    assert {asked.headers["x-scope-orgid"] for asked in stub.asked} == {"tokyo"}


def test_sign_in_by_a_token_of_a_file_that_changes(stub: Stub, tmp_path: Path) -> None:
    stub.reply = values()
    token = tmp_path / "token"
    token.write_text("first\n")
    meter = PrometheusMeter(read_settings({"url": stub.url, "bearer_token_file": str(token)}), PatientClock())
    meter.loads([VM])
    assert {asked.headers["authorization"] for asked in stub.asked} == {"Bearer first"}
    token.write_text("second\n")
    meter.loads([VM])
    assert stub.asked[-1].headers["authorization"] == "Bearer second"
    token.unlink()
    with pytest.raises(Permanent, match="token cannot be read"):
        meter.loads([VM])


def test_sign_in_by_password_and_never_by_netrc(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stub.reply = values()
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    measure(stub, basic_auth={"username": "ops", "password": "péage"})
    assert stub.asked[0].headers["authorization"] == "Basic b3BzOnDDqWFnZQ=="
    measure(stub)
    assert "authorization" not in stub.asked[-1].headers


@pytest.mark.parametrize(
    ("status", "said", "error", "words"),
    [
        (401, "", Permanent, "answers 401; check bearer_token"),
        (403, "no org id", Permanent, r"answers 403: no org id; check .*X-Scope-OrgID"),
        (404, "", Permanent, "answers 404; `url` is the address before /api/v1"),
        (400, "parse error: unexpected end", BadInput, r"rejects the query host\.seen: parse error: unexpected end"),
        (422, "would load too many samples", BadInput, r"host\.seen: would load too many samples"),
        (503, "query timed out", Transient, "answers 503: query timed out"),
        (429, "", Transient, "answers 429"),
    ],
)
def test_refusals_in_words(stub: Stub, status: int, said: str, error: type[Exception], words: str) -> None:
    stub.says(status, {"status": "error", "errorType": "x", "error": said} if said else b"no JSON")
    with pytest.raises(error, match=words):
        measure(stub)


def test_what_is_busy_is_asked_again_and_what_is_wrong_is_not(stub: Stub) -> None:
    clock = PatientClock()
    stub.says(503, b"")
    with pytest.raises(Transient):
        measure(stub, clock)
    assert (len(stub.asked), len(clock.slept)) == (3, 2)
    stub.says(403, b"")
    with pytest.raises(Permanent):
        measure(stub, clock)
    assert len(stub.asked) == 4


def test_one_busy_moment_does_no_harm(stub: Stub) -> None:
    good = values()
    stub.reply = lambda asked: (503, {}, b"") if len(stub.asked) == 2 else good(asked)
    loads, _ = measure(stub)
    assert VM in loads


def test_nobody_listens() -> None:
    meter = PrometheusMeter(read_settings({"url": "http://127.0.0.1:1/x"}), PatientClock())
    with pytest.raises(Transient, match=r"no answer from http://127\.0\.0\.1:1/x/api/v1/query: .*refused"):
        meter.loads([VM])
    assert meter.last_report is None


def test_an_answer_that_breaks_off_is_no_answer(stub: Stub) -> None:
    stub.reply = values()
    stub.cut = 10
    with pytest.raises(Transient, match="no answer from"):
        measure(stub)


def test_a_redirect_is_not_followed(stub: Stub) -> None:
    stub.says(302, b"", location="https://login.example.org/")
    with pytest.raises(Permanent, match=r"redirects to https://login\.example\.org/"):
        measure(stub, bearer_token="secret")
    assert len(stub.asked) == 1


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b"", b"[]", b'"x"', b'{"status": "success"}'])
def test_an_answer_that_is_not_prometheus(stub: Stub, body: bytes) -> None:
    stub.says(200, body, content_type="text/html; charset=utf-8")
    with pytest.raises(Permanent, match=r"not Prometheus' JSON|not as Prometheus' are"):
        measure(stub)


@pytest.mark.parametrize(
    "series",
    [{}, {"metric": {"watari_side": "host", "uuid": VM}}, {"metric": {"watari_side": "cat"}, "value": [1, "1"]},
     {"metric": {"watari_side": "host", "uuid": VM}, "value": [1, "one"]},
     {"metric": {"watari_side": "host", "uuid": VM}, "value": 5}],
)  # fmt: skip
def test_series_that_are_malformed(stub: Stub, series: dict[str, object]) -> None:
    stub.says(200, {"status": "success", "data": {"resultType": "vector", "result": [series]}})
    with pytest.raises(Permanent, match="not as Prometheus' are"):
        measure(stub)


def test_an_answer_that_is_too_large(stub: Stub) -> None:
    stub.says(200, b" " * (2 * 2**20))
    with pytest.raises(Permanent, match="more than 1 MiB; narrow the queries with `match`"):
        measure(stub, answer_limit_mib=1)


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-Inf", "-0.1"])
@pytest.mark.parametrize("quantity", ["used", "vcpus"])
def test_values_that_are_none_are_absent(stub: Stub, quantity: str, value: str) -> None:
    stub.reply = values(**{quantity: value})
    loads, report = measure(stub)
    assert (loads, report.missing, report.odd) == ({}, {VM: "no_cpu"}, 1)


@pytest.mark.parametrize(("waited", "steal"), [("0", 0.0), ("2.1", 1.0), ("NaN", None), ("5e8", None)])
def test_steal_is_a_share_or_absent(stub: Stub, waited: str, steal: float | None) -> None:
    stub.reply = values(waited=waited)
    loads, report = measure(stub)
    assert (loads[VM].steal if VM in loads else None) == steal
    assert report.missing == ({VM: "no_steal"} if steal is None else {})


def test_no_vcpus_is_no_reason_to_divide_by_zero(stub: Stub) -> None:
    stub.reply = values(vcpus="0")
    assert measure(stub)[1].missing == {VM: "no_cpu"}


def test_a_sample_from_the_future_is_of_now(stub: Stub) -> None:
    stub.reply = values(seen=str(AT_S + 9))
    assert measure(stub)[0][VM].at == NOW


def test_clocks_that_differ_are_said_and_do_not_age_anything(stub: Stub) -> None:
    ahead = AT_S + 3600

    def reply(asked: Asked) -> Reply:
        known = {"seen": str(ahead - 5), "used": "1", "waited": "0", "vcpus": "1"}
        return vector(({"uuid": VM}, known[is_of(asked)]), at_s=ahead) if is_of(asked) in known else vector()

    stub.reply = reply
    loads, report = measure(stub)
    assert (NOW - loads[VM].at).total_seconds() == 5
    assert any(f.code == "meter-skew" and "+3600 s" in f.text for f in report.findings())


def test_of_several_series_of_a_server_the_greatest_counts(stub: Stub) -> None:
    good = values()
    two = vector(({"uuid": VM, "x": "1"}, "1"), ({"uuid": VM, "x": "2"}, "0.2"))
    stub.reply = lambda asked: two if is_of(asked) == "waited" else good(asked)
    assert measure(stub)[0][VM].steal == 0.5


def test_warnings_are_passed_on(stub: Stub, caplog: pytest.LogCaptureFixture) -> None:
    good = values()
    partial = vector(({"uuid": VM}, "1"), warnings=("store-2 did not answer",))
    stub.reply = lambda asked: partial if is_of(asked) in ("used", "waited") else good(asked)
    _, report = measure(stub)
    assert report.warnings == ("store-2 did not answer",)
    assert caplog.text.count("store-2 did not answer") == 1


def test_a_query_that_is_off_is_not_asked(stub: Stub) -> None:
    stub.reply = values()
    measure(stub, queries={"guest": {"load": None}})
    assert [is_of(asked) for asked in stub.asked] == ["seen", "used", "waited", "vcpus"]


def test_as_many_queries_for_many_servers_as_for_one(stub: Stub) -> None:
    many = [ServerId(f"vm-{n}") for n in range(5000)]

    def reply(asked: Asked) -> Reply:
        known = {"seen": str(AT_S - 5), "used": "1.5", "waited": "0.5", "vcpus": "2", "last": str(AT_S)}
        return vector(*(({"uuid": vm}, known[is_of(asked)]) for vm in many[1:])) if is_of(asked) in known else vector()

    stub.reply = reply
    loads = PrometheusMeter(read_settings({"url": stub.url}), PatientClock()).loads(many)
    assert len(loads) == 4999
    assert len(stub.asked) == 6
