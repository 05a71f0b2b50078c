// What the gateway measures: the same names, labels and buckets as every other service, so that dashboards fit all.
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';

// region: node-metrics
export class Metrics {
  /** `routes` are [method, route, status when all is well]: every series begins at 0, so that the first error is seen. */
  constructor(routes) {
    this.registry = new Registry(Registry.OPENMETRICS_CONTENT_TYPE); // exemplars exist in this format only
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.requests = new Counter({
      name: 'http_requests_total',
      help: 'Requests answered.',
      labelNames: ['method', 'route', 'status_code'],
      registers,
    });
    this.errors = new Counter({
      name: 'http_request_errors_total',
      help: 'Requests that ended with an error, by whose fault it was.',
      labelNames: ['method', 'route', 'error_type'],
      registers,
    });
    this.duration = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Time from a request to its answer.',
      labelNames: ['method', 'route'],
      buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      enableExemplars: true,
      registers,
    });
    this.inFlight = new Gauge({
      name: 'http_requests_in_flight',
      help: 'Requests that are being answered now.',
      labelNames: ['method', 'route'],
      registers,
    });
    this.websockets = new Gauge({
      name: 'websocket_connections_active',
      help: 'Open WebSocket connections.',
      labelNames: ['namespace'], // not the room: people make rooms, and every room would be a series
      registers,
    });
    this.cache = new Counter({
      name: 'cache_operations_total',
      help: 'Operations.',
      labelNames: ['operation', 'cache_name', 'status'],
      registers,
    });
    this.cacheDuration = new Histogram({
      name: 'cache_operation_duration_seconds',
      help: 'Time of an operation.',
      labelNames: ['operation', 'cache_name'],
      buckets: [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1],
      registers,
    });
    this.calls = new Histogram({
      name: 'external_api_duration_seconds',
      help: 'Time of a call; status code 0 where no answer came.',
      labelNames: ['dependency', 'endpoint', 'status_code'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
      enableExemplars: true,
      registers,
    });
    for (const [method, route, success] of routes) {
      this.requests.inc({ method, route, status_code: success }, 0);
      this.requests.inc({ method, route, status_code: 500 }, 0);
      this.duration.zero({ method, route });
      this.inFlight.set({ method, route }, 0);
      for (const error_type of ['client_error', 'server_error']) this.errors.inc({ method, route, error_type }, 0);
    }
  }

  /** One request that was answered. */
  answered(method, route, status, seconds, exemplarLabels) {
    this.requests.inc({ method, route, status_code: status });
    this.duration.observe({ labels: { method, route }, value: seconds, exemplarLabels });
    if (status >= 400) {
      this.errors.inc({ method, route, error_type: status >= 500 ? 'server_error' : 'client_error' });
    }
  }
}
// endregion: node-metrics
