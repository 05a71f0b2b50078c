"""Traces: spans go out by OTLP over HTTP, and the current trace's id becomes an exemplar of a metric."""

from __future__ import annotations

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


# region: tracing
def start_tracing(service: str) -> TracerProvider:
    """Send this process's spans to `OTEL_EXPORTER_OTLP_ENDPOINT` in the background, under the name of a service."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(timeout=5), schedule_delay_millis=1000))
    trace.set_tracer_provider(provider)
    return provider


# endregion: tracing


# region: exemplar
def exemplar() -> dict[str, str] | None:
    """The current trace as an exemplar: None without one, or if it is not sampled and so cannot be looked up."""
    context = trace.get_current_span().get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return None
    return {"trace_id": trace.format_trace_id(context.trace_id)}


# endregion: exemplar
