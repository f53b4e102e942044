"""Who may do what, how much and how often; and what must never get in or out."""

import socket
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from durable.serving.api.conftest import Office, Open
from durable.serving.metered_cloud import NAME
from watari.act.durable.audit import audit_lines
from watari.errors import BadInput, Permanent
from watari.web.api.callers import Caller, local_token
from watari.web.api.rules import Rules

READS = ("/v1/me", "/v1/clouds", "/v1/plans", "/v1/runs", "/v1/stops", "/v1/policies")
CHANGES: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("POST", "/v1/plans/p-1/approve", {}),
    ("POST", "/v1/plans", {"job": "balance", "cloud": NAME}),
    ("POST", "/v1/runs/r-1/cancel", {}),
    ("PUT", "/v1/stops", {"why": "x"}),
)


@pytest.mark.parametrize("token", ["", "expired", "x" * 8000, "ä"])
def test_without_a_token_of_ours_nothing_is_told(office: Open, token: str) -> None:
    here = office()
    with here.client(token) as client:
        for path in (*READS, "/v1/audit", f"/v1/clouds/{NAME}/state", "/v1/events"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
            assert "Bearer" in answer.headers["www-authenticate"]
        for method, path, body in CHANGES:
            assert client.request(method, path, json=body).status_code == 401


@pytest.mark.parametrize(
    ("token", "may"),
    [
        ("reading", ["read"]),
        ("deciding", ["read", "decide", "stop"]),
        ("operating", ["read", "decide", "stop"]),
        ("ruling", ["read", "decide", "stop", "admin"]),
    ],
)
def test_roles_say_who_may_do_what(office: Open, token: str, may: list[str]) -> None:
    here = office()
    with here.client(token) as client:
        assert client.get("/v1/me").json()["may"] == may
        decides = client.post("/v1/plans/p-1/approve", json={}).status_code
        assert decides == (404 if "decide" in may else 403)
        assert client.get("/v1/audit").status_code == (200 if "admin" in may else 403)
        assert client.delete(f"/v1/clouds/{NAME}").status_code in ((404, 409) if "admin" in may else (403,))


def test_a_member_of_some_tenant_sees_nothing(office: Open) -> None:
    here = office()
    with here.client("tenant") as client:
        for path in READS:
            assert client.get(path).status_code == 403
        for method, path, body in CHANGES:
            assert client.request(method, path, json=body).status_code == 403
    assert audit_lines(here.desk.store) == []


def test_a_token_without_a_project_is_no_operator(tmp_path: Path) -> None:
    rules = Rules()
    assert not rules.may(Caller("x", "x", ("member", "reader")), "read")


def test_rules_can_be_overridden_and_wrong_ones_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text('"watari:stop": "role:night-shift"\n')
    rules = Rules(str(file))
    night = Caller("n", "n", ("night-shift",))
    assert (rules.may(night, "stop"), rules.may(night, "read")) == (True, False)
    file.write_text('"watari:fly": "role:bird"\n')
    with pytest.raises(BadInput, match="watari:fly is no rule of Watari"):
        Rules(str(file))
    with pytest.raises(BadInput, match="no such file"):
        Rules(str(tmp_path / "nowhere.yaml"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no rules"),
        ("[", "cannot be read"),
        ('"watari:admin": "role:"', None),
        ('"watari:admin": "role:admin and"', "is no check"),
        ('"watari:admin": "(role:admin"', "is no check"),
        ('"watari:admin": "rule:watari:nothing"', "there is no rule watari:nothing"),
        ('"watari:admin": 5', "a rule is a text"),
    ],
)
def test_a_rule_that_is_half_understood_lets_nobody_in(tmp_path: Path, text: str, words: str | None) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(text)
    if words is None:
        assert not Rules(str(file)).may(Caller("x", "x", ("admin",)), "admin")
        return
    with pytest.raises(BadInput, match=words):
        Rules(str(file))


def test_rules_stay_as_they_were_read_whatever_becomes_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("watari.web.api.rules.JUDGED_S", 0.0)
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".watari" / "policy.d"
    folder.mkdir(parents=True)
    (folder / "more.yaml").write_text('"watari:admin": "role:member"\n')
    file = tmp_path / "rules.yaml"
    file.write_text('"watari:decide": "role:chief"\n')
    rules, admin, member = Rules(str(file)), Caller("a", "a", ("admin",)), Caller("m", "m", ("member",), project="p")
    for change in ("", "[", None):
        assert not rules.may(admin, "decide")
        assert not rules.may(member, "admin")
        file.write_text(change) if change is not None else file.unlink()
    assert not rules.may(admin, "decide")


def test_the_token_of_a_machine_is_made_once_and_kept_from_others(state: Path) -> None:
    first = local_token(state)
    assert local_token(state).secret == first.secret
    assert len(first.secret) >= 40
    assert (state / "api-token").stat().st_mode & 0o777 == 0o600
    (state / "api-token").chmod(0o644)
    with pytest.raises(Permanent, match="chmod 600"):
        local_token(state)


def test_who_asks_too_often_is_told_when_to_come_back(office: Open) -> None:
    here = office(rate="3/minute")
    with here.client("reading") as client:
        codes = [client.get("/v1/me").status_code for _ in range(4)]
        last = client.get("/v1/me")
    assert codes == [200, 200, 200, 429]
    assert 1 <= int(last.headers["retry-after"]) <= 60
    with here.client("deciding") as other:
        assert other.get("/v1/me").status_code == 200, "another caller has a limit of his own"


def test_guessing_tokens_is_slowed_down_and_locks_nobody_out(office: Open) -> None:
    here = office()
    with here.client("wrong") as client:
        codes = {client.get("/v1/me").status_code for _ in range(65)}
    assert codes == {401, 429}
    with here.client("") as client:
        assert {client.get("/v1/me").status_code for _ in range(65)} == {401}, "who sends no token guesses nothing"
    with here.client("deciding") as client:
        assert client.put("/v1/stops", json={"why": "now"}).status_code == 200


def test_a_head_that_never_ends_is_cut_off(office: Open) -> None:
    here = office()
    where = urlsplit(here.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as connection:
        connection.sendall(b"GET /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        sent, line = 0, b"X-More: " + b"x" * 8000 + b"\r\n"
        try:
            while sent < 10_000_000:
                connection.sendall(line)
                sent += len(line)
        except OSError:
            return
        assert connection.recv(64).startswith((b"HTTP/1.1 400", b"HTTP/1.1 431"))


def test_a_connection_without_a_request_is_closed(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watari.web.serving.REQUEST_S", 0.2)
    here = office()
    where = urlsplit(here.url)
    with here.client() as client, socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as idle:
        idle.sendall(b"GET /v1/me HT")
        assert idle.recv(64) == b"", "closed by the other side"
        assert client.get("/v1/me").status_code == 200


def test_connections_beyond_the_limit_are_closed_at_once(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watari.web.serving.most_connections", lambda: 5)
    here = office()
    where = urlsplit(here.url)
    with ExitStack() as stack:
        held = [
            stack.enter_context(socket.create_connection((where.hostname or "", where.port or 0), timeout=20))
            for _ in range(8)
        ]
        for one in held:
            one.settimeout(0.5)
        closed = 0
        for one in held:
            try:
                closed += one.recv(1) == b""
            except ConnectionResetError:
                closed += 1
            except TimeoutError:
                pass
        assert closed == 3


def test_it_says_that_it_lives_while_the_database_hangs(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here, let_go = office(), threading.Event()

    def hanging(*_: object) -> list[object]:
        let_go.wait(30)
        return []

    monkeypatch.setattr("watari.web.api.store_desk.list_runs", hanging)
    threads = [threading.Thread(target=ask, args=(here, f"/v1/runs?limit={n}")) for n in range(1, 60)]
    for thread in threads:
        thread.start()
    try:
        assert httpx.get(f"{here.url}healthz", trust_env=False, timeout=5).status_code == 200
        with here.client() as client:
            assert client.put("/v1/stops", json={"why": "now"}).status_code == 200, "the stop switch waits for no read"
    finally:
        let_go.set()
        for thread in threads:
            thread.join()


def ask(office: Office, path: str) -> None:
    with office.client() as client:
        client.get(path)


def raw(office: Office, text: bytes, more: int = 0) -> bytes:
    """Send bytes as they are, then up to `more` bytes of body; what came back until the other side closed."""
    where = urlsplit(office.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as connection:
        connection.sendall(text)
        sent, block = 0, b"x" * 65536
        try:
            while sent < more:
                connection.sendall(block)
                sent += len(block)
        except OSError:  # it is not taken any more
            pass
        got = b""
        try:
            while part := connection.recv(65536):
                got += part
        except OSError:
            pass
    assert sent < 50_000_000 or not more, "the whole body was taken"
    return got


HEAD = "POST /v1/policies/validate HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: deciding\r\n"


def test_a_body_of_100_mb_is_refused_before_it_is_read(office: Open) -> None:
    here = office()
    got = raw(here, f"{HEAD}Content-Length: 104857600\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 413")
    assert b"larger than 1048576 bytes" in got


def test_a_body_that_does_not_say_how_long_it_is_is_cut_off(office: Open) -> None:
    here = office()
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    where = urlsplit(here.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=20) as connection:
        connection.sendall(f"{HEAD}Transfer-Encoding: chunked\r\n\r\n".encode())
        try:
            for _ in range(1600):  # 100 MB
                connection.sendall(chunk)
        except OSError:
            return  # closed before all of it was taken
        assert connection.recv(64).startswith(b"HTTP/1.1 413")


def test_a_body_that_never_comes_is_not_waited_for(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("watari.web.api.guards.SmallBodies.__init__.__defaults__", (1024, 0.2))
    here = office()
    got = raw(here, f"{HEAD}Content-Length: 100\r\n\r\n".encode())
    assert got.startswith(b"HTTP/1.1 408")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2f..%2fapi/callers.py",
        "/static/%2e%2e/server.py",
        "/static//etc/passwd",
        "/static/..\\..\\server.py",
        "/v1/plans/..%2f..%2fetc",
        "/v1/clouds/%2e%2e%2fetc/state",
    ],
)
def test_no_path_leads_out(office: Open, path: str) -> None:
    here = office()
    got = raw(
        here, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Auth-Token: ruling\r\nConnection: close\r\n\r\n".encode()
    )
    assert got.split(b" ")[1] in (b"404", b"422", b"405", b"400"), got[:200]
    assert b"root:" not in got
    assert b"import" not in got


def test_another_site_can_change_nothing(office: Open) -> None:
    here = office()
    with here.client() as client:
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert client.put("/v1/stops", json={"why": "x"}, headers=headers).status_code == 403
        own = {"Origin": here.url.rstrip("/"), "Sec-Fetch-Site": "same-origin"}
        assert client.put("/v1/stops", json={"why": "x"}, headers=own).status_code == 200
        assert client.get("/v1/me", headers={"Host": "evil.example"}).status_code == 421
        text = client.get("/v1/me", headers={"Origin": "https://evil.example"}).headers
        assert "access-control-allow-origin" not in text
        assert "default-src 'self'" in text["content-security-policy"]


def test_no_secret_is_told_back(office: Open) -> None:
    here = office()
    with here.client("hunter2-secret") as client:
        assert "hunter2" not in client.get("/v1/me").text
    with here.client() as client:
        answer = client.post("/v1/plans/p-1/reject", json={"why": 5, "password": "hunter2"})
        assert (answer.status_code, "hunter2" in answer.text) == (422, False)


def test_a_bug_is_told_without_its_inside(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office()

    def broken(*_: object) -> None:
        raise RuntimeError("postgresql://watari:hunter2@db")

    monkeypatch.setattr("watari.web.api.store_desk.all_stops", broken)
    with here.client() as client:
        answer = client.get("/v1/stops")
    assert (answer.status_code, "hunter2" in answer.text, "bug" in answer.text) == (500, False, True)


def test_probes_need_no_token_and_tell_when_the_database_is_away(office: Open) -> None:
    here = office()
    assert httpx.get(f"{here.url}healthz", trust_env=False).status_code == 200
    assert httpx.get(f"{here.url}readyz", trust_env=False).status_code == 200
    with here.desk.store.writing() as c:
        c.exec_driver_sql("alter table watari_stops rename to watari_stops_away")
    assert httpx.get(f"{here.url}readyz", trust_env=False).status_code == 503
    assert httpx.get(f"{here.url}healthz", trust_env=False).status_code == 200


def test_reads_are_made_once_for_all_who_ask_at_the_same_time(office: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office()
    here.look()
    here.api.fresh.fresh_s = 3600.0
    made = 0
    clouds = type(here.api.desk).clouds

    def counted(desk: object) -> object:
        nonlocal made
        made += 1
        time.sleep(0.1)
        return clouds(desk)  # type: ignore[arg-type]

    monkeypatch.setattr(type(here.api.desk), "clouds", counted)
    with here.client() as client:
        for _ in range(5):
            client.get("/v1/clouds")
        assert made == 1
        client.put(f"/v1/stops/{NAME}", json={"why": "now"})
        assert client.get("/v1/clouds").json()["items"][0]["stop"]["why"] == "now", "who changed something sees it"
    assert made == 2
