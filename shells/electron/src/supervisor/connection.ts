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

/** An answer whose body is any file. */
export interface Content {
  status: number;
  /** The answer's `Content-Type`; empty if it has none. */
  media_type: string;
  bytes: Buffer;
}

export interface Call {
  method: string;
  path: string;
  /** JSON, or a file. */
  body?: string | { name: string; bytes: Uint8Array } | undefined;
  timeout_ms: number;
  /** Sent as `X-Aster-Client`: the name under which approvals are answered. */
  client?: string;
  most_bytes?: number;
}

const MOST_BYTES = 64 * 1024 * 1024;

/** Sends a request and returns any answer. The token is not sent to /health, which may be asked of another program. */
export async function call(endpoint: Endpoint, asked: Call): Promise<Answer> {
  const { status, bytes } = await fetchContent(endpoint, asked);
  return { status, body: bytes.toString("utf8") };
}

/** Like `call`, for an answer that is a file. */
export function fetchContent(
  endpoint: Endpoint,
  { method, path, body, timeout_ms, client, most_bytes = MOST_BYTES }: Call,
): Promise<Content> {
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
        ...(typeof body === "string" && {
          "Content-Type": "application/json",
          "Content-Length": String(Buffer.byteLength(body)),
        }),
        ...(typeof body === "object" && {
          "Content-Type": "application/octet-stream",
          "Content-Length": String(body.bytes.byteLength),
          "X-Filename": encodeURIComponent(body.name),
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
        const media_type = response.headers["content-type"] ?? "";
        resolve({ status: response.statusCode ?? 0, media_type, bytes: Buffer.concat(chunks) });
      });
      response.on("error", fail);
      response.on("aborted", () => {
        fail(new Error("the answer broke off"));
      });
    });
    asked.on("error", fail);
    asked.end(typeof body === "object" ? bufferOf(body.bytes) : body);

    function fail(cause: Error): void {
      clearTimeout(timer);
      reject(cause);
    }
  });
}

/** The same memory as a Buffer, which is all that Node 12 sends. */
function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
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
