// When a page or program may have slept: what was true of a connection before need not be true now.

/** Says that the document is shown again, may run again, has the focus, or that the network is back. */
const OF_WINDOW = ["focus", "online", "pageshow"] as const;
const OF_DOCUMENT = ["resume", "visibilitychange"] as const;

/** Calls back after each of these; returns what ends that. Does nothing where there are no such events (Node). */
export function onWake(callback: () => void): () => void {
  const woken = (): void => {
    if (typeof document === "undefined" || document.visibilityState !== "hidden") callback();
  };
  return listen(OF_WINDOW, OF_DOCUMENT, woken);
}

/** Calls back when the page is about to stand still: it is frozen, closed, or kept to come back to. */
export function onSleep(callback: () => void): () => void {
  return listen(["pagehide"], ["freeze"], callback);
}

function listen(ofWindow: readonly string[], ofDocument: readonly string[], callback: () => void): () => void {
  const end: (() => void)[] = [];
  const on = (target: EventTarget, names: readonly string[]): void => {
    if (typeof target.addEventListener !== "function") return;
    for (const name of names) {
      target.addEventListener(name, callback);
      end.push(() => {
        target.removeEventListener(name, callback);
      });
    }
  };
  on(globalThis, ofWindow);
  if (typeof document !== "undefined") on(document, ofDocument);
  return () => {
    for (const one of end) one();
  };
}
