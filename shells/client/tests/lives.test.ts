// A store that was running during kills, cuts and restarts shows the same as a store that is opened afterwards.
import { expect, test } from "vitest";
import type { Store } from "../src/index.js";
import { agrees, idle, launch, said, watch } from "./daemon.js";
import { Proxy } from "./proxy.js";

/** Waits for `count` changes of a session's messages. */
async function changes(store: Store, session_id: string, count: number): Promise<void> {
  let left = count;
  let last = store.getState().sessions[session_id]?.history?.messages;
  await store.until(({ sessions }) => {
    const messages = sessions[session_id]?.history?.messages;
    if (messages !== last) left -= 1;
    last = messages;
    return left <= 0;
  });
}

test("a daemon killed in the middle of an answer comes back, and the store knows what became of it", async () => {
  const daemon = await launch({ model: "demo" });
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const store = await watch(client, [session_id]);
  const answer = (): string => said(store.getState(), session_id)[1] ?? "";
  await client.send({ agent_id: "default", session_id, message: "long" });
  await client.send({ agent_id: "default", session_id, message: "think, when you are done" });
  await changes(store, session_id, 8);
  await store.until(() => answer().length > "assistant: ".length);
  const killed = answer();

  await daemon.kill();
  await store.until(({ connection }) => connection.state === "offline");
  expect(store.getState().current).toBe(false);
  // Text that was already on its way may have arrived too.
  const before = answer();
  expect(before.startsWith(killed)).toBe(true);

  await daemon.start();
  const state = await idle(store, session_id);
  const { messages, turns } = state.sessions[session_id]?.history ?? { messages: [], turns: {} };
  expect(messages.map(({ role, status }) => `${role} ${status}`)).toEqual([
    "user complete",
    "assistant interrupted",
    "user complete",
    "assistant complete",
  ]);
  expect(said(state, session_id).find((text) => text.startsWith(before))).toBeDefined();
  expect(
    Object.values(turns)
      .map(({ state }) => state)
      .sort(),
  ).toEqual(["done", "interrupted"]);
  await agrees(store, client);
});

test("a store behind a line that breaks after every few events misses nothing", async () => {
  const daemon = await launch({ model: "demo" });
  const proxy = await new Proxy(() => daemon.port).open();
  const straight = daemon.client();
  const { session_id } = await straight.sessions.create();
  const store = await watch(daemon.client({ url: proxy.url }), [session_id]);
  let cuts = 0;
  let last: unknown = null;
  store.subscribe(() => {
    // Cuts after every second change of the messages.
    const messages = store.getState().sessions[session_id]?.history?.messages;
    if (messages === last) return;
    last = messages;
    cuts += 1;
    if (cuts % 2 === 0) proxy.cut();
  });
  await straight.send({ agent_id: "default", session_id, message: "think, then write a.txt" });
  const { approvals } = await store.until(({ approvals }) => approvals.length > 0);
  await straight.approve({ agent_id: "default", call_id: approvals[0]?.call_id ?? "", decision: "allow" });
  const state = await idle(store, session_id);
  await agrees(store, straight);
  expect(cuts).toBeGreaterThan(1);
  expect(daemon.file("a.txt")).toContain("demo model");
  const parts = state.sessions[session_id]?.history?.messages[1]?.parts;
  expect(parts?.map(({ type }) => type)).toEqual(["thinking", "text", "tool", "text"]);
});

const MESSAGES = [
  "hello",
  "think",
  "fail",
  "write a.txt",
  "write and run",
  'call ask_user {"questions": [{"id": "a", "text": "Which?", "default": "this"}], "reason": "why"}',
  "read a.txt",
  "list",
  "run `for i in 1 2 3; do echo $i; sleep 0.05; done`",
  'call write_file {"path": "b.txt", "content": "ünï🦊"}',
  'call read_file {"path": "../outside"}',
];

/** Random numbers in [0, 1) that are the same for the same seed. */
function chance(seed: number): () => number {
  let state = seed * 7919;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

/** More of them for a longer test: ASTER_SEEDS=40 npm test. */
const SEEDS = Array.from({ length: Number(process.env["ASTER_SEEDS"] ?? 2) }, (_, number) => number + 1);

test.each(SEEDS)("through anything that happens at random (seed %i)", { timeout: 600_000 }, async (seed) => {
  const random = chance(seed);
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
  const daemon = await launch({ model: seed % 3 === 2 ? "demo" : "demo:instant" });
  const proxy = await new Proxy(() => daemon.port).open();
  const client = daemon.client();
  const store = await watch(daemon.client({ url: proxy.url }));

  async function act(sessions: readonly string[]): Promise<void> {
    const session_id = pick(sessions) ?? "";
    const dice = random();
    if (dice < 0.45) {
      const if_busy = pick(["queue", "queue", "interrupt", "steer"] as const) ?? "queue";
      await client.send({ agent_id: "default", session_id, message: pick(MESSAGES) ?? "", if_busy });
    } else if (dice < 0.6) {
      const question = pick(await client.approvals());
      const decision = pick(["allow", "allow", "deny", "allow_always"] as const) ?? "deny";
      if (question) await client.approve({ agent_id: "default", call_id: question.call_id, decision });
      const asked = pick(await client.questions());
      const answer = pick([{ answers: {} }, { answers: { a: "that" } }, { decline: true }]);
      if (asked) await client.answer({ question_id: asked.question_id, ...answer });
    } else if (dice < 0.64) await client.cancel({ agent_id: "default", session_id });
    else if (dice < 0.67) await client.sessions.rename(session_id, `number ${random()}`);
    else if (dice < 0.7) await client.sessions.archive(session_id);
    else if (dice < 0.72) await client.sessions.delete(session_id);
    else if (dice < 0.74) {
      const gone = pick((await client.sessions.list({ deleted: true })).sessions);
      if (gone) await client.sessions.restore(gone.session_id);
    } else if (dice < 0.75) await client.clearHistory("default", session_id);
    else if (dice < 0.77) await client.config.set({ max_requests: 10 + Math.floor(random() * 90) });
    else if (dice < 0.79) await client.rules.add({ decision: "deny", tool: "read_file", kind: "any" });
    else if (dice < 0.9) proxy.cut();
    else if (dice < 0.93) store.refresh();
    else if (dice < 0.95) store.close(session_id);
    else await daemon.restart();
  }

  for (let round = 0; round < 10; round += 1) {
    const sessions = (await client.sessions.list()).sessions.map(({ session_id }) => session_id);
    while (sessions.length < 3) sessions.push((await client.sessions.create()).session_id);
    for (let acts = 0; acts < 8; acts += 1) {
      // It may be read while the daemon is killed, or be deleted.
      if (random() < 0.5) store.open(pick(sessions) ?? "").catch(() => undefined);
      await act(sessions).catch((error: unknown) => {
        // Busy sessions can't be deleted, answered questions can't be answered: the daemon's own tests check this.
        expect(error).toMatchObject({ name: "AsterError" });
      });
    }
    if (round % 3 === 2) await daemon.restart();
    if (round === 9) await client.cancel({ agent_id: "default" });
    // Running turns continue during this; waiting ones may be compared as they are.
    await agrees(store, client).catch((cause: unknown) => {
      throw new Error(`round ${round}\n${daemon.log}`, { cause });
    });
  }
  // There were at least three when the last round began, and few of its actions delete or archive.
  expect(Object.keys(store.getState().sessions)).not.toEqual([]);
});
