"""Traces of a controller, as a collector gets them."""

import re
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from durable.serving.site import Build
from watari.act.durable.records import list_runs
from watari.app.tracing import exporting
from watari.errors import BadInput


@contextmanager
def collector() -> Iterator[tuple[str, list[Span]]]:
    """Something on loopback that takes spans, and those that came."""
    spans: list[Span] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                for scope in resource.scope_spans:
                    spans.extend(scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", spans
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def attributes(span: Span) -> dict[str, str]:
    return {one.key: one.value.string_value for one in span.attributes}


def test_looks_operations_and_requests_are_spans(on_sqlite: Build) -> None:
    site = on_sqlite()
    with collector() as (url, spans):
        controller = site.serve(api=True, traces=url)
        site.until(lambda: site.is_calm() and not list_runs(site.store, only_open=True))
        page = re.search(r"page on (http://\S+?/)#", controller.out())
        assert page is not None
        with urllib.request.urlopen(f"{page[1]}v1/openapi.json", timeout=10) as answer:
            assert answer.status == 200
        assert controller.end() == 0
    looks = [attributes(span) for span in spans if span.name == "look"]
    assert {look["watari.cloud"] for look in looks} == {"filed"}
    operations = [attributes(span) for span in spans if span.name == "operation"]
    assert {one["watari.run"] for one in operations} == {row.id for row in list_runs(site.store)}
    assert sum(one.get("watari.ended") == "done" for one in operations) == 9, "as many as were moved"
    assert any("openapi.json" in span.name or "openapi.json" in str(span.attributes) for span in spans)


def test_nothing_is_sent_unless_somebody_collects(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    before = threading.active_count()
    with exporting():
        assert threading.active_count() == before


def test_what_is_missing_for_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(BadInput, match=r"is not installed: pip install 'watari\[traces\]'"), exporting():
        pass
