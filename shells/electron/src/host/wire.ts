// The app's own connection to the daemon: the same client as the page's, through the same relay, without a page.
import { createClient, hostTransport, type Client, type HostSocketEvent, type HostWire } from "@aster-sidecar/client";
import type { Supervisor } from "../supervisor/index.js";
import type { Sockets } from "./sockets.js";

const OWNER = "the app";
const TIMEOUT_MS = 60_000;

export function ownWire(supervisor: () => Supervisor, sockets: Sockets): HostWire {
  const listeners = new Set<(event: HostSocketEvent) => void>();
  const say = (event: HostSocketEvent): void => {
    for (const listener of [...listeners]) listener(event);
  };
  const done = (act: () => void): Promise<void> => {
    try {
      act();
      return Promise.resolve();
    } catch (cause) {
      return Promise.reject(cause);
    }
  };
  return {
    request: (method, path, body) => supervisor().call({ method, path, body, timeout_ms: TIMEOUT_MS, client: OWNER }),
    openSocket(url) {
      try {
        return Promise.resolve(sockets.open(OWNER, url, say));
      } catch (cause) {
        return Promise.reject(cause);
      }
    },
    sendSocket: (id, data) =>
      done(() => {
        sockets.send(OWNER, id, data);
      }),
    closeSocket: (id) =>
      done(() => {
        sockets.close(OWNER, id);
      }),
    onSocketEvent(listener) {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
  };
}

export function ownClient(wire: HostWire): Client {
  return createClient({ transport: hostTransport({ host: wire }) });
}
