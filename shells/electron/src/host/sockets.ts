// The pages' sockets: each is one WebSocket to the daemon, opened and held here, so that no page has token or port.
import { randomBytes } from "node:crypto";
import type { HostSocketEvent } from "@aster-sidecar/client";
import type WebSocket from "ws";
import { openSocket, type Endpoint } from "../supervisor/index.js";
import { checkFrame, checkSocketId, checkSocketUrl, Refused } from "./checks.js";

/** So many at once in one window; the shared page needs one. */
const MOST = 16;
/** What may wait to be sent to the daemon. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;
const OPEN = 1;

interface Held {
  owner: string;
  socket: WebSocket;
}

/** `say` hears every event of the sockets of `owner`. */
export class Sockets {
  readonly #endpoint: () => Endpoint;
  readonly #client: string;
  readonly #held = new Map<string, Held>();

  /** `client` is what the daemon calls whoever answers approvals over these sockets. */
  constructor(endpoint: () => Endpoint, client: string) {
    this.#endpoint = endpoint;
    this.#client = client;
  }

  get size(): number {
    return this.#held.size;
  }

  /** Raises: Refused, EngineUnavailable. */
  open(owner: string, url: unknown, say: (event: HostSocketEvent) => void): string {
    checkSocketUrl(url);
    if ([...this.#held.values()].filter((held) => held.owner === owner).length >= MOST)
      throw new Refused(`no more than ${MOST} sockets at once`);
    const socket = openSocket(this.#endpoint(), this.#client);
    const id = `socket_${randomBytes(16).toString("hex")}`;
    this.#held.set(id, { owner, socket });
    const end = (event: HostSocketEvent): void => {
      if (this.#held.delete(id)) say(event); // the first end counts; one that was closed from here says nothing
    };
    socket.on("open", () => {
      if (this.#held.has(id)) say({ id, type: "open" });
    });
    socket.on("message", (data: Buffer, binary: boolean) => {
      if (!binary && this.#held.has(id)) say({ id, type: "message", data: data.toString("utf8") });
    });
    socket.on("error", (cause) => {
      end({ id, type: "error", reason: cause.message });
      socket.terminate();
    });
    socket.on("close", (code, reason) => {
      end({ id, type: "close", code, reason: reason.toString("utf8") });
    });
    return id;
  }

  /** Raises: Refused. */
  send(owner: string, id: unknown, data: unknown): void {
    const { socket } = this.#of(owner, id);
    const frame = checkFrame(data);
    if (socket.readyState !== OPEN) throw new Refused("the socket is not open");
    if (socket.bufferedAmount > MOST_WAITING_BYTES) throw new Refused("the daemon does not take what it is sent");
    socket.send(frame);
  }

  /** Nothing more is said of it. Idempotent. */
  close(owner: string, id: unknown): void {
    const held = this.#held.get(checkSocketId(id));
    if (held?.owner !== owner) return;
    this.#held.delete(id as string);
    held.socket.close();
  }

  /** All of one window: it is gone, or shows another page. */
  closeAll(owner: string): void {
    for (const [id, held] of [...this.#held]) if (held.owner === owner) this.close(owner, id);
  }

  #of(owner: string, id: unknown): Held {
    const held = this.#held.get(checkSocketId(id));
    if (held?.owner !== owner) throw new Refused("no such socket");
    return held;
  }
}
