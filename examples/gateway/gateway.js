// The gateway: finds the route, asks the shop, measures both. Plain node:http, so that nothing hides how it works.
import { createServer } from 'node:http';
import { performance } from 'node:perf_hooks';
import { SpanKind, SpanStatusCode, context, propagation } from '@opentelemetry/api';
import { Cache } from './cache.js';
import { Metrics } from './metrics.js';
import { exemplar, tracer } from './tracing.js';
import { acceptWebSockets } from './websockets.js';

const ROUTES = [
  { method: 'GET', path: /^\/api\/products$/, route: '/api/products', success: 200, shop: () => '/products' },
  { method: 'GET', path: /^\/api\/products\/(\d{1,9})$/, route: '/api/products/{id}', success: 200, cached: true,
    shop: ([, id]) => `/products/${id}` },
  { method: 'POST', path: /^\/api\/orders$/, route: '/api/orders', success: 201, shop: () => '/orders' },
  { method: 'POST', path: /^\/api\/signups$/, route: '/api/signups', success: 201, shop: () => '/signups' },
];
const LARGEST_BODY = 10_000;

/** The gateway before the shop at `shop` (a URL), as a server that does not listen yet. */
export function createGateway(shop) {
  const metrics = new Metrics(ROUTES.map(({ method, route, success }) => [method, route, success]));
  const cache = new Cache(metrics, 'gateway');

  // region: node-client
  /** Ask the shop. The header `traceparent` makes its spans a part of our trace. */
  async function ask(method, path, route, headers, body) {
    return tracer.startActiveSpan(`${method} shop`, { kind: SpanKind.CLIENT }, async (span) => {
      propagation.inject(context.active(), headers);
      const begin = performance.now();
      let status = 0;
      try {
        const signal = AbortSignal.timeout(5000);
        const answer = await fetch(shop + path, { method, headers, body, signal });
        const text = await answer.text();
        status = answer.status;
        return { status, text };
      } catch {
        return { status: 502, text: '{"error": "the shop does not answer"}' };
      } finally {
        const labels = { dependency: 'shop', endpoint: route.slice('/api'.length), status_code: status };
        metrics.calls.observe({ labels, value: (performance.now() - begin) / 1000, exemplarLabels: exemplar() });
        span.end();
      }
    });
  }
  // endregion: node-client

  async function answer(request, found) {
    if (!found) return { status: 404, text: '{"error": "no such route"}' };
    const { route, match } = found;
    const path = route.shop(match);
    const known = route.cached ? cache.get(path) : undefined;
    if (known) return { status: 200, text: known };
    const body = request.method === 'POST' ? await read(request) : undefined;
    const headers = { 'x-user': request.headers['x-user'] ?? '', 'x-plan': request.headers['x-plan'] ?? '' };
    const result = await ask(request.method, path, route.route, headers, body);
    if (route.cached && result.status === 200) cache.set(path, result.text);
    return result;
  }

  // region: node-middleware
  /** Every request goes through here: a span, a count, a time, whatever happens inside. */
  async function measured(request, response) {
    const { method } = request;
    const found = find(method, request.url);
    const route = found?.route.route ?? 'unmatched'; // never the path: every id in it would be a series
    const caller = propagation.extract(context.active(), request.headers);
    const begin = performance.now();
    metrics.inFlight.inc({ method, route });
    await tracer.startActiveSpan(`${method} ${route}`, { kind: SpanKind.SERVER }, caller, async (span) => {
      const { status, text } = await answer(request, found).catch(() => ({ status: 500, text: '{}' }));
      response.writeHead(status, { 'Content-Type': 'application/json' }).end(text);
      span.setAttributes({ 'http.route': route, 'http.response.status_code': status });
      if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
      metrics.answered(method, route, status, (performance.now() - begin) / 1000, exemplar());
      span.end();
    });
    metrics.inFlight.dec({ method, route });
  }
  // endregion: node-middleware

  const server = createServer(async (request, response) => {
    if (request.url === '/metrics') {
      response.setHeader('Content-Type', metrics.registry.contentType).end(await metrics.registry.metrics());
    } else if (request.url === '/health') {
      response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"gateway": "healthy"}');
    } else {
      await measured(request, response);
    }
  });
  acceptWebSockets(server, ['prices', 'orders'], metrics.websockets);
  return server;
}

function find(method, url) {
  for (const route of ROUTES) {
    const match = route.method === method && route.path.exec(url);
    if (match) return { route, match };
  }
  return undefined;
}

async function read(request) {
  let body = '';
  for await (const chunk of request) {
    body += chunk;
    if (body.length > LARGEST_BODY) throw new Error('the body is too large');
  }
  return body;
}
