// Tabs that share a stream, with the real daemon: Node has the channel, the lock is written here as the standard has it.
import { expect, onTestFinished, test, vi } from "vitest";
import { httpTransport, type AsterEvent, type StreamQuery, type Transport } from "../src/index.js";
import { canShare, share } from "../src/share.js";
import { idle, launch, TOKEN, watch, type Daemon } from "./daemon.js";

type Held = () => Promise<void> | undefined;
interface Request {
  held: Held;
  resolve: (value: unknown) => void;
  reject: (reason: unknown) => void;
}

/** Exclusive locks: one holder, a queue, `signal` and `steal`. */
class Locks {
  readonly #queues = new Map<string, Request[]>();
  #holders = new Map<string, Request>();

  request(name: string, options: { signal?: AbortSignal; steal?: boolean }, held: Held): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const request = { held, resolve, reject };
      const queue = this.#queues.get(name) ?? [];
      this.#queues.set(name, queue);
      if (options.steal) {
        this.#holders.get(name)?.reject(new DOMException("stolen", "AbortError"));
        this.#holders.delete(name);
        queue.unshift(request);
      } else queue.push(request);
      options.signal?.addEventListener("abort", () => {
        if (!queue.includes(request)) return;
        queue.splice(queue.indexOf(request), 1);
        reject(options.signal?.reason as Error);
      });
      queueMicrotask(() => {
        this.#next(name);
      });
    });
  }

  #next(name: string): void {
    if (this.#holders.has(name)) return;
    const request = this.#queues.get(name)?.shift();
    if (!request) return;
    this.#holders.set(name, request);
    void Promise.resolve(request.held()).then((value) => {
      request.resolve(value);
      if (this.#holders.get(name) !== request) return;
      this.#holders.delete(name);
      this.#next(name);
    });
  }
}

function browser(href = "http://localhost:5173/"): void {
  const { origin, protocol } = new URL(href);
  vi.stubGlobal("location", { href, origin, protocol });
  vi.stubGlobal("navigator", { locks: new Locks() });
  onTestFinished(() => void vi.unstubAllGlobals());
}

/** How many streams are open over it, and when one was opened. */
class Counted implements Transport {
  open = 0;
  opened = 0;
  readonly #inner: Transport;
  constructor(daemon: Daemon) {
    this.#inner = httpTransport({ url: daemon.url, token: TOKEN, share: false });
  }
  request: Transport["request"] = (...parameters) => this.#inner.request(...parameters);
  stream: Transport["stream"] = (query, listener) => {
    this.open += 1;
    this.opened += 1;
    let over = false;
    const ended = (): void => {
      if (!over) this.open -= 1;
      over = true;
    };
    const close = this.#inner.stream(query, {
      event: listener.event.bind(listener),
      end: (error) => {
        ended();
        listener.end(error);
      },
    });
    return () => {
      ended();
      close();
    };
  };
}

/** One tab with one reader. */
function tab(inner: Transport, query: StreamQuery, name = "group") {
  const events: AsterEvent[] = [];
  const ends: unknown[] = [];
  const close = share(inner, () => Promise.resolve(name)).stream(query, {
    event: (event) => events.push(event),
    end: (error) => ends.push(error),
  });
  onTestFinished(close);
  const seqs = (): number[] => events.flatMap(({ seq }) => (seq === null ? [] : [seq]));
  const connected = (): Promise<void> =>
    vi.waitFor(() => {
      expect(events[0]?.type).toBe("connected");
    });
  return { events, ends, close, seqs, connected };
}

async function reach(tabs: readonly { seqs: () => number[] }[], seq: number): Promise<void> {
  await vi.waitFor(
    () => {
      for (const one of tabs) expect(one.seqs().at(-1)).toBeGreaterThanOrEqual(seq);
    },
    { timeout: 30_000 },
  );
}

/** What the chunks say together, applied by their offset. */
function text(events: readonly AsterEvent[]): string {
  const letters: string[] = [];
  for (const event of events) {
    if (event.type !== "text_chunk") continue;
    const delta = Array.from(event.data.delta);
    expect(event.data.offset).toBeLessThanOrEqual(letters.length);
    letters.splice(event.data.offset, delta.length, ...delta);
  }
  return letters.join("");
}

/** A turn, until it is over; what its newest event is. */
async function turn(daemon: Daemon, session_id: string, message = "hello"): Promise<number> {
  const client = daemon.client();
  const { turn_id } = await client.send({ agent_id: "default", session_id, message });
  const store = await watch(client, [session_id]);
  await idle(store, session_id, turn_id);
  store.stop();
  return (await client.snapshot()).last_seq;
}

test("readers with any cursor and filter get what a stream of their own gives them, over one stream", async () => {
  browser();
  const daemon = await launch();
  const { session_id } = await daemon.client().sessions.create();
  const other = (await daemon.client().sessions.create()).session_id;
  const middle = await turn(daemon, session_id);
  await turn(daemon, session_id);
  const counted = new Counted(daemon);
  const first = tab(counted, { after: null });
  await first.connected();
  const queries: StreamQuery[] = [
    { after: null },
    { after: 0 },
    { after: middle },
    { after: 0, session_id },
    { after: 0, agent_id: "nobody" },
    { after: middle, types: ["done", "message_added"] },
  ];
  const tabs = queries.map((query) => tab(counted, query));
  const own = queries.map((query) => tab(new Counted(daemon), query, `own ${Math.random()}`));
  for (const one of [...tabs, ...own]) await one.connected();
  await turn(daemon, other);
  const last = await turn(daemon, session_id);
  await reach([first, ...[0, 1, 2].map((at) => tabs[at] ?? first)], last);
  await vi.waitFor(() => {
    expect(counted.open).toBe(1);
  });
  queries.forEach((_, at) => {
    const of = (events: AsterEvent[] = []): unknown[] =>
      events.filter(({ type, seq }) => seq !== null && !type.endsWith("_chunk")); // those may come joined
    expect(of(tabs[at]?.events)).toEqual(of(own[at]?.events));
  });
});

test("a cursor from the future is told so, and goes on with the others", async () => {
  browser();
  const daemon = await launch();
  const { session_id } = await daemon.client().sessions.create();
  const counted = new Counted(daemon);
  const first = tab(counted, { after: null });
  await first.connected();
  const ahead = tab(counted, { after: 1_000_000 });
  await vi.waitFor(() => {
    expect(ahead.events.some(({ type }) => type === "resync")).toBe(true);
  });
  const last = await turn(daemon, session_id);
  await reach([first, ahead], last);
  expect(ahead.seqs()).toEqual(first.seqs());
});

test("leaders that go one after the other leave no gap and bring nothing twice", async () => {
  browser();
  const daemon = await launch({ model: "demo" });
  const { session_id } = await daemon.client().sessions.create();
  const counted = new Counted(daemon);
  const tabs: ReturnType<typeof tab>[] = [];
  for (let number = 0; number < 6; number += 1) {
    const one = tab(counted, { after: null });
    await one.connected();
    tabs.push(one);
  }
  expect(counted.opened).toBe(1);
  const begun = (await daemon.client().snapshot()).last_seq;
  const over = turn(daemon, session_id, "think, and then say hello");
  for (const leader of tabs.slice(0, 4)) {
    const seen = tabs[5]?.seqs().length ?? 0;
    await vi.waitFor(() => {
      expect(tabs[5]?.seqs().length).toBeGreaterThan(seen);
    }, 20_000);
    leader.close();
  }
  const last = await over;
  const rest = tabs.slice(4);
  await reach(rest, last);
  for (const { seqs, ends } of rest) {
    expect(ends).toEqual([]);
    expect(seqs()).toEqual([...new Set(seqs())].sort((a, b) => a - b));
  }
  const { messages } = await daemon.client().history("default", session_id);
  for (const { events } of rest) {
    expect(events.filter(({ seq, type }) => type === "done" && seq > begun)).toHaveLength(1);
    expect(text(events)).toBe(messages[1]?.text);
  }
});

test("a tab that has missed some of what was passed on fetches it by itself", async () => {
  browser();
  const daemon = await launch({ model: "demo" });
  const { session_id } = await daemon.client().sessions.create();
  const first = tab(new Counted(daemon), { after: null });
  await first.connected();
  let heard = 0;
  class Lossy extends BroadcastChannel {
    override set onmessage(listen: (event: MessageEvent) => void) {
      super.onmessage = (event: unknown): void => {
        const message = event as MessageEvent<{ type: string }>;
        if (message.data.type === "event" && (heard += 1) % 3 === 0) return;
        listen(message);
      };
    }
  }
  vi.stubGlobal("BroadcastChannel", Lossy);
  const counted = new Counted(daemon);
  const lossy = tab(counted, { after: null });
  await lossy.connected();
  const last = await turn(daemon, session_id);
  await reach([first], last);
  await daemon.client().sessions.rename(session_id, "one more, so that a loss at the end shows");
  await daemon.client().sessions.rename(session_id, "and one more");
  await reach([lossy], last);
  expect(counted.opened).toBeGreaterThan(0); // streams of its own
  const seqs = lossy.seqs();
  expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
  const whole = (events: readonly AsterEvent[]): unknown[] =>
    events.filter(({ seq, type }) => seq !== null && seq <= last && !type.endsWith("_chunk"));
  expect(whole(lossy.events)).toEqual(whole(first.events));
  expect(text(lossy.events)).toBe(text(first.events));
});

test("what is passed on twice is heard once", async () => {
  browser();
  const daemon = await launch();
  const { session_id } = await daemon.client().sessions.create();
  const first = tab(new Counted(daemon), { after: null });
  await first.connected();
  class Twice extends BroadcastChannel {
    override set onmessage(listen: (event: MessageEvent) => void) {
      super.onmessage = (event: unknown): void => {
        for (let times = 0; times < 2; times += 1) listen(event as MessageEvent);
      };
    }
  }
  vi.stubGlobal("BroadcastChannel", Twice);
  const second = tab(new Counted(daemon), { after: null });
  await second.connected();
  const last = await turn(daemon, session_id);
  await reach([first, second], last);
  expect(second.seqs()).toEqual(first.seqs());
});

test("a refusal and a daemon that goes end the stream of every tab, and others have one of their own", async () => {
  browser();
  const daemon = await launch();
  const counted = new Counted(daemon);
  const tabs = [tab(counted, { after: null }), tab(counted, { after: null }), tab(counted, { after: null }, "another")];
  for (const one of tabs) await one.connected();
  expect(counted.open).toBe(2);
  await daemon.kill();
  await vi.waitFor(() => {
    for (const { ends } of tabs) expect(ends).toEqual([expect.objectContaining({ code: "unreachable" })]);
  });
  expect(counted.open).toBe(0);
  await daemon.start();
  const wrong = httpTransport({ url: daemon.url, token: "wrong", share: false });
  const refused = [tab(wrong, { after: null }, "wrong"), tab(wrong, { after: null }, "wrong")];
  await vi.waitFor(() => {
    for (const { ends } of refused) expect(ends).toEqual([expect.objectContaining({ code: "token_refused" })]);
  });
});

test("files, opaque origins and engines without locks have streams of their own", () => {
  expect(canShare()).toBe(false); // Node
  browser("http://localhost:5173/");
  expect(canShare()).toBe(true);
  vi.stubGlobal("location", { href: "file:///app/index.html", origin: "file://", protocol: "file:" });
  expect(canShare()).toBe(false);
  vi.stubGlobal("location", { href: "blob:null/1", origin: "null", protocol: "blob:" });
  expect(canShare()).toBe(false);
  browser("app://aster/");
  vi.stubGlobal("location", { href: "app://aster/", origin: "app://aster", protocol: "app:" });
  expect(canShare()).toBe(true);
  vi.stubGlobal("navigator", {});
  expect(canShare()).toBe(false);
});
