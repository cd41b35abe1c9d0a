// The pages' sockets: each is a WebSocket to the daemon that the app holds, so that pages need no token and no port.
import { randomBytes } from "node:crypto";
import type { HostSocketEvent } from "@aster-sidecar/client";
import type WebSocket from "ws";
import { openSocket, type Endpoint } from "../supervisor/index.js";
import { checkFrame, checkSocketId, checkSocketUrl, Refused } from "./checks.js";

/** The most open sockets for one window; the shared page needs one. */
const MOST = 16;
/** The most bytes that may wait to be sent to the daemon. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;
const OPEN = 1;

interface Held {
  owner: string;
  socket: WebSocket;
}

/** All open sockets. `say` is called with every event of a socket. */
export class Sockets {
  readonly #endpoint: () => Endpoint;
  readonly #client: string;
  readonly #held = new Map<string, Held>();

  /** `client` is the name under which approvals are answered over these sockets. */
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
      if (this.#held.delete(id)) say(event); // only the first end is reported, and none after `close`
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

  /** Closes a socket; no more events follow. Closing it again does nothing. */
  close(owner: string, id: unknown): void {
    const held = this.#held.get(checkSocketId(id));
    if (held?.owner !== owner) return;
    this.#held.delete(id as string);
    held.socket.close();
  }

  /** Closes all sockets of a window that was closed or shows another page. */
  closeAll(owner: string): void {
    for (const [id, held] of [...this.#held]) if (held.owner === owner) this.close(owner, id);
  }

  #of(owner: string, id: unknown): Held {
    const held = this.#held.get(checkSocketId(id));
    if (held?.owner !== owner) throw new Refused("no such socket");
    return held;
  }
}
