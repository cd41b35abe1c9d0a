// Searches a conversation, including the messages that are not in the page: the daemon searches, as for the list.
import type { Hit } from "@aster-sidecar/client";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState, type RefObject } from "react";
import { announce } from "./announce.js";
import { IconButton } from "./Buttons.js";
import { client, usePicture } from "./engine.js";
import { lookFor, mark, placesOf, rangesIn, unmark } from "./found.js";
import { texts } from "./messages.js";
import type { ListHandle } from "./VirtualList.js";
import { said } from "./problems.js";

const PAGE = 200;
const MOST = 2000;
const TOP_PX = 16;
/** The number of frames in which a requested row may appear in the page. */
const FRAMES = 30;

interface FindBarProps {
  session_id: string;
  /** The first query, and the message to begin with; without one, the newest match. */
  begin: { query: string; at: string | null };
  list: RefObject<ListHandle | null>;
  /** Loads the messages of the list back to this one. Resolves with whether it exists. */
  bring: (message_id: string) => Promise<boolean>;
  /** Changes when the messages do. */
  version: string;
  field: RefObject<HTMLInputElement | null>;
  onClose: () => void;
}

interface Hits {
  query: string;
  /** Oldest first. */
  messages: readonly string[];
  more: boolean;
  problem: string | null;
}

export function FindBar({ session_id, begin, list, bring, version, field, onClose }: FindBarProps) {
  const [query, setQuery] = useState(begin.query);
  const [at, setAt] = useState(begin.at);
  /** How often a match was requested, including the current one, so that the list scrolls back to it. */
  const [steps, setSteps] = useState(0);
  const connected = usePicture((state) => state.connection.state === "connected");
  const hits = useWithGrowing(session_id, useHits(session_id, query.trim(), `${version} ${connected}`));
  const place = hits === null ? -1 : hits.messages.indexOf(at ?? "");
  const current = hits === null ? null : (hits.messages[place] ?? hits.messages.at(-1) ?? null);
  // The current match stays the same when new messages arrive.
  if (current !== null && current !== at) setAt(current);

  useMarks(list, hits === null ? "" : hits.query, current);
  useShown(list, bring, hits?.query ?? "", current, steps, connected);

  const words = status(hits, query, current);
  useEffect(() => {
    if (words !== "") announce(words);
  }, [words]);

  const step = (by: number): void => {
    if (!hits || hits.messages.length === 0) return;
    const from = current === null ? 0 : hits.messages.indexOf(current);
    setAt(hits.messages[(from + by + hits.messages.length) % hits.messages.length] ?? null);
    setSteps((before) => before + 1);
  };

  /** The element that had the focus before. */
  const came = useRef<Element | null>(null);
  useLayoutEffect(() => {
    came.current = document.activeElement;
    field.current?.focus();
    field.current?.select();
  }, [field]);
  const close = (): void => {
    onClose();
    if (came.current instanceof HTMLElement) came.current.focus({ preventScroll: true });
  };

  const none = !hits || hits.messages.length === 0;
  return (
    <search
      className="find-bar"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        close();
      }}
    >
      <input
        ref={field}
        type="search"
        aria-label={texts.shared.findHere}
        placeholder={texts.shared.findHere}
        maxLength={200}
        value={query}
        onChange={(event) => {
          setQuery(event.target.value);
          setAt(null);
        }}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          step(event.shiftKey ? 1 : -1);
        }}
      />
      <span className="find-count quiet">{words}</span>
      <IconButton icon="up" label={texts.find.previous} disabled={none} onClick={() => step(-1)} />
      <IconButton icon="down" label={texts.find.next} disabled={none} onClick={() => step(1)} />
      <IconButton icon="cross" label={texts.shared.close} onClick={close} />
    </search>
  );
}

function status(hits: Hits | null, query: string, current: string | null): string {
  if (query.trim() === "") return "";
  if (hits === null) return texts.shared.searching;
  if (hits.problem !== null) return hits.problem;
  if (hits.messages.length === 0) return texts.shared.noMatches;
  const place = current === null ? 0 : hits.messages.indexOf(current) + 1;
  return texts.find.place(place, hits.messages.length, hits.more);
}

/** The messages that match `query`; null during the first search. */
function useHits(session_id: string, query: string, version: string): Hits | null {
  const [hits, setHits] = useState<Hits | null>(null);
  useEffect(() => {
    if (query === "") return;
    const stop = new AbortController();
    const timer = setTimeout(() => {
      allHits(session_id, query, stop.signal).then(
        ({ found, more }) => {
          const messages = found.map(({ message_id }) => message_id).reverse();
          if (!stop.signal.aborted) setHits({ query, messages, more, problem: null });
        },
        (error: unknown) => {
          if (stop.signal.aborted) return;
          const none = { query, messages: [], more: false, problem: said(error).message };
          setHits((before) => (before?.query === query ? before : none));
        },
      );
    }, 150);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [session_id, query, version]);
  return query === "" || hits?.query !== query ? null : hits;
}

/** Adds the answer that is being written; the daemon searches it only when it is complete. */
function useWithGrowing(session_id: string, hits: Hits | null): Hits | null {
  const last = usePicture((state) => state.sessions[session_id]?.history?.messages.at(-1));
  return useMemo(() => {
    if (hits === null || last?.status !== "streaming" || hits.messages.includes(last.message_id)) return hits;
    const found = placesOf(last.text, hits.query).length > 0;
    return found ? { ...hits, messages: [...hits.messages, last.message_id] } : hits;
  }, [hits, last]);
}

async function allHits(
  session_id: string,
  query: string,
  signal: AbortSignal,
): Promise<{ found: Hit[]; more: boolean }> {
  const found: Hit[] = [];
  let before: string | null = null;
  do {
    const page: { hits: Hit[]; next_before: string | null } = await client.sessions.find(
      session_id,
      query,
      { limit: PAGE, ...(before !== null && { before }) },
      { signal },
    );
    found.push(...page.hits);
    before = page.next_before;
  } while (before !== null && found.length < MOST);
  return { found, more: before !== null };
}

const frame = (): Promise<void> =>
  new Promise((resolve) => {
    requestAnimationFrame(() => {
      resolve();
    });
  });

/** Scrolls to a message, far enough to show its first match. */
function useShown(
  list: RefObject<ListHandle | null>,
  bring: (message_id: string) => Promise<boolean>,
  query: string,
  message_id: string | null,
  steps: number,
  connected: boolean,
): void {
  const done = useRef("");
  const live = useRef({ query });
  useEffect(() => {
    live.current = { query };
  });
  useEffect(() => {
    const wanted = `${message_id} ${steps} ${query}`;
    if (message_id === null || done.current === wanted) return;
    let over = false;
    const show = async (): Promise<void> => {
      if (!(await bring(message_id))) return;
      for (let n = 0; n < FRAMES && !over; n++) {
        if (list.current?.to(message_id, TOP_PX) && list.current.row(message_id)) break;
        await frame();
      }
      await frame();
      const row = list.current?.row(message_id);
      const box = row?.closest(".scroller");
      if (over || !row || !box) return;
      done.current = wanted;
      const place = rangesIn(row, live.current.query)[0]?.getBoundingClientRect();
      if (!place) return;
      const below = place.top - row.getBoundingClientRect().top;
      const third = box.clientHeight / 3;
      if (below > third) list.current?.to(message_id, third - below);
    };
    // While the daemon is away the page shows that; after a reconnect this is tried again.
    show().catch(() => undefined);
    return () => {
      over = true;
    };
  }, [list, bring, message_id, query, steps, connected]);
}

/** Highlights the matches in the rows that are in the page, while the find bar is open. */
function useMarks(list: RefObject<ListHandle | null>, query: string, current: string | null): void {
  const paint = useCallback(() => {
    const here = current === null ? null : list.current?.row(current);
    const rows = [...document.querySelectorAll(".list-frame [data-row]")];
    const ranges = query === "" ? [] : rows.flatMap((row) => rangesIn(row, query));
    mark(
      ranges,
      ranges.filter((range) => here?.contains(range.startContainer)),
    );
  }, [list, query, current]);
  useEffect(() => {
    lookFor(query);
    return () => {
      lookFor("");
    };
  }, [query]);
  useEffect(() => {
    const box = document.querySelector(".list-frame");
    let due = 0;
    const soon = (): void => {
      if (due === 0)
        due = requestAnimationFrame(() => {
          due = 0;
          paint();
        });
    };
    soon();
    const changed = new MutationObserver(soon);
    if (box) changed.observe(box, { subtree: true, childList: true, characterData: true, attributeFilter: ["open"] });
    return () => {
      changed.disconnect();
      cancelAnimationFrame(due);
      unmark();
    };
  }, [paint]);
}
