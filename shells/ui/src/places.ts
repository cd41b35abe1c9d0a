// The reading position in each conversation, for as long as this window is open.

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

/** Null: at the end; the list follows new messages. */
export function keepPlace(session_id: string, place: Place | null): void {
  if (place === null) places.delete(session_id);
  else places.set(session_id, place);
}

const pages = new Map<string, number>();

/** Keeps the scroll position of a page and restores it. For the `ref` of the scroll container. */
export function keptScroll(page: string): (box: HTMLElement | null) => (() => void) | undefined {
  return (box) => {
    if (!box) return undefined;
    const scrolled = (): void => {
      pages.set(page, box.scrollTop);
    };
    /** The content of a page may load later than the page. */
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
