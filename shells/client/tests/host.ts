// A native host for tests, as a page sees it: it has the token, and relays to the real daemon like a shell.
import { WebSocket } from "ws";
import { SOCKET_URL, type Answer, type HostFile, type HostSocketEvent, type HostWire } from "../src/index.js";
import type { Daemon } from "./daemon.js";

export class TestHost implements HostWire {
  readonly #daemon: Daemon;
  readonly #listeners = new Set<(event: HostSocketEvent) => void>();
  readonly #sockets = new Map<string, WebSocket>();
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

  async upload(name: string, bytes: Uint8Array): Promise<Answer> {
    this.calls.push("POST /api/attachments");
    const response = await fetch(`${this.#daemon.url}/api/attachments`, {
      method: "POST",
      headers: { ...this.#headers(), "X-Filename": encodeURIComponent(name) },
      body: bytes as Uint8Array<ArrayBuffer>,
    });
    return { status: response.status, body: await response.text() };
  }

  async download(attachment_id: string): Promise<HostFile> {
    this.calls.push(`GET /api/attachments/${attachment_id}`);
    const response = await fetch(`${this.#daemon.url}/api/attachments/${attachment_id}`, { headers: this.#headers() });
    const media_type = response.headers.get("Content-Type") ?? "";
    return { status: response.status, media_type, bytes: new Uint8Array(await response.arrayBuffer()) };
  }

  openSocket(url: string): Promise<string> {
    if (url !== SOCKET_URL) return Promise.reject(new Error(`not a socket of this host: ${url}`));
    const socket = new WebSocket(`ws://127.0.0.1:${this.#daemon.port}/ws`, { headers: this.#headers() });
    this.#count += 1;
    const id = `socket_${this.#count}`;
    return new Promise((resolve, reject) => {
      socket.on("open", () => {
        this.#sockets.set(id, socket);
        this.#say({ id, type: "open" }); // before the page knows the id, which can happen
        resolve(id);
      });
      socket.on("message", (data: Buffer) => {
        this.#say({ id, type: "message", data: data.toString("utf8") });
      });
      socket.on("close", (code, reason) => {
        if (this.#sockets.delete(id)) this.#say({ id, type: "close", code, reason: reason.toString("utf8") });
      });
      socket.on("error", reject); // after the handshake `close` reports it
    });
  }

  sendSocket(id: string, data: string): Promise<void> {
    const socket = this.#sockets.get(id);
    if (!socket) return Promise.reject(new Error("no such socket"));
    socket.send(data);
    return Promise.resolve();
  }

  closeSocket(id: string): Promise<void> {
    const socket = this.#sockets.get(id);
    this.#sockets.delete(id);
    socket?.close();
    return Promise.resolve();
  }

  onSocketEvent(listener: (event: HostSocketEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Breaks every socket. */
  cut(): void {
    for (const [id, socket] of this.#sockets) {
      this.#sockets.delete(id);
      socket.terminate();
      this.#say({ id, type: "error", reason: "cut by the test" });
    }
  }

  get sockets(): number {
    return this.#sockets.size;
  }

  get listeners(): number {
    return this.#listeners.size;
  }

  #headers(): Record<string, string> {
    const name = { "X-Aster-Client": "the shell" };
    return this.#daemon.token === null ? name : { ...name, Authorization: `Bearer ${this.#daemon.token}` };
  }

  #say(event: HostSocketEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
}
