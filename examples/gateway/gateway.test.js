// The gateway before a shop that is played: what it passes on, and what its metrics say about that.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { createGateway } from './gateway.js';
import { startTracing } from './tracing.js';

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
const asked = [];
let shop, gateway, stopTracing;

const listening = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
const metrics = async () => (await fetch(`${gateway.url}/metrics`)).text();

/** The value of one series; 0 where there is none. */
async function value(name, labels) {
  const wanted = Object.entries(labels).map(([label, text]) => `${label}="${text}"`);
  const lines = (await metrics()).split('\n');
  const line = lines.find((each) => each.startsWith(`${name}{`) && wanted.every((label) => each.includes(label)));
  return line ? Number(line.split('# ')[0].trim().split(' ').at(-1)) : 0;
}

before(async () => {
  shop = createServer((request, response) => {
    if (request.url === '/v1/traces') return response.writeHead(200).end('{}');
    asked.push({ url: request.url, traceparent: request.headers.traceparent });
    const status = request.url === '/products/500' ? 500 : request.method === 'POST' ? 201 : 200;
    return response.writeHead(status).end('{"id": 1}');
  });
  const port = await listening(shop);
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = `http://127.0.0.1:${port}`;
  stopTracing = startTracing('test');
  const server = createGateway(`http://127.0.0.1:${port}`);
  gateway = { server, url: `http://127.0.0.1:${await listening(server)}` };
});

after(async () => {
  gateway.server.close();
  gateway.server.closeAllConnections();
  await stopTracing();
  shop.close();
  shop.closeAllConnections();
});

test('every known series is there before the first request', async () => {
  const text = await metrics();
  assert.match(text, /http_requests_total\{method="POST",route="\/api\/orders",status_code="500"\} 0/);
  assert.match(text, /http_request_duration_seconds_bucket\{le="0.5",method="GET",route="\/api\/products"\} 0/);
});

test('a request is counted under its route, not under its path', async () => {
  const labels = { method: 'GET', route: '/api/products/{id}', status_code: '200' };
  const count = await value('http_requests_total', labels);
  await fetch(`${gateway.url}/api/products/1`);
  assert.equal(await value('http_requests_total', labels), count + 1);
  await fetch(`${gateway.url}/no/such/thing`);
  assert.equal(await value('http_requests_total', { route: 'unmatched', status_code: '404' }), 1);
  assert.doesNotMatch(await metrics(), /no\/such/);
});

test('a product that was asked for lately comes from the cache', async () => {
  await fetch(`${gateway.url}/api/products/7`);
  const hits = await value('cache_operations_total', { status: 'hit' });
  const before = asked.length;
  await fetch(`${gateway.url}/api/products/7`);
  assert.equal(await value('cache_operations_total', { status: 'hit' }), hits + 1);
  assert.equal(asked.length, before);
});

test('an error of the shop is passed on, counted, and not kept', async () => {
  for (const count of [1, 2]) {
    assert.equal((await fetch(`${gateway.url}/api/products/500`)).status, 500);
    assert.equal(await value('http_request_errors_total', { route: '/api/products/{id}', error_type: 'server_error' }), count);
  }
  assert.equal(await value('external_api_duration_seconds_count', { dependency: 'shop', status_code: '500' }), 2);
});

test('the trace goes on to the shop, and is the exemplar of the request', async () => {
  const headers = { traceparent: `00-${TRACE}-00f067aa0ba902b7-01` };
  await fetch(`${gateway.url}/api/orders`, { method: 'POST', body: '{}', headers });
  assert.equal(asked.at(-1).traceparent.split('-')[1], TRACE);
  assert.notEqual(asked.at(-1).traceparent.split('-')[2], '00f067aa0ba902b7');
  const bucket = new RegExp(`http_request_duration_seconds_bucket\\{.*route="/api/orders".*# \\{trace_id="${TRACE}"\\}`);
  assert.match(await metrics(), bucket);
});

test('open WebSockets are counted, also when they are gone', async () => {
  const open = () => value('websocket_connections_active', { namespace: 'prices' });
  const until = async (wanted) => {
    for (let turn = 0; turn < 50 && (await open()) !== wanted; turn++) await new Promise((done) => setTimeout(done, 20));
    assert.equal(await open(), wanted);
  };
  const sockets = [1, 2].map(() => new WebSocket(`${gateway.url.replace('http', 'ws')}/ws/prices`));
  await Promise.all(sockets.map((socket) => new Promise((done) => socket.addEventListener('open', done))));
  await until(2);
  sockets.forEach((socket) => socket.close());
  await until(0);
  const refused = new WebSocket(`${gateway.url.replace('http', 'ws')}/ws/made-up`);
  await new Promise((done) => refused.addEventListener('error', done));
  assert.doesNotMatch(await metrics(), /made-up/);
});
