// The transport over HTTP, for programs. It also uses `fetch` for the stream, because EventSource can't send the token.
// Pages use socket.ts.
import { AsterError, notAFile, open, report, unreachable } from "./errors.js";
import { createParser } from "./sse.js";
import {
  checkSize,
  type Answer,
  type StreamListener,
  type StreamQuery,
  type Transport,
  type UploadOptions,
} from "./transport.js";
import type { AsterEvent } from "./types.js";

export interface HttpOptions {
  /** The daemon's address, such as `http://127.0.0.1:8080`. Not needed in a page that the daemon itself serves. */
  url?: string;
  /**
   * The launcher's token, or a function that returns it. The function is called before each request, so the token may
   * change.
   */
  token?: string | (() => string | null | Promise<string | null>);
  /** The name of this program: other clients see it on approvals that this program has answered. */
  name?: string;
  /** The longest wait for an answer, in seconds (not for the stream). */
  timeout_s?: number;
  fetch?: typeof fetch;
}

export const TIMEOUT_S = 60;
const UPLOAD = "/api/attachments";
/** The longest wait for the reason why a page gets no answer, in seconds. */
const WHY_S = 3;

export function httpTransport(options: HttpOptions = {}): Transport {
  const base = (options.url ?? "").replace(/\/+$/, "");
  const send = options.fetch ?? ((input, init) => fetch(input, init));

  async function signed(given?: HeadersInit): Promise<Headers> {
    const headers = new Headers(given);
    const token = await tokenOf(options);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const name = nameOf(options);
    if (name) headers.set("X-Aster-Client", name);
    return headers;
  }

  async function ask(path: string, init: RequestInit): Promise<Response> {
    const headers = await signed(init.headers);
    return send(base + path, { ...init, headers, cache: "no-store", credentials: "omit", redirect: "error" });
  }

  /**
   * The error for a request without an answer. A browser hides a refusal from a page of another origin. The daemon lets
   * a page of this machine read the refusal in the answer to a request without a preflight.
   */
  async function whyNot(words: string, cause: unknown): Promise<AsterError> {
    const origin = typeof location === "undefined" ? null : location.origin;
    if (origin === null || !/^https?:/.test(base) || new URL(base).origin === origin) return unreachable(words, cause);
    try {
      const signal = AbortSignal.timeout(WHY_S * 1000);
      const answer = await send(base + "/health", { cache: "no-store", credentials: "omit", signal });
      if (answer.status === 403) open(answer.status, await answer.text()); // throws the refusal
    } catch (reason) {
      if (reason instanceof AsterError && reason.code === "origin_refused") return reason;
    }
    return unreachable(words, cause, `is the daemon running? It has to let pages in with --allow-origin ${origin}`);
  }

  /** Calls `run` with a signal that also ends after the longest wait, and explains why there was no answer. */
  function answered<T>(signal: AbortSignal | undefined, run: (limit: AbortSignal) => Promise<T>): Promise<T> {
    return within(options.timeout_s ?? TIMEOUT_S, signal, async (limit) => {
      try {
        return await run(limit);
      } catch (cause) {
        if (limit.aborted) throw limit.reason;
        if (cause instanceof AsterError) throw cause;
        throw await whyNot("the daemon can't be reached", cause);
      }
    });
  }

  function request(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Answer> {
    return answered(signal, async (limit) => {
      const init: RequestInit = { method, signal: limit };
      if (body !== undefined) Object.assign(init, { body, headers: { "Content-Type": "application/json" } });
      const response = await ask(path, init);
      return { status: response.status, body: await response.text() };
    });
  }

  function upload(name: string, bytes: Uint8Array, { signal, progress }: UploadOptions = {}): Promise<Answer> {
    return answered(signal, async (signal) => {
      checkSize(bytes);
      const headers = { "Content-Type": "application/octet-stream", "X-Filename": fileHeader(name) };
      const body = bytes as Uint8Array<ArrayBuffer>; // not shared with another thread
      if (progress && options.fetch === undefined && typeof XMLHttpRequest === "function") {
        return post(base + UPLOAD, await signed(headers), body, signal, progress);
      }
      const response = await ask(UPLOAD, { method: "POST", headers, body, signal });
      const answer = { status: response.status, body: await response.text() };
      progress?.(bytes.byteLength);
      return answer;
    });
  }

  function download(attachment_id: string, signal?: AbortSignal): Promise<Blob> {
    return answered(signal, async (signal) => {
      const response = await ask(`${UPLOAD}/${encodeURIComponent(attachment_id)}`, { signal });
      return response.ok ? await response.blob() : notAFile(response.status, await response.text());
    });
  }

  function stream(query: StreamQuery, listener: StreamListener): () => void {
    const limit = new AbortController();
    const { signal } = limit;

    async function read(): Promise<AsterError> {
      const headers = { Accept: "text/event-stream" };
      const response = await ask(pathOf(query), { signal, headers }).catch(async (cause: unknown) => {
        throw signal.aborted ? cause : await whyNot("the stream can't be opened", cause);
      });
      if (!response.ok || response.body === null) {
        open(response.status, await response.text()); // throws the refusal
        throw unreachable("the stream has no body");
      }
      const parser = createParser((frame) => {
        if (!signal.aborted) listener.event(JSON.parse(frame.data) as AsterEvent);
      });
      const reader = response.body.getReader();
      const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // the parser removes the BOM
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return unreachable("the stream ended");
        parser.push(decoder.decode(value, { stream: true }));
      }
    }

    read()
      .catch((cause: unknown) => (cause instanceof AsterError ? cause : unreachable("the stream broke off", cause)))
      .then((error) => {
        if (signal.aborted) return;
        limit.abort(); // closes the connection if the error was in its content
        listener.end(error);
      })
      .catch(report);
    return () => {
      limit.abort();
    };
  }

  return { request, upload, download, stream };
}

/** Sends a file with XMLHttpRequest, because `fetch` reports no progress. */
function post(
  url: string,
  headers: Headers,
  body: Uint8Array<ArrayBuffer>,
  signal: AbortSignal,
  progress: (sent: number) => void,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = new XMLHttpRequest();
    const abort = (): void => {
      asked.abort();
      reject(signal.reason as Error);
    };
    asked.open("POST", url);
    headers.forEach((value, name) => {
      asked.setRequestHeader(name, value);
    });
    asked.upload.onprogress = ({ loaded }) => {
      progress(loaded);
    };
    asked.onload = () => {
      resolve({ status: asked.status, body: asked.responseText });
    };
    asked.onerror = () => {
      reject(new TypeError("the upload broke off"));
    };
    asked.onloadend = () => {
      signal.removeEventListener("abort", abort);
    };
    signal.addEventListener("abort", abort, { once: true });
    if (signal.aborted) abort();
    else asked.send(body);
  });
}

/** A file's name as the header `X-Filename` has it. Halves of characters, which can't be encoded, are replaced. */
function fileHeader(name: string): string {
  return encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\ufffd"));
}

/** Calls `run` with a signal that is aborted after `timeout_s` seconds, or with the caller's signal. */
export async function within<T>(
  timeout_s: number,
  signal: AbortSignal | undefined,
  run: (limit: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const abort = (): void => {
    limit.abort(signal?.reason);
  };
  signal?.throwIfAborted();
  signal?.addEventListener("abort", abort, { once: true });
  const timer = setTimeout(() => {
    limit.abort(unreachable(`no answer within ${timeout_s} s`));
  }, timeout_s * 1000);
  try {
    return await run(limit.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", abort);
  }
}

export async function tokenOf({ token }: HttpOptions): Promise<string | null> {
  return (typeof token === "function" ? await token() : token) ?? null;
}

/** The program's name with characters that a header allows. */
export function nameOf({ name }: HttpOptions): string | null {
  return name ? name.replace(/[^\x20-\x7e]/g, "?") : null;
}

function pathOf({ after, agent_id, session_id, types }: StreamQuery): string {
  return "/api/events" + queryOf({ after, agent_id, session_id, types: types?.join(",") });
}

/** The query string of all values that are set. */
export function queryOf(values: Record<string, string | number | boolean | null | undefined>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined) query.set(name, String(value));
  }
  const text = query.toString();
  return text && `?${text}`;
}
