// The daemon as the page sees it: one client, one store, and the events that the store does not keep.
import {
  createClient,
  createStore,
  hostOf,
  type AsterEvent,
  type AsterHost,
  type EngineStatus,
  type StoreState,
} from "@aster-sidecar/client";
import { useSyncExternalStore } from "react";
import { Cell, useCell } from "./cell.js";
import { texts } from "./messages.js";

const BEARER = "aster.bearer";

const listeners = new Set<(event: AsterEvent) => void>();

/** Calls back with every event as it comes; returns what ends that. */
export function onEvent(listener: (event: AsterEvent) => void): () => void {
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

/** What others see as the one who answered a question. */
const NAME = host ? texts.app.asApp : texts.app.asBrowser;

export const client = createClient({ token: bearer, name: NAME });

export const store = createStore(client, {
  onEvent(event) {
    for (const listen of [...listeners]) listen(event);
  },
});

/** A part of the picture. `select` has to give the same value for the same picture. */
export function usePicture<T>(select: (state: StoreState) => T): T {
  return useSyncExternalStore(store.subscribe, () => select(store.getState()));
}

// -- the native shell's word on the daemon's process ---------------------------------------------------------------------

const engine = new Cell<EngineStatus | null>(null);

host?.onRuntimeStatus((status) => {
  engine.set(status);
  if (status === "ready") store.retry();
});

/** What the shell said last of the daemon's process; null in a browser, and until it has said something. */
export function useEngine(): EngineStatus | null {
  return useCell(engine);
}
