// Keys that are not meant for the page.

/**
 * Keeps the keys of an input method from everything that acts on keys. While text is composed, Enter takes a candidate and
 * Escape drops it. WebKit says the Enter that ends a composition after the composition is over; then only its key code tells.
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

/** What stands where Escape stops an answer: the message field, and whatever takes no keys of its own. */
export function escapeStops(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return true;
  if (target.closest(".composer") !== null) return true;
  return target.closest(".approval, aside, header, input, textarea, select, [role=menu]") === null;
}
