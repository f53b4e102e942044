"""The page's server: what it answers, to whom, and how it ends."""

import gzip
import json
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

import watari.web
from unit.web.fake_feed import FakeFeed
from unit.web.one_hub import CLOUD, EVENTS, STATE, page_app, page_server
from watari.errors import BadInput
from watari.web.hub import Hub
from watari.web.serving import Server

STATIC = Path(watari.web.__file__).parent / "static"


@pytest.fixture
def feed() -> FakeFeed:
    return FakeFeed(hosts=16)


@pytest.fixture
def hub(feed: FakeFeed) -> Hub:
    hub = Hub(feed.details)
    hub.publish_state(feed.state())
    return hub


@pytest.fixture
def client(hub: Hub) -> TestClient:
    return TestClient(page_app(hub), base_url="http://localhost")


def test_the_page_and_every_file_it_names(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
        assert client.get(path).status_code == 200
    script = client.get("/static/main.js")
    assert "javascript" in script.headers["content-type"]


def test_modules_import_only_files_that_exist() -> None:
    for module in STATIC.glob("*.js"):
        for name in re.findall(r'from "\./([^"]+)"', module.read_text()):
            assert (STATIC / name).is_file(), f"{module.name} imports {name}"


def test_the_page_asks_no_other_host() -> None:
    for file in STATIC.iterdir():
        addresses = re.findall(r"(?:https?:)?//[\w.-]+\.\w+", re.sub(r"^\s*//.*$", "", file.read_text(), flags=re.M))
        assert [a for a in addresses if a != "http://www.w3.org"] == [], file.name


def test_the_page_needs_no_inline_script_or_style() -> None:
    page = (STATIC / "index.html").read_text()
    assert "<style" not in page
    assert not re.search(r'\s(?:style|on\w+)="', page)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page, flags=re.S) == [""]


def test_the_name_is_marked_as_japanese(client: TestClient) -> None:
    page = client.get("/").text
    assert '<html lang="en">' in page
    assert '<b lang="ja">渡り</b>' in page


@pytest.mark.parametrize("path", ["/", "/static/style.css", STATE, "/v1/nothing", "/nothing"])
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "img-src 'self' data:" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


def test_the_state_zipped_and_plain(client: TestClient, feed: FakeFeed) -> None:
    want = json.loads(json.dumps(feed.state()))
    plain = client.get(STATE, headers={"accept-encoding": "identity"})
    assert plain.json() == want
    assert "content-encoding" not in plain.headers
    with client.stream("GET", STATE, headers={"accept-encoding": "gzip"}) as answer:
        zipped = b"".join(answer.iter_raw())
    assert json.loads(gzip.decompress(zipped)) == want
    assert len(zipped) < len(plain.content) / 2


def test_no_state_yet() -> None:
    answer = TestClient(page_app(Hub()), base_url="http://localhost").get(STATE)
    assert answer.status_code == 503
    assert "not been looked at yet" in answer.json()["detail"]


def test_a_server_by_its_id(client: TestClient) -> None:
    assert client.get(f"/v1/clouds/{CLOUD}/servers/id-3").json()["name"].endswith("-0003")
    missing = client.get(f"/v1/clouds/{CLOUD}/servers/id-99999")
    assert missing.status_code == 404
    assert missing.json()["detail"] == "tokyo-1 has no server with the id id-99999"


def test_what_the_api_lacks_is_json_too(client: TestClient) -> None:
    answer = client.get("/v1/planes")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["detail"].startswith("there is no /v1/planes here")


@pytest.mark.parametrize("host", ["localhost", "localhost:8080", "127.0.0.1:1", "127.8.8.8", "[::1]:80"])
def test_loopback_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get(STATE, headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "10.0.0.5", "[", "", "0.0.0.0"]
)
def test_other_names_are_refused(client: TestClient, host: str) -> None:
    for path in ("/", STATE, EVENTS, "/static/main.js"):
        assert client.get(path, headers={"host": host}).status_code == 421


@pytest.mark.parametrize("path", ["/static/../hub.py", "/static/%2e%2e/hub.py", "/static/"])
def test_only_static_files_are_files(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


# The real server

LIMIT_S = 5.0


@pytest.fixture
def page(hub: Hub) -> Iterator[Server]:
    with page_server(hub) as page:
        yield page


def events(lines: Iterator[str]) -> Iterator[tuple[str, str]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, line.removeprefix("data: ")


def test_the_stream_brings_the_state_then_ticks(page: Server, hub: Hub, feed: FakeFeed) -> None:
    with httpx.stream("GET", f"{page.url.rstrip('/')}{EVENTS}", timeout=LIMIT_S) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        lines = answer.iter_lines()
        assert next(lines).startswith("retry: ")
        stream = events(lines)
        name, data = next(stream)
        assert (name, json.loads(data)["cloud"]) == ("state", "tokyo-1")
        hub.publish_tick(feed.tick(0.25))
        name, data = next(stream)
        assert name == "tick"
        assert json.loads(data)["load"]["steal"] == feed.steal


def test_events_are_numbered_upwards(page: Server, hub: Hub, feed: FakeFeed) -> None:
    with httpx.stream("GET", f"{page.url.rstrip('/')}{EVENTS}", timeout=LIMIT_S) as answer:
        ids: list[int] = []
        for line in answer.iter_lines():
            if line.startswith("id: "):
                ids.append(int(line.removeprefix("id: ")))
                if len(ids) == 3:
                    break
                hub.publish_tick(feed.tick(0.25))
    assert ids == sorted(set(ids))


def test_a_page_that_leaves_is_forgotten(page: Server, hub: Hub) -> None:
    with httpx.stream("GET", f"{page.url.rstrip('/')}{EVENTS}", timeout=LIMIT_S) as answer:
        lines = answer.iter_lines()  # kept: an iterator that is thrown away closes the stream
        next(lines)
        assert _becomes(hub, 1)
    assert _becomes(hub, 0)


def _becomes(hub: Hub, pages: int) -> bool:
    """The server's own thread counts pages, a moment after a client sees its first line."""
    for _ in range(500):
        if hub.pages == pages:
            return True
        threading.Event().wait(0.01)
    return False


def test_leaving_ends_open_streams(hub: Hub) -> None:
    with page_server(hub) as page:
        stream = httpx.Client(timeout=LIMIT_S)
        request = stream.build_request("GET", f"{page.url.rstrip('/')}{EVENTS}")
        answer = stream.send(request, stream=True)
        lines = answer.iter_lines()
        next(lines)
    assert [line for line in lines if line.startswith("event: ")] == ["event: state"]
    stream.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(page.url, timeout=LIMIT_S)


def test_a_taken_port_says_what_to_do(hub: Hub) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BadInput, match=f"port {port} .*name another"), page_server(hub, port):
            pass


@pytest.mark.parametrize("port", [-1, 70_000])
def test_a_port_that_is_none(hub: Hub, port: int) -> None:
    with pytest.raises(BadInput, match="name another"), page_server(hub, port):
        pass
