// A native host on the page's side, for tests: it has the token, and relays to the real daemon what a shell would.
// A socket's messages come from the daemon's event stream until it has `/ws`; what the page sees is the same.
import { createParser, SOCKET_URL, type Answer, type HostSocketEvent, type HostWire } from "../src/index.js";
import type { Daemon } from "./daemon.js";

interface Subscription {
  id: string;
  type: string;
  payload: { after: number | null; agent_id?: string; session_id?: string; types?: string[] };
}

export class TestHost implements HostWire {
  readonly #daemon: Daemon;
  readonly #listeners = new Set<(event: HostSocketEvent) => void>();
  readonly #sockets = new Map<string, AbortController>();
  readonly calls: string[] = [];
  #count = 0;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  async request(method: string, path: string, body?: string): Promise<Answer> {
    this.calls.push(`${method} ${path}`);
    const response = await fetch(this.#daemon.url + path, {
      method,
      headers: { ...this.#headers(), ...(body !== undefined && { "Content-Type": "application/json" }) },
      ...(body !== undefined && { body }),
    });
    return { status: response.status, body: await response.text() };
  }

  async openSocket(url: string): Promise<string> {
    if (url !== SOCKET_URL) throw new Error(`not a socket of this host: ${url}`);
    await fetch(`${this.#daemon.url}/health`); // as the handshake: fails where nobody listens
    this.#count += 1;
    const id = `socket_${this.#count}`;
    this.#sockets.set(id, new AbortController());
    this.#say({ id, type: "open" }); // before the page knows the id: that happens
    return id;
  }

  sendSocket(id: string, data: string): Promise<void> {
    const socket = this.#sockets.get(id);
    if (!socket) return Promise.reject(new Error("no such socket"));
    this.#relay(id, JSON.parse(data) as Subscription, socket.signal)
      .catch(() => undefined)
      .finally(() => {
        if (this.#sockets.delete(id)) this.#say({ id, type: "close", code: 1006, reason: "the engine is gone" });
      });
    return Promise.resolve();
  }

  closeSocket(id: string): Promise<void> {
    this.#sockets.get(id)?.abort();
    this.#sockets.delete(id);
    return Promise.resolve();
  }

  onSocketEvent(listener: (event: HostSocketEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Breaks every socket there is. */
  cut(): void {
    for (const [id, socket] of this.#sockets) {
      this.#sockets.delete(id);
      socket.abort();
      this.#say({ id, type: "error", reason: "cut by the test" });
    }
  }

  get sockets(): number {
    return this.#sockets.size;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  async #relay(id: string, { id: requestId, type, payload }: Subscription, signal: AbortSignal): Promise<void> {
    if (type !== "subscribe") throw new Error(`not expected: ${type}`);
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(payload)) if (value !== null) query.set(name, String(value));
    const response = await fetch(`${this.#daemon.url}/api/events?${query}`, { headers: this.#headers(), signal });
    if (!response.ok || response.body === null) {
      const refusal = (await response.json()) as object;
      this.#say({ id, type: "message", data: JSON.stringify({ ...refusal, id: requestId }) });
      return;
    }
    this.#say({ id, type: "message", data: JSON.stringify({ id: requestId, success: true, data: {} }) });
    const parser = createParser(({ data }) => {
      this.#say({ id, type: "message", data });
    });
    const decoder = new TextDecoder();
    const body = response.body as unknown as AsyncIterable<Uint8Array>;
    for await (const chunk of body) parser.push(decoder.decode(chunk, { stream: true }));
  }

  #headers(): Record<string, string> {
    return { Authorization: `Bearer ${this.#daemon.token ?? ""}`, "X-Aster-Client": "the shell" };
  }

  #say(event: HostSocketEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
