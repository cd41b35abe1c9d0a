// The connection: heartbeats, delays and reported states, with a clock that the test controls.
import { expect, test } from "vitest";
import { AsterError, follow, type AsterEvent, type FollowOptions, type Link } from "../src/index.js";
import { delay_s } from "../src/backoff.js";
import { connected, event, Script, TestClock } from "./script.js";

function start(options: Partial<FollowOptions> = {}) {
  const script = new Script();
  const clock = new TestClock();
  const events: AsterEvent[] = [];
  const links: Link[] = [];
  const feed = follow(script, {
    onEvent: (event) => events.push(event),
    onLink: (link) => links.push(link),
    backoff: { base_s: 1, most_s: 8 },
    clock,
    ...options,
  });
  return { script, clock, events, links, feed };
}

const heartbeat = (): AsterEvent => event("heartbeat", { last_seq: 1 });

test("two heartbeats that stay away are a lost connection, one is not", () => {
  const { script, clock, feed } = start();
  expect(feed.link.state).toBe("reconnecting");
  script.say(connected());
  expect(feed.link).toEqual({ state: "connected", failures: 0, error: null });
  for (let beats = 0; beats < 10; beats += 1) {
    clock.pass(29_000); // one heartbeat is missing each time
    script.say(heartbeat());
  }
  expect(feed.link.state).toBe("connected");
  clock.pass(30_000);
  expect(feed.link.state).toBe("connected"); // the second heartbeat may still be on its way
  clock.pass(1_000);
  expect(feed.link).toMatchObject({ state: "reconnecting", failures: 1, error: { code: "unreachable" } });
  expect(script.streams[0]?.closed).toBe(true);
  clock.pass(1_000);
  expect(script.streams).toHaveLength(2);
});

test("the daemon says how often its heart beats", () => {
  const { script, clock, feed } = start();
  script.say(connected({ heartbeat_s: 2 }));
  clock.pass(4_900);
  expect(feed.link.state).toBe("connected");
  clock.pass(100);
  expect(feed.link.state).toBe("reconnecting");
});

test("a flood of events sets no timer for each", () => {
  const { script, clock } = start();
  script.say(connected());
  const before = clock.waits.length;
  for (let count = 0; count < 1000; count += 1)
    script.say(event("text_chunk", { message_id: "m", offset: 0, delta: "x" }));
  expect(clock.waits.length).toBe(before);
  expect(clock.timers).toBe(1);
});

test("waits double up to a limit and begin anew after a connection", () => {
  const { script, clock, feed, links } = start();
  const waits: number[] = [];
  for (let failures = 1; failures <= 6; failures += 1) {
    script.break();
    waits.push(clock.waits.at(-1) ?? 0);
    expect(feed.link.state).toBe(failures < 3 ? "reconnecting" : "offline");
    clock.pass(waits.at(-1) ?? 0);
  }
  expect(waits).toEqual([1000, 2000, 4000, 8000, 8000, 8000]);
  script.say(connected());
  expect(feed.link).toEqual({ state: "connected", failures: 0, error: null });
  script.break();
  expect(clock.waits.at(-1)).toBe(1000);
  expect(links.map(({ state }) => state).filter((state, at, all) => state !== all[at - 1])).toEqual([
    "reconnecting",
    "offline",
    "connected",
    "reconnecting",
  ]);
});

test("half of each wait is chance", () => {
  expect(delay_s(1, { base_s: 1, most_s: 10 }, () => 0)).toBe(0.5);
  expect(delay_s(1, { base_s: 1, most_s: 10 }, () => 1)).toBe(1);
  expect(delay_s(4, { base_s: 1, most_s: 10 }, () => 0)).toBe(4);
  expect(delay_s(5000, { base_s: 1, most_s: 10 }, () => 1)).toBe(10);
});

test("a refusal is offline at once, and tried again all the same", () => {
  const { script, clock, feed } = start();
  script.break(new AsterError(401, "token_refused", "no"));
  expect(feed.link).toMatchObject({ state: "offline", error: { code: "token_refused" } });
  clock.pass(1_000);
  expect(script.streams).toHaveLength(2);
});

test("a connection that never says anything is given up", () => {
  const { script, clock, feed } = start();
  clock.pass(15_000);
  expect(feed.link.state).toBe("reconnecting");
  clock.pass(1_000);
  expect(script.streams).toHaveLength(2);
});

test("the cursor is that of the newest event, or of the connection", () => {
  const { script, clock, feed } = start();
  expect([feed.cursor, script.streams[0]?.query.after]).toEqual([null, null]);
  script.say(connected({ last_seq: 40 }));
  expect(feed.cursor).toBe(40);
  script.break();
  clock.pass(1_000);
  expect(script.open.query.after).toBe(40);
  script.say(connected({ last_seq: 45 }));
  expect(feed.cursor).toBe(40); // 41 to 45 will follow
  script.say(event("status_change", { state: "idle", previous: "running" }, { seq: 43 }));
  script.say(heartbeat());
  expect(feed.cursor).toBe(43);
  script.say(event("resync", { reason: "trimmed", last_seq: 12 }));
  expect(feed.cursor).toBe(12);
  script.break();
  clock.pass(1_000);
  expect(script.open.query.after).toBe(12);
});

test("trying now does not wait, and does nothing to a connection that stands", () => {
  const { script, feed } = start();
  script.break();
  feed.retry();
  expect(script.streams).toHaveLength(2);
  script.say(connected());
  feed.retry();
  expect(script.streams).toHaveLength(2);
});

test("what is closed stays closed, and what comes from an old connection is not heard", () => {
  const { script, clock, events, feed } = start();
  script.say(connected());
  script.break();
  clock.pass(1_000);
  script.streams[0]?.listener.event(heartbeat());
  script.streams[0]?.listener.end(new AsterError(0, "unreachable", "again"));
  expect(events).toHaveLength(1);
  expect(feed.link.failures).toBe(1);
  feed.close();
  script.say(connected());
  script.break();
  feed.retry();
  clock.pass(100_000);
  expect(script.streams).toHaveLength(2);
  expect(script.open.closed).toBe(true);
  expect(clock.timers).toBe(0);
  expect(events).toHaveLength(1);
});

test("a listener may close the feed while it is called", () => {
  const script = new Script();
  const clock = new TestClock();
  const feed = follow(script, {
    clock,
    onEvent: () => {
      feed.close();
    },
  });
  script.say(connected());
  expect(script.open.closed).toBe(true);
  expect(clock.timers).toBe(0);
});

test("a check of a silent stream opens a second one, which takes the first one's place when it stands", () => {
  const { script, clock, events, links, feed } = start();
  script.say(connected({ last_seq: 40 }));
  expect(feed.check()).toBe(false); // an event has just arrived
  expect(script.streams).toHaveLength(1);
  clock.pass(2_000);
  expect([feed.check(), feed.check()]).toEqual([true, true]);
  expect(script.streams).toHaveLength(2);
  expect(script.open.query.after).toBe(40);
  const [first, second] = script.streams;
  const told = event("status_change", { state: "idle", previous: "running" }, { seq: 41 });
  first?.listener.event(told); // it was alive after all
  second?.listener.event(connected({ last_seq: 41 }));
  expect(first?.closed).toBe(true);
  second?.listener.event(told);
  expect(events.filter(({ seq }) => seq === 41)).toHaveLength(1);
  expect(feed.cursor).toBe(41);
  expect(new Set(links.map(({ state }) => state))).toEqual(new Set(["connected"]));
});

test("a check that gets no answer is a lost connection, unless the first stream is heard", () => {
  const { script, clock, feed } = start();
  script.say(connected());
  clock.pass(2_000);
  feed.check();
  script.streams[0]?.listener.event(heartbeat());
  clock.pass(1);
  script.streams[0]?.listener.event(heartbeat());
  clock.pass(2_999);
  expect(feed.link.state).toBe("connected");
  expect([script.streams[0]?.closed, script.streams[1]?.closed]).toEqual([false, true]);
  feed.check();
  clock.pass(3_000);
  expect(feed.link).toMatchObject({ state: "reconnecting", failures: 1, error: { code: "unreachable" } });
  expect(script.streams.every(({ closed }) => closed)).toBe(true);
  clock.pass(1_000);
  expect(script.streams).toHaveLength(4);
  clock.pass(3_000); // another kept-alive connection may be dead too
  expect(feed.link.failures).toBe(2);
});

test("a check ends the wait for the next try, and lets a try go on that has just begun", () => {
  const { script, clock, feed } = start();
  script.break();
  feed.check();
  expect(script.streams).toHaveLength(2);
  feed.check();
  expect(script.streams).toHaveLength(2);
  clock.pass(2_000);
  feed.check();
  expect(script.streams).toHaveLength(3);
  expect(script.streams[1]?.closed).toBe(true);
});

test.each([20_000, 8 * 3_600_000])("after %i ms of sleep the first timer that comes too late looks at once", (ms) => {
  const { script, clock, feed } = start();
  script.say(connected());
  clock.sleep(ms);
  clock.pass(5_000);
  expect(script.streams).toHaveLength(2);
  expect(feed.link.state).toBe("connected"); // until the check has a result
  script.say(connected());
  expect(script.streams[0]?.closed).toBe(true);
  clock.pass(29_000);
  expect(feed.link.state).toBe("connected");
});

test("a timer that comes late while the stream is heard is no reason to look", () => {
  const { script, clock } = start();
  script.say(connected());
  clock.sleep(60_000); // a hidden page: its timers fire once a minute
  script.say(heartbeat());
  clock.pass(5_000);
  expect(script.streams).toHaveLength(1);
});
