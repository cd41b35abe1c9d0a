// The transport of a page: one WebSocket for the stream and, while it is open, for calls. A browser opens at most six
// HTTP/1.1 connections to a host over all its tabs, and a stream over HTTP needs one of them. It opens hundreds of
// WebSockets.
//
// Calls go over HTTP while no socket is open. If the daemon answers but no socket can be opened, the stream goes over
// HTTP too. This happens with the launcher's token, which a page can't send with a WebSocket, or with a proxy that
// passes no WebSockets on. docs/decisions/0023-the-page-on-a-socket.md has the reasons.
import { AsterError, isObject, open, refusal, report, unreachable } from "./errors.js";
import { httpTransport, nameOf, tokenOf, within, TIMEOUT_S, type HttpOptions } from "./http.js";
import type { Answer, StreamListener, StreamQuery, Transport } from "./transport.js";
import type { AsterEvent, Failure } from "./types.js";

const SUBPROTOCOL = "aster.1";
/** The daemon's close code when the browser with this bearer is signed out. */
const SIGNED_OUT = 4401;
const GOING_AWAY = 1001;
/** A longer body goes over HTTP, where the limit is for the body alone. */
const BODY_MOST = 256 * 1024;
/** After its stream is closed, a socket with open calls may be silent for so many ms. */
const SILENCE_MS = 3_000;
/** How often a daemon that answers may refuse a socket before the stream goes over HTTP. */
const REFUSED_MOST = 2;

/** The address of this page's socket; null without WebSockets, or if the page's address is not HTTP. */
export function socketUrl(url = ""): string | null {
  if (typeof WebSocket !== "function" || typeof location === "undefined") return null;
  try {
    const found = new URL(url.replace(/\/+$/, "") + "/ws", location.href);
    if (found.protocol !== "http:" && found.protocol !== "https:") return null;
    found.protocol = found.protocol.replace("http", "ws");
    return found.href;
  } catch {
    return null;
  }
}

export function socketTransport(options: HttpOptions, url: string): Transport {
  const http = httpTransport(options);
  const lines = new Set<Line>();
  /** The last socket could not be opened. HTTP is tried first, since browsers delay repeated failing sockets. */
  let doubtful = false;

  function request(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Answer> {
    if (!/^\/(api|webui)\//.test(path) || (body?.length ?? 0) > BODY_MOST) {
      return http.request(method, path, body, signal);
    }
    return within(options.timeout_s ?? TIMEOUT_S, signal, async (limit) => {
      for (let line = newest(); line !== undefined; line = newest()) {
        if (await unless(limit, line.opened)) return await line.ask(method, path, body, limit);
      }
      return await http.request(method, path, body, limit);
    });
  }

  function newest(): Line | undefined {
    return [...lines].at(-1);
  }

  function dial(): Line {
    const line = new Line(url, options, () => lines.delete(line));
    lines.add(line);
    return line;
  }

  function stream(query: StreamQuery, listener: StreamListener): () => void {
    let close: (() => void) | null = () => undefined;

    /** Sets what closes the stream, or calls it if the stream is already closed. Returns whether it is closed. */
    function closes(by: () => void): boolean {
      if (close === null) by();
      else close = by;
      return close === null;
    }

    async function connect(): Promise<void> {
      for (let refused = 0; refused < REFUSED_MOST;) {
        const asked = doubtful;
        if (asked) {
          const { status, body } = await http.request("GET", "/webui/bootstrap");
          open(status, body); // throws the refusal
        }
        const line = dial();
        const over = closes(() => {
          line.retire();
        });
        const stands = await line.opened;
        if (over || close === null) return;
        doubtful = !stands;
        if (stands) {
          line.subscribe(query, listener);
          return;
        }
        if (asked) refused += 1;
      }
      closes(http.stream(query, listener));
    }

    connect().catch((cause: unknown) => {
      if (close === null) return;
      listener.end(cause instanceof AsterError ? cause : unreachable("the stream can't be opened", cause));
    });
    return () => {
      close?.();
      close = null;
    };
  }

  // Files go over HTTP: frames are text, and the daemon takes frames up to 1 MiB.
  return { request, upload: http.upload, download: http.download, stream };
}

interface Call {
  resolve: (answer: Answer) => void;
  reject: (error: Error) => void;
}

/** One socket. */
class Line {
  /** Whether the socket could be opened. */
  readonly opened: Promise<boolean>;
  readonly #onOver: () => void;
  readonly #name: string | null;
  readonly #calls = new Map<string, Call>();
  #socket: WebSocket | null = null;
  #count = 0;
  #subscription = "";
  #listener: StreamListener | null = null;
  #retired = false;
  #silence: ReturnType<typeof setTimeout> | null = null;

  constructor(url: string, options: HttpOptions, onOver: () => void) {
    this.#name = nameOf(options);
    this.#onOver = onOver;
    this.opened = this.#open(url, options).then((stands) => {
      if (!stands) onOver();
      return stands;
    });
  }

  async #open(url: string, options: HttpOptions): Promise<boolean> {
    try {
      const token = await tokenOf(options);
      if (this.#retired) return false;
      this.#socket = new WebSocket(url, token ? [SUBPROTOCOL, `aster.bearer.${token}`] : [SUBPROTOCOL]);
    } catch {
      return false; // the page's policy forbids it, the token can't be sent in a handshake, or there are no WebSockets
    }
    const socket = this.#socket;
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (typeof data === "string") this.#take(data);
    };
    return new Promise((resolve) => {
      socket.onopen = () => {
        resolve(true);
      };
      socket.onclose = ({ code }) => {
        this.#end(whyClosed(code));
        resolve(false);
      };
    });
  }

  subscribe({ after, agent_id, session_id, types }: StreamQuery, listener: StreamListener): void {
    this.#listener = listener;
    this.#subscription = this.#id();
    // JSON leaves out what is undefined.
    this.#send(this.#subscription, "subscribe", JSON.stringify({ after, agent_id, session_id, types }));
  }

  ask(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Answer> {
    const id = this.#id();
    const { pathname, searchParams } = new URL(path, "http://daemon");
    const client = this.#name;
    const payload = JSON.stringify({ method, path: pathname, query: Object.fromEntries(searchParams), client });
    return new Promise((resolve, reject) => {
      const done = (): void => {
        this.#calls.delete(id);
        signal?.removeEventListener("abort", abort);
        if (this.#retired && this.#calls.size === 0) this.#close();
      };
      const call: Call = {
        resolve: (answer) => {
          done();
          resolve(answer);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      const abort = (): void => {
        call.reject(signal?.reason as Error);
      };
      this.#calls.set(id, call);
      signal?.addEventListener("abort", abort, { once: true });
      // The body is JSON already.
      this.#send(id, "request", body === undefined ? payload : `${payload.slice(0, -1)},"body":${body}}`);
    });
  }

  /** Closes the stream on this side. Open calls may still be answered; a silent socket is then closed. */
  retire(): void {
    if (this.#retired) return;
    this.#retired = true;
    this.#listener = null;
    this.#onOver();
    if (this.#calls.size === 0) {
      this.#close();
      return;
    }
    this.#silence = setTimeout(() => {
      this.#close();
      this.#end(unreachable("the connection says nothing any more"));
    }, SILENCE_MS);
    this.ask("GET", "/api/flags").catch(() => undefined);
  }

  #id(): string {
    this.#count += 1;
    return `c${this.#count}`;
  }

  #send(id: string, type: string, payload: string): void {
    this.#socket?.send(`{"id":"${id}","type":"${type}","payload":${payload}}`);
  }

  #take(text: string): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
    let said: unknown;
    try {
      said = JSON.parse(text);
    } catch (cause) {
      this.#close();
      this.#end(unreachable("the connection brings no sense", cause));
      return;
    }
    if (!isObject(said)) return;
    if (typeof said["type"] === "string") {
      this.#listener?.event(said as unknown as AsterEvent);
      return;
    }
    const id = String(said["id"]);
    if (id === this.#subscription && said["success"] === false) {
      const listener = this.#listener;
      this.retire();
      listener?.end(refusal(400, said as unknown as Failure));
      return;
    }
    this.#calls.get(id)?.resolve({ status: Number(said["status"]), body: text });
  }

  #close(): void {
    this.#socket?.close();
  }

  #end(error: AsterError): void {
    if (this.#silence !== null) clearTimeout(this.#silence);
    this.#silence = null;
    this.#onOver();
    const listener = this.#listener;
    this.#listener = null;
    for (const call of [...this.#calls.values()]) call.reject(error);
    listener?.end(error);
  }
}

function whyClosed(code: number): AsterError {
  if (code === SIGNED_OUT) {
    return new AsterError(401, "token_refused", "this browser was signed out", "ask the app for a new link");
  }
  return unreachable(code === GOING_AWAY ? "the daemon is stopping" : "the connection broke off");
}

/** Resolves like `promise`, unless the signal is aborted before. */
function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    signal.addEventListener("abort", abort, { once: true });
    promise
      .then(resolve, reject)
      .finally(() => {
        signal.removeEventListener("abort", abort);
      })
      .catch(report);
  });
}
