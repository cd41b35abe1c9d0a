// Where the person was in each conversation, for as long as this window is open.

export interface Place {
  /** The topmost message in view. */
  key: string;
  /** How far below the upper edge it begins, in pixels. */
  top: number;
}

const places = new Map<string, Place>();

export function placeIn(session_id: string): Place | null {
  return places.get(session_id) ?? null;
}

/** Null: at the end, where new messages are followed. */
export function keepPlace(session_id: string, place: Place | null): void {
  if (place === null) places.delete(session_id);
  else places.set(session_id, place);
}

const pages = new Map<string, number>();

/** Keeps how far a page is scrolled, and goes there again. For the `ref` of what scrolls. */
export function keptScroll(page: string): (box: HTMLElement | null) => (() => void) | undefined {
  return (box) => {
    if (!box) return undefined;
    const scrolled = (): void => {
      pages.set(page, box.scrollTop);
    };
    /** What a page shows may come later than the page. */
    const grown = new ResizeObserver(() => {
      const wanted = pages.get(page) ?? 0;
      if (box.scrollTop < wanted && box.scrollHeight - box.clientHeight >= wanted) box.scrollTop = wanted;
    });
    if (box.firstElementChild) grown.observe(box.firstElementChild);
    box.addEventListener("scroll", scrolled, { passive: true });
    return () => {
      grown.disconnect();
      box.removeEventListener("scroll", scrolled);
    };
  };
}
