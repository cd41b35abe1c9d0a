// A list of rows of any height, of which only those near the view are in the page.
//
// Rows stand in the page's normal flow between two spacers that are as high as the rows left out. Where the person looks
// is kept by an anchor, the topmost row in view: after any change of heights the list is scrolled so that this row stays
// where it was. At the bottom, the bottom is the anchor.
import { memo, useCallback, useEffect, useLayoutEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import type { Place } from "./places.js";

export interface VirtualListProps<Item> {
  items: readonly Item[];
  keyOf: (item: Item) => string;
  render: (item: Item) => ReactNode;
  label: string;
  /** The person has come near the first row. */
  onNearStart: () => void;
  /** Whether the end is in view. */
  onAtEnd: (atEnd: boolean) => void;
  /** What stands above the first and below the last row. */
  head?: ReactNode;
  tail?: ReactNode;
  handle: RefObject<ListHandle | null>;
  /** Where to begin; null: at the end. */
  place: Place | null;
  /** The person is somewhere else now. */
  onPlace: (place: Place | null) => void;
}

export interface ListHandle {
  toEnd(): void;
  /** Shows the row with this key, its upper edge `top` pixels below the list's. False: there is none. */
  to(key: string, top: number): boolean;
  /** The row with this key, when it is in the page. */
  row(key: string): HTMLElement | null;
}

const GUESS_PX = 120;
const OVERSCAN_PX = 900;
const NEAR_PX = 1200;
const END_PX = 40;

/** The rows that surely fill a window around one. */
function around(at: number, many: number): [number, number] {
  return [Math.max(0, at - 12), Math.min(many, at + 24)];
}

export function VirtualList<Item>(props: VirtualListProps<Item>) {
  const { items, keyOf, render, label, onNearStart, onAtEnd, head, tail, handle, place, onPlace } = props;
  const [begin] = useState(() => {
    const at = place === null ? -1 : items.findIndex((item) => keyOf(item) === place.key);
    return place !== null && at >= 0 ? { place, range: around(at, items.length) } : null;
  });
  const frame = useRef<HTMLDivElement>(null);
  const heights = useRef(new Map<string, number>());
  const anchor = useRef<Place | null>(begin?.place ?? null);
  const sticky = useRef(begin === null);
  const lastTop = useRef(0);
  const [range, setRange] = useState<[number, number]>(begin?.range ?? [Math.max(0, items.length - 12), items.length]);
  const firstKey = items[0] === undefined ? "" : keyOf(items[0]);
  const [knownFirst, setKnownFirst] = useState(firstKey);
  if (knownFirst !== firstKey) {
    // Older rows came before those there were: the same ones stay in the page.
    const shift = items.findIndex((item) => keyOf(item) === knownFirst);
    setKnownFirst(firstKey);
    if (shift > 0) setRange([range[0] + shift, range[1] + shift]);
  }
  const live = useRef({ items, keyOf, onNearStart, onAtEnd, onPlace });
  useLayoutEffect(() => {
    live.current = { items, keyOf, onNearStart, onAtEnd, onPlace };
  });

  const heightOf = useCallback((key: string) => heights.current.get(key) ?? GUESS_PX, []);

  /** Which rows are to be in the page. */
  const measure = useCallback(() => {
    const box = frame.current;
    if (!box) return;
    const { items, keyOf } = live.current;
    const first = box.querySelector<HTMLElement>("[data-spacer]");
    const offset = first ? first.getBoundingClientRect().top - box.getBoundingClientRect().top : 0;
    const from = -offset - OVERSCAN_PX;
    const to = -offset + box.clientHeight + OVERSCAN_PX;
    let y = 0;
    let start = items.length;
    let end = items.length;
    for (const [place, item] of items.entries()) {
      const next = y + heightOf(keyOf(item));
      if (start === items.length && next >= from) start = place;
      if (y > to) {
        end = place;
        break;
      }
      y = next;
    }
    start = Math.min(start, Math.max(0, items.length - 1));
    setRange((before) => (before[0] === start && before[1] === end ? before : [start, end]));
  }, [heightOf]);

  const remember = useCallback(() => {
    const box = frame.current;
    if (!box) return;
    const top = box.getBoundingClientRect().top;
    anchor.current = null;
    for (const row of box.querySelectorAll<HTMLElement>("[data-row]")) {
      const rect = row.getBoundingClientRect();
      if (rect.bottom > top) {
        anchor.current = { key: row.dataset.row ?? "", top: rect.top - top };
        return;
      }
    }
  }, []);

  const rowOf = useCallback(
    (key: string) =>
      [...(frame.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])].find((one) => one.dataset.row === key) ??
      null,
    [],
  );

  /** Scrolls so that the anchor is where it was. */
  const hold = useCallback(() => {
    const box = frame.current;
    if (!box) return;
    if (sticky.current) {
      box.scrollTop = box.scrollHeight;
    } else if (anchor.current) {
      const { key, top } = anchor.current;
      const row = rowOf(key);
      if (row) {
        const moved = row.getBoundingClientRect().top - box.getBoundingClientRect().top - top;
        if (Math.abs(moved) > 0.5) box.scrollTop += moved;
      }
    }
    lastTop.current = box.scrollTop;
  }, [rowOf]);

  const look = useCallback(() => {
    const box = frame.current;
    if (!box) return;
    const left = box.scrollHeight - box.scrollTop - box.clientHeight;
    const upwards = box.scrollTop < lastTop.current - 1;
    const downwards = box.scrollTop > lastTop.current + 1;
    if (left <= 1 || (left <= END_PX && downwards)) sticky.current = true;
    else if (upwards && left > 2) sticky.current = false;
    lastTop.current = box.scrollTop;
    live.current.onAtEnd(sticky.current);
    if (box.scrollTop < NEAR_PX) live.current.onNearStart();
    remember();
    measure();
    live.current.onPlace(sticky.current ? null : anchor.current);
  }, [measure, remember]);

  // Rows tell their heights; the frame tells when the window changes.
  const observer = useRef<ResizeObserver | null>(null);
  const observed = useCallback(() => {
    observer.current ??= new ResizeObserver((entries) => {
      for (const { target } of entries) {
        const key = (target as HTMLElement).dataset.row;
        if (key !== undefined && target.isConnected) heights.current.set(key, target.getBoundingClientRect().height);
      }
      hold();
      measure();
    });
    return observer.current;
  }, [hold, measure]);
  useEffect(() => {
    const box = frame.current;
    const ear = observed();
    if (box) ear.observe(box);
    return () => {
      observer.current?.disconnect();
      observer.current = null;
    };
  }, [observed]);

  useLayoutEffect(() => {
    // With guessed heights of rows that are there, what is held and what is measured would chase each other.
    for (const row of frame.current?.querySelectorAll<HTMLElement>("[data-row]") ?? [])
      heights.current.set(row.dataset.row ?? "", row.getBoundingClientRect().height);
    hold();
    measure();
  }, [items, range, measure, hold]);

  useEffect(() => {
    const box = frame.current;
    // A page that doesn't fill the window can't be scrolled to ask for more.
    if (box && box.scrollTop < NEAR_PX && items.length > 0) onNearStart();
  }, [items, onNearStart]);

  useLayoutEffect(() => {
    handle.current = {
      toEnd() {
        sticky.current = true;
        setRange([Math.max(0, live.current.items.length - 12), live.current.items.length]);
        hold();
        live.current.onAtEnd(true);
      },
      to(key, top) {
        const { items, keyOf } = live.current;
        const at = items.findIndex((item) => keyOf(item) === key);
        if (at < 0) return false;
        sticky.current = false;
        anchor.current = { key, top };
        setRange(around(at, items.length));
        hold();
        const box = frame.current;
        // Where nothing is below, the end goes on being followed.
        sticky.current =
          box !== null && rowOf(key) !== null && box.scrollHeight - box.scrollTop - box.clientHeight <= 1;
        live.current.onAtEnd(sticky.current);
        live.current.onPlace(sticky.current ? null : anchor.current);
        return true;
      },
      row: rowOf,
    };
  }, [handle, hold, rowOf]);

  const [start, end] = [Math.min(range[0], items.length), Math.min(range[1], items.length)];
  let above = 0;
  let below = 0;
  for (const [place, item] of items.entries()) {
    if (place < start) above += heightOf(keyOf(item));
    else if (place >= end) below += heightOf(keyOf(item));
  }
  return (
    <div
      ref={frame}
      className="scroller"
      tabIndex={0}
      role="region"
      aria-label={label}
      onScroll={look}
      onKeyDown={(event) => {
        // The end is where the last row is, not where the guessed heights would have it.
        if (event.key !== "End" || event.shiftKey || event.altKey || event.target !== frame.current) return;
        event.preventDefault();
        handle.current?.toEnd();
      }}
    >
      {head}
      <div data-spacer="above" style={{ height: above }} />
      {items.slice(start, end).map((item) => (
        <Row key={keyOf(item)} id={keyOf(item)} item={item} render={render} observer={observed} />
      ))}
      <div style={{ height: below }} />
      {tail}
    </div>
  );
}

interface RowProps<Item> {
  id: string;
  item: Item;
  render: (item: Item) => ReactNode;
  observer: () => ResizeObserver;
}

const Row = memo(function Row<Item>({ id, item, render, observer }: RowProps<Item>) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const row = element.current;
    if (!row) return;
    const ear = observer();
    ear.observe(row);
    return () => {
      ear.unobserve(row);
    };
  }, [observer]);
  return (
    <div ref={element} data-row={id} className="row">
      {render(item)}
    </div>
  );
}) as <Item>(props: RowProps<Item>) => ReactNode;
