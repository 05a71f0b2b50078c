// Traces: spans go out by OTLP over HTTP, and the trace goes on to whom we call, in the header `traceparent`.
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';

export const tracer = trace.getTracer('gateway');

// region: node-tracing
/** Sends spans to OTEL_EXPORTER_OTLP_ENDPOINT; returns the function that sends the last ones. */
export function startTracing(service) {
  const exporter = new OTLPTraceExporter({ timeoutMillis: 5000 });
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': service }),
    spanProcessors: [new BatchSpanProcessor({ exporter, scheduledDelayMillis: 1000 })],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  return () => provider.shutdown().catch((error) => console.error(`the last spans are lost: ${error.message}`));
}
// endregion: node-tracing

/** The current trace as an exemplar's labels: undefined without one, or if it is not sampled. */
export function exemplar() {
  const span = trace.getActiveSpan()?.spanContext();
  return span && span.traceFlags & 1 ? { trace_id: span.traceId } : undefined;
}
