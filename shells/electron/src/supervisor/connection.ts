// Connections to a daemon that is proven to be ours: over its Unix socket if there is one, otherwise over TCP.
import { request } from "node:http";
import WebSocket from "ws";

export interface Endpoint {
  port: number;
  /** The Unix socket; null: TCP. */
  socket_path: string | null;
  token: string;
  instance_id: string;
}

export interface Answer {
  status: number;
  body: string;
}

export interface Call {
  method: string;
  path: string;
  body?: string | undefined;
  timeout_ms: number;
  /** Sent as `X-Aster-Client`: the name under which approvals are answered. */
  client?: string;
  most_bytes?: number;
}

const MOST_BYTES = 64 * 1024 * 1024;

/** Sends a request and returns any answer. The token is not sent to /health, which may be asked of another program. */
export function call(
  endpoint: Endpoint,
  { method, path, body, timeout_ms, client, most_bytes = MOST_BYTES }: Call,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({
      ...(endpoint.socket_path !== null
        ? { socketPath: endpoint.socket_path }
        : { host: "127.0.0.1", port: endpoint.port }),
      method,
      path,
      agent: false,
      headers: {
        Host: `127.0.0.1:${endpoint.port}`,
        ...(path !== "/health" && { Authorization: `Bearer ${endpoint.token}` }),
        ...(client !== undefined && { "X-Aster-Client": client }),
        ...(body !== undefined && {
          "Content-Type": "application/json",
          "Content-Length": String(Buffer.byteLength(body)),
        }),
      },
    });
    const timer = setTimeout(() => {
      asked.destroy(new Error(`no answer within ${timeout_ms} ms`));
    }, timeout_ms);
    asked.on("response", (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > most_bytes) asked.destroy(new Error(`the answer is larger than ${most_bytes} bytes`));
        else chunks.push(chunk);
      });
      response.on("end", () => {
        clearTimeout(timer);
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") });
      });
      response.on("error", fail);
      response.on("aborted", () => {
        fail(new Error("the answer broke off"));
      });
    });
    asked.on("error", fail);
    asked.end(body);

    function fail(cause: Error): void {
      clearTimeout(timer);
      reject(cause);
    }
  });
}

/** The instance_id of the daemon that answers /health there. Raises: Error if there is no valid answer. */
export async function identify(endpoint: Endpoint, timeout_ms: number): Promise<string> {
  const { status, body } = await call(endpoint, { method: "GET", path: "/health", timeout_ms, most_bytes: 65_536 });
  if (status !== 200) throw new Error(`/health answered ${status}`);
  const said = JSON.parse(body) as { instance_id?: unknown } | null;
  return typeof said?.instance_id === "string" ? said.instance_id : "";
}

/** Opens the daemon's WebSocket `/ws`. */
export function openSocket(endpoint: Endpoint, client?: string): WebSocket {
  const address =
    endpoint.socket_path !== null ? `ws+unix://${endpoint.socket_path}:/ws` : `ws://127.0.0.1:${endpoint.port}/ws`;
  return new WebSocket(address, {
    headers: {
      Host: `127.0.0.1:${endpoint.port}`,
      Authorization: `Bearer ${endpoint.token}`,
      ...(client !== undefined && { "X-Aster-Client": client }),
    },
    perMessageDeflate: false,
    handshakeTimeout: 10_000,
    maxPayload: 64 * 1024 * 1024,
  });
}
