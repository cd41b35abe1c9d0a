// When a page or program may have slept: an open connection may be dead then.

/** Events of a page that is shown again, resumes or gets the focus, or whose network is back. */
const OF_WINDOW = ["focus", "online", "pageshow"] as const;
const OF_DOCUMENT = ["resume", "visibilitychange"] as const;

/** Calls back after each of these events. Returns a function that ends this. Does nothing in Node. */
export function onWake(callback: () => void): () => void {
  const woken = (): void => {
    if (typeof document === "undefined" || document.visibilityState !== "hidden") callback();
  };
  const end: (() => void)[] = [];
  const on = (target: EventTarget, names: readonly string[]): void => {
    if (typeof target.addEventListener !== "function") return;
    for (const name of names) {
      target.addEventListener(name, woken);
      end.push(() => {
        target.removeEventListener(name, woken);
      });
    }
  };
  on(globalThis, OF_WINDOW);
  if (typeof document !== "undefined") on(document, OF_DOCUMENT);
  return () => {
    for (const one of end) one();
  };
}
