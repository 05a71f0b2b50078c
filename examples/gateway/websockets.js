// WebSocket connections, counted while they are open. Nothing is ever said on them: the count is what this shows.
import { createHash } from 'node:crypto';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // of RFC 6455, section 1.3
const CLOSE = 0x8;

/** Accepts connections to /ws/<namespace>. Others are refused: a path that a client makes up must not be a label. */
export function acceptWebSockets(server, namespaces, gauge) {
  for (const namespace of namespaces) gauge.set({ namespace }, 0);
  server.on('upgrade', (request, socket) => {
    socket.on('error', () => socket.destroy());
    const namespace = request.url.replace('/ws/', '');
    const key = request.headers['sec-websocket-key'];
    if (!namespaces.includes(namespace) || !key) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    const accept = createHash('sha1').update(key + GUID).digest('base64');
    const answer = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
    socket.write([...answer, `Sec-WebSocket-Accept: ${accept}`, '', ''].join('\r\n'));
    gauge.inc({ namespace });
    socket.once('close', () => gauge.dec({ namespace }));
    socket.on('data', (frame) => {
      if ((frame[0] & 0xf) === CLOSE) socket.end(Buffer.from([0x88, 0]));
    });
    socket.on('end', () => socket.end());
  });
}
