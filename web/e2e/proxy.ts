/**
 * What stands between some people and every platform: a proxy that passes requests on, and lets no WebSocket through. Browsers ask a proxy for a tunnel to open
 * one in (RFC 6455, 4.1), and this one has none.
 */
import { createServer, type IncomingHttpHeaders, request } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Proxy {
  /** For the browser's settings. */
  server: string;
  /** How many tunnels were refused. */
  refused: () => number;
  /** The headers of every stream of server-sent events so far. */
  streams: IncomingHttpHeaders[];
  /** Ends all of these that are open, without a word. */
  cut: () => void;
  close: () => Promise<void>;
}

export async function proxy(): Promise<Proxy> {
  const streams: IncomingHttpHeaders[] = [];
  const open = new Set<Socket>();
  let tunnels = 0;
  const server = createServer((asked, answered) => {
    if (asked.method === 'GET' && asked.url?.includes('/api/live/events')) {
      streams.push(asked.headers);
      open.add(asked.socket);
    }
    const onward = request(asked.url ?? '', { method: asked.method, headers: asked.headers }, (answer) => {
      answered.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(answered);
    });
    onward.on('error', () => answered.destroy());
    answered.on('close', () => onward.destroy());
    asked.pipe(onward);
  });
  server.on('connect', (_asked, socket) => {
    tunnels++;
    socket.end('HTTP/1.1 403 Forbidden\r\n\r\n');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  return {
    server: `http://127.0.0.1:${port}`,
    refused: () => tunnels,
    streams,
    cut: () => {
      for (const socket of open) socket.destroy();
      open.clear();
    },
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}
