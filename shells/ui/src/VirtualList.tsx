// A list of rows of any height, of which only those near the view are in the page.
//
// `@tanstack/react-virtual` measures the rows, decides which ones are in the page, and keeps the visible rows in place
// when rows above them change. This file adds what the library leaves to its users: whether the list follows the end,
// the last reading position, and how to scroll to a row. The rows are in the page's normal flow, between two spacers as
// high as the omitted rows, so that text can be selected and found.
import { elementScroll, useVirtualizer } from "@tanstack/react-virtual";
import { memo, useCallback, useEffect, useLayoutEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import type { Place } from "./places.js";

export interface VirtualListProps<Item> {
  items: readonly Item[];
  keyOf: (item: Item) => string;
  render: (item: Item) => ReactNode;
  label: string;
  /** Called when the person has scrolled near the first row. */
  onNearStart: () => void;
  /** Whether the end is in view. */
  onAtEnd: (atEnd: boolean) => void;
  /** The content above the first and below the last row. */
  head?: ReactNode;
  tail?: ReactNode;
  handle: RefObject<ListHandle | null>;
  /** The position to begin at; null: at the end. */
  place: Place | null;
  /** Called when the position changes. */
  onPlace: (place: Place | null) => void;
}

export interface ListHandle {
  toEnd(): void;
  /** Scrolls to the row with this key, its upper edge `top` pixels below the list's. False: there is none. */
  to(key: string, top: number): boolean;
  /** The row with this key, if it is in the page. */
  row(key: string): HTMLElement | null;
}

const GUESS_PX = 120;
/** The number of rows that are in the page before and after the visible ones. */
const OVERSCAN = 6;
const NEAR_PX = 1200;
const END_PX = 40;

/** This list decides whether it follows the end; the library must not decide that by the distance. */
const endOf = (following: boolean) => ({
  followOnAppend: following,
  scrollEndThreshold: following ? Infinity : -1,
});

const heightOf = (row: HTMLElement): number => row.getBoundingClientRect().height;

export function VirtualList<Item>(props: VirtualListProps<Item>) {
  const { items, keyOf, render, label, onNearStart, onAtEnd, head, tail, handle, place, onPlace } = props;
  const frame = useRef<HTMLDivElement>(null);
  const spacer = useRef<HTMLDivElement>(null);
  /** The last known scroll position: if the current one differs, the person has scrolled. */
  const lastTop = useRef(0);
  /** The height of `head`, in pixels. */
  const [margin, setMargin] = useState(0);
  const [begin] = useState(() => {
    const at = place === null ? -1 : items.findIndex((item) => keyOf(item) === place.key);
    return place !== null && at >= 0
      ? { place, offset: at * GUESS_PX - place.top }
      : { place: null, offset: items.length * GUESS_PX };
  });
  /** Whether the list follows the end. Not a state: the library renders at once after a scroll event. */
  const following = useRef(begin.place === null);
  /** How far below the list's upper edge `to` puts the row, in pixels. */
  const aim = useRef(begin.place?.top ?? 0);

  const list = useVirtualizer<HTMLDivElement, HTMLDivElement>({
    count: items.length,
    getScrollElement: () => frame.current,
    estimateSize: () => GUESS_PX,
    getItemKey: useCallback((index: number) => keyOf(items[index] as Item), [items, keyOf]),
    measureElement: heightOf,
    overscan: OVERSCAN,
    // Roughly the position where the list begins, so that the first rendered rows are the visible ones.
    initialOffset: begin.offset,
    initialRect: { width: 0, height: window.innerHeight },
    scrollMargin: margin,
    scrollPaddingStart: aim.current,
    anchorTo: "end",
    ...endOf(following.current),
    scrollToFn: (...args) => {
      elementScroll(...args);
      lastTop.current = frame.current?.scrollTop ?? 0;
    },
  });

  useLayoutEffect(() => {
    // A changed row above the view never moves the visible rows. By default it does while the person scrolls up.
    list.shouldAdjustScrollPositionOnItemSizeChange = ({ key, start, end }, _, { itemSizeCache, scrollOffset }) =>
      itemSizeCache.has(key) ? end <= (scrollOffset ?? 0) : start < (scrollOffset ?? 0);
  }, [list]);

  const live = useRef({ items, keyOf, onNearStart, onAtEnd, onPlace });
  useLayoutEffect(() => {
    live.current = { items, keyOf, onNearStart, onAtEnd, onPlace };
  });

  const rowOf = useCallback(
    (key: string) =>
      [...(frame.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])].find((one) => one.dataset.row === key) ??
      null,
    [],
  );

  const follow = useCallback(
    (now: boolean) => {
      if (following.current !== now) list.setOptions({ ...list.options, ...endOf(now) });
      following.current = now;
      live.current.onAtEnd(now);
    },
    [list],
  );

  /** The topmost row in view. */
  const here = useCallback((): Place | null => {
    const offset = frame.current?.scrollTop ?? 0;
    const item = list.getVirtualItemForOffset(offset);
    return item ? { key: String(item.key), top: item.start - offset } : null;
  }, [list]);

  /** Scrolls to the end if the list follows it. */
  const pin = useCallback(() => {
    const box = frame.current;
    if (!box || !following.current) return;
    box.scrollTop = box.scrollHeight;
    lastTop.current = box.scrollTop;
  }, []);

  /** Handles a scroll by the person or by this list. */
  const look = useCallback(() => {
    const box = frame.current;
    if (!box) return;
    const left = box.scrollHeight - box.scrollTop - box.clientHeight;
    const upwards = box.scrollTop < lastTop.current - 1;
    const downwards = box.scrollTop > lastTop.current + 1;
    if (left <= 1 || (left <= END_PX && downwards)) follow(true);
    else if (upwards && left > 2) follow(false);
    lastTop.current = box.scrollTop;
    if (box.scrollTop < NEAR_PX) live.current.onNearStart();
    live.current.onPlace(following.current ? null : here());
  }, [follow, here]);

  useLayoutEffect(() => {
    setMargin(spacer.current?.offsetTop ?? 0);
  }, [head]);
  useLayoutEffect(pin);

  useEffect(() => {
    const box = frame.current;
    const ear = new ResizeObserver(pin);
    if (box) ear.observe(box);
    return () => {
      ear.disconnect();
    };
  }, [pin]);

  useEffect(() => {
    const box = frame.current;
    // A list that doesn't fill the window can't be scrolled, so more is fetched at once.
    if (box && box.scrollTop < NEAR_PX && items.length > 0) onNearStart();
  }, [items, onNearStart]);

  /** Notifies the library of a scroll. The browser's event comes one frame later, and that frame would be blank. */
  const moved = useCallback(() => {
    frame.current?.dispatchEvent(new Event("scroll"));
  }, []);

  /** Scrolls to a row. False: no row has this key. */
  const show = useCallback(
    (key: string, top: number): boolean => {
      const { items, keyOf } = live.current;
      const at = items.findIndex((item) => keyOf(item) === key);
      if (at < 0) return false;
      following.current = false;
      aim.current = top;
      list.setOptions({ ...list.options, ...endOf(false), scrollPaddingStart: top });
      list.scrollToIndex(at, { align: "start" });
      return true;
    },
    [list],
  );

  useLayoutEffect(() => {
    handle.current = {
      toEnd() {
        follow(true);
        list.scrollToEnd();
        pin();
        moved();
      },
      to(key, top) {
        // A row may have just grown, because its text is now shown in full. Otherwise it would be measured one frame
        // later.
        for (const row of frame.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])
          list.resizeItem(Number(row.dataset.index), heightOf(row));
        if (!show(key, top)) return false;
        moved();
        const box = frame.current;
        // If nothing is below, the list continues to follow the end.
        const atEnd = box !== null && rowOf(key) !== null && box.scrollHeight - box.scrollTop - box.clientHeight <= 1;
        follow(atEnd);
        live.current.onPlace(atEnd ? null : { key, top });
        return true;
      },
      row: rowOf,
    };
  }, [handle, follow, list, moved, pin, rowOf, show]);

  useLayoutEffect(() => {
    if (begin.place) show(begin.place.key, begin.place.top);
  }, [begin, show]);

  const rows = list.getVirtualItems();
  const above = (rows[0]?.start ?? margin) - margin;
  const below = list.getTotalSize() + margin - (rows.at(-1)?.end ?? margin);
  return (
    <div
      ref={frame}
      className="scroller"
      tabIndex={0}
      role="region"
      aria-label={label}
      onScroll={look}
      onKeyDown={(event) => {
        // The end is at the last row; the estimated heights would give another place.
        if (event.key !== "End" || event.shiftKey || event.altKey || event.target !== frame.current) return;
        event.preventDefault();
        handle.current?.toEnd();
      }}
    >
      {head}
      <div ref={spacer} style={{ height: above }} />
      {rows.map(({ index, key }) => {
        const item = items[index];
        return (
          item !== undefined && (
            <Row key={key} id={String(key)} index={index} item={item} render={render} measure={list.measureElement} />
          )
        );
      })}
      <div style={{ height: below }} />
      {tail}
    </div>
  );
}

interface RowProps<Item> {
  id: string;
  index: number;
  item: Item;
  render: (item: Item) => ReactNode;
  measure: (row: HTMLDivElement | null) => void;
}

const Row = memo(function Row<Item>({ id, index, item, render, measure }: RowProps<Item>) {
  return (
    <div ref={measure} data-row={id} data-index={index} className="row">
      {render(item)}
    </div>
  );
}) as <Item>(props: RowProps<Item>) => ReactNode;
