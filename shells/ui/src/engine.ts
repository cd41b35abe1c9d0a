// The page's connection to the daemon: one client, one store, and the events that the store does not keep.
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

/** Calls `listener` with every event as it arrives; returns a function that ends this. */
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

/** The name under which this window's answers to questions appear in other windows. */
const NAME = host ? texts.app.asApp : texts.app.asBrowser;

export const client = createClient({ token: bearer, name: NAME });

export const store = createStore(client, {
  onEvent(event) {
    for (const listen of [...listeners]) listen(event);
  },
});

/** Selects a part of the store's state. `select` must return the same value for the same state. */
export function usePicture<T>(select: (state: StoreState) => T): T {
  return useSyncExternalStore(store.subscribe, () => select(store.getState()));
}

// -- the daemon's status from the native shell ---------------------------------------------------------------------------

const engine = new Cell<EngineStatus | null>(null);

host?.onRuntimeStatus((status) => {
  engine.set(status);
  if (status === "ready") store.retry();
});

/** The last status of the daemon's process that the shell reported; null in a browser, and before the first report. */
export function useEngine(): EngineStatus | null {
  return useCell(engine);
}
