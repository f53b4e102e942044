"""OpenTelemetry traces, if somebody collects them: a look, an operation and a request each are a span."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from watari import __version__
from watari.errors import BadInput

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@contextmanager
def exporting() -> Iterator[None]:
    """Send spans where OpenTelemetry's own environment variables say while this is entered; nothing without them.

    Raises BadInput when they are set and the packages for it are not installed.
    """
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield
        return
    try:
        from opentelemetry import trace
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as e:
        raise BadInput(f"{ENDPOINTS[1]} is set, and {e.name} is not installed: pip install 'watari[traces]'") from None
    about = Resource.create(
        {"service.name": os.environ.get("OTEL_SERVICE_NAME", "watari"), "service.version": __version__}
    )
    provider = TracerProvider(resource=about)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    try:
        yield
    finally:
        provider.shutdown()
