// The daemon as the page sees it: one client, one store, and the events that the store does not keep.
import {
  createClient,
  createStore,
  hostOf,
  hostTransport,
  httpTransport,
  type AsterHost,
  type StoreState,
  type Transport,
} from "@aster-sidecar/client";
import { useSyncExternalStore } from "react";

const BEARER = "aster.bearer";

/** Any event of the stream; a newer daemon may send types that the contract of this page does not have. */
export interface AnyEvent {
  type: string;
  agent_id: string | null;
  session_id: string | null;
  turn_id: string | null;
  seq: number | null;
  time: string;
  data: Record<string, unknown>;
}

const listeners = new Set<(event: AnyEvent) => void>();

/** Calls back with every event as it comes; returns what ends that. */
export function onEvent(listener: (event: AnyEvent) => void): () => void {
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
  };
}

export function bearer(): string | null {
  try {
    return sessionStorage.getItem(BEARER);
  } catch {
    return null;
  }
}

export function keepBearer(token: string): void {
  try {
    sessionStorage.setItem(BEARER, token);
  } catch {
    // Without storage the person is asked again after a reload.
  }
}

/** The native shell, or null in a browser. */
export const host: AsterHost | null = hostOf();

/** The real transport, with an ear on its stream. */
function listenedTo(inner: Transport): Transport {
  return {
    request: (...parameters) => inner.request(...parameters),
    stream: (query, listener) =>
      inner.stream(query, {
        event(event) {
          listener.event(event);
          for (const listen of [...listeners]) listen(event);
        },
        end(error) {
          listener.end(error);
        },
      }),
  };
}

/** What others see as the one who answered a question. */
const NAME = host ? "the app window" : "a browser window";

export const client = createClient({
  transport: listenedTo(host ? hostTransport({ host }) : httpTransport({ token: bearer, name: NAME })),
});

export const store = createStore(client);

/** A part of the picture. `select` has to give the same value for the same picture. */
export function usePicture<T>(select: (state: StoreState) => T): T {
  return useSyncExternalStore(store.subscribe, () => select(store.getState()));
}
