// `node server.js`: the gateway on PORT (default 8001), before the shop at SHOP_URL, until it is told to stop.
import { createGateway } from './gateway.js';
import { startTracing } from './tracing.js';

const stopTracing = process.env.OTEL_EXPORTER_OTLP_ENDPOINT ? startTracing('gateway') : async () => {};
const server = createGateway(process.env.SHOP_URL ?? 'http://localhost:8000');
server.listen(Number(process.env.PORT ?? 8001), () => console.log(`gateway answers on port ${server.address().port}`));

const sockets = new Set();
server.on('upgrade', (_request, socket) => {
  sockets.add(socket);
  socket.once('close', () => sockets.delete(socket));
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  process.once(signal, () => {
    server.close(async () => {
      await stopTracing();
      process.exit(0);
    });
    sockets.forEach((socket) => socket.destroy()); // a WebSocket would stay for as long as its customer does
  });
}
