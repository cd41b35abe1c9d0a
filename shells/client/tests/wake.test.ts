// After a sleep: dead open connections, a daemon that was stopped, turns that ended unnoticed.
import { expect, onTestFinished, test, vi } from "vitest";
import { createStore, follow, type AsterEvent, type Link } from "../src/index.js";
import { agrees, idle, launch, said, watch } from "./daemon.js";
import { Proxy } from "./proxy.js";

const events = new EventTarget();

/** A page's window and document, as far as their events are used. */
function page(): void {
  vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
  vi.stubGlobal("removeEventListener", events.removeEventListener.bind(events));
  const on = { addEventListener: events.addEventListener.bind(events), visibilityState: "visible" };
  vi.stubGlobal("document", { ...on, removeEventListener: events.removeEventListener.bind(events) });
  onTestFinished(() => void vi.unstubAllGlobals());
}

test.each(["visibilitychange", "resume", "online", "focus", "pageshow"])(
  "a stream that is open and dead is replaced on %s, and what was missed comes once",
  async (name) => {
    page();
    const daemon = await launch();
    const proxy = await new Proxy(() => daemon.port).open();
    const straight = daemon.client();
    const { session_id } = await straight.sessions.create();
    const store = await watch(daemon.client({ url: proxy.url }), [session_id]);
    const seen: AsterEvent[] = [];
    const links: Link[] = [];
    const feed = follow(daemon.client({ url: proxy.url }).transport, {
      onEvent: (event) => seen.push(event),
      onLink: (link) => links.push(link),
    });
    onTestFinished(() => {
      feed.close();
    });
    await vi.waitFor(() => {
      expect(feed.link.state).toBe("connected");
    });
    proxy.hole();
    const { turn_id } = await straight.send({ agent_id: "default", session_id, message: "hello" });
    await idle(await watch(straight, [session_id]), session_id, turn_id);
    await new Promise((resolve) => setTimeout(resolve, 2_100)); // a shorter silence counts as alive
    expect(said(store.getState(), session_id)).toEqual([]);
    events.dispatchEvent(new Event(name));
    await idle(store, session_id, turn_id);
    await agrees(store, straight);
    await vi.waitFor(() => {
      expect(seen.some(({ type }) => type === "done")).toBe(true);
    });
    const seqs = seen.flatMap(({ seq }) => (seq === null ? [] : [seq]));
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    // The wake-up noticed it, not the heartbeat.
    expect(links.flatMap(({ error }) => error?.message ?? []).join()).not.toContain("heartbeat");
    expect(store.getState().connection.state).toBe("connected");
  },
);

test("a daemon that stood still for longer than its heartbeat is found again", async () => {
  const daemon = await launch({ model: "demo" });
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const store = await watch(client, [session_id]);
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "hello" });
  daemon.signal("SIGSTOP");
  await store.until(({ connection }) => connection.state !== "connected");
  daemon.signal("SIGCONT");
  await idle(store, session_id, turn_id);
  await agrees(store, client);
});

test("a turn that ended unheard is over, beside a deleted session and two hundred turns elsewhere", async () => {
  const daemon = await launch();
  const proxy = await new Proxy(() => daemon.port).open();
  const straight = daemon.client();
  const [here, gone, elsewhere] = await Promise.all(
    ["here", "gone", "elsewhere"].map(async (title) => (await straight.sessions.create({ title })).session_id),
  );
  if (here === undefined || gone === undefined || elsewhere === undefined) throw new Error("no sessions");
  const store = createStore(daemon.client({ url: proxy.url }));
  onTestFinished(() => {
    store.stop();
  });
  await store.start();
  for (const session_id of [here, gone]) await store.open(session_id);
  await straight.send({ agent_id: "default", session_id: here, message: "write a.txt" });
  const { approvals } = await store.until((state) => state.approvals.length === 1);
  await store.until(({ sessions }) => sessions[here]?.state === "waiting_approval");
  proxy.hole();
  await straight.approve({ agent_id: "default", call_id: approvals[0]?.call_id ?? "", decision: "allow" });
  await straight.sessions.delete(gone);
  let last = "";
  for (let turns = 0; turns < 200; turns += 1) {
    ({ turn_id: last } = await straight.send({ agent_id: "default", session_id: elsewhere, message: `${turns}` }));
  }
  await idle(await watch(straight, [elsewhere]), elsewhere, last);
  proxy.cut();
  await idle(store, here);
  await store.until(({ sessions }) => sessions[elsewhere]?.state === "idle");
  await agrees(store, straight);
  const state = store.getState();
  expect([state.sessions[gone], state.approvals]).toEqual([undefined, []]);
  expect(said(state, here)[1]).toContain("`write_file` is done");
});
