// Keys that the page must ignore.

/**
 * Hides the keys of an input method from all key handlers. During a composition, Enter accepts a candidate and Escape
 * drops it. WebKit sends the Enter that ends a composition after the end; then only its key code identifies it.
 */
export function leaveCompositionAlone(): void {
  window.addEventListener(
    "keydown",
    (event) => {
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- WebKit has no other sign
      if (event.isComposing || event.keyCode === 229) event.stopImmediatePropagation();
    },
    true,
  );
}

/** Whether Escape stops an answer here: in the message field, and in every element that uses no keys itself. */
export function escapeStops(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return true;
  if (target.closest(".composer") !== null) return true;
  return target.closest(".approval, aside, header, input, textarea, select, [role=menu]") === null;
}
