// The page as in a shell, whose own scheme serves the files: they are available while the daemon is away. Calls are
// relayed to the real daemon.
import { readFileSync } from "node:fs";
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { Daemon } from "../../client/tests/daemon.js";

const dist = fileURLToPath(new URL("../../../aster_sidecar/webui", import.meta.url));

export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
  "connect-src 'self' http://127.0.0.1:*; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};

export interface Site {
  url: string;
  close(): Promise<void>;
}

export async function serve(daemon: Pick<Daemon, "port" | "url">): Promise<Site> {
  const server = createServer((incoming, outgoing) => {
    const path = incoming.url ?? "/";
    if (/^\/(api|webui)\/|^\/health/.test(path)) relay(daemon, incoming, outgoing);
    else file(path, outgoing);
  });
  const upgraded = new Set<Socket>();
  server.on("upgrade", (incoming: IncomingMessage, near: Socket) => {
    upgraded.add(near);
    upgrade(daemon, incoming, near);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => stop(server, upgraded) };
}

function file(path: string, outgoing: ServerResponse): void {
  const name = normalize(new URL(path, "http://site").pathname);
  try {
    const body = readFileSync(join(dist, name === "/" ? "index.html" : name));
    const type = TYPES[extname(name === "/" ? ".html" : name) || ".html"] ?? "application/octet-stream";
    outgoing.writeHead(200, {
      "Content-Type": type,
      "Content-Security-Policy": POLICY,
      "X-Content-Type-Options": "nosniff",
    });
    outgoing.end(body);
  } catch {
    outgoing.writeHead(404).end();
  }
}

/** The request's headers, changed as if the daemon's own page had sent them. */
function headersFor(daemon: Pick<Daemon, "port" | "url">, incoming: IncomingMessage) {
  const headers = { ...incoming.headers, host: `127.0.0.1:${daemon.port}` };
  if (headers.origin !== undefined) headers.origin = daemon.url;
  return headers;
}

/** Relays a WebSocket: first its handshake, then the data in both directions. */
function upgrade(daemon: Pick<Daemon, "port" | "url">, incoming: IncomingMessage, near: Socket): void {
  const { url: path } = incoming;
  const onwards = request({ host: "127.0.0.1", port: daemon.port, path, headers: headersFor(daemon, incoming) });
  near.on("error", () => onwards.destroy());
  onwards.on("error", () => near.destroy());
  onwards.on("response", () => near.destroy()); // refused
  onwards.on("upgrade", (answer, far, first) => {
    const lines = answer.rawHeaders.map((text, at) => (at % 2 === 0 ? `${text}: ` : `${text}\r\n`));
    near.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join("")}\r\n`);
    near.write(first);
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      one.on("error", () => other.destroy()).on("close", () => other.destroy());
      one.pipe(other);
    }
  });
  onwards.end();
}

function relay(daemon: Pick<Daemon, "port" | "url">, incoming: IncomingMessage, outgoing: ServerResponse): void {
  const headers = headersFor(daemon, incoming);
  const { method, url: path } = incoming;
  const onwards = request({ host: "127.0.0.1", port: daemon.port, method, path, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
  });
  onwards.on("error", () => {
    if (outgoing.headersSent) outgoing.destroy();
    else outgoing.writeHead(502).end();
  });
  outgoing.on("close", () => onwards.destroy());
  incoming.pipe(onwards);
}

async function stop(server: Server, upgraded: Set<Socket>): Promise<void> {
  server.closeAllConnections();
  for (const one of upgraded) one.destroy();
  await new Promise((resolve) => server.close(resolve));
}
