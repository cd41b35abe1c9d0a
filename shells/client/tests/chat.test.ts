// A conversation with the real daemon, as the store sees it.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { AsterError, createClient, createStore, type Client, type Store } from "../src/index.js";
import type * as wire from "../src/types.js";
import { agrees, idle, launch, said, watch } from "./daemon.js";
import { provider, Spoken } from "./provider.js";

async function conversation(client: Client): Promise<{ store: Store; session_id: string }> {
  const { session_id } = await client.sessions.create();
  return { store: await watch(client, [session_id]), session_id };
}

test("an answer streams into the store and is what a fresh store reads", async () => {
  const model = new Spoken();
  const daemon = await launch(await provider(() => model));
  const client = daemon.client();
  const { store, session_id } = await conversation(client);
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "think about it" });
  const turn = (): string | undefined => store.getState().sessions[session_id]?.history?.turns[turn_id]?.state;
  const parts = (): unknown => store.getState().sessions[session_id]?.history?.messages[1]?.parts;
  await store.until(() => turn() === "running");
  const thinking = { type: "thinking", text: "Hm." };
  model.say({ reasoning_content: thinking.text });
  await store.until(() => isDeepStrictEqual(parts(), [thinking]));
  let text = "";
  // Each word is seen before the next one is sent.
  for (const word of ["Each ", "word ", "is ", "seen."]) {
    text += word;
    model.say(word);
    await store.until(() => isDeepStrictEqual(parts(), [thinking, { type: "text", text }]));
    expect(turn()).toBe("running");
  }
  model.end();
  const state = await idle(store, session_id, turn_id);
  expect(turn()).toBe("done");
  expect(said(state, session_id)).toEqual(["user: think about it", "assistant: Each word is seen."]);
  const answer = state.sessions[session_id]?.history?.messages[1];
  expect(answer?.parts.map(({ type }) => type)).toEqual(["thinking", "text"]);
  expect(answer?.usage?.requests).toBe(1);
  expect(state.sessions[session_id]?.title).toBe("think about it");
  await agrees(store, client);
});

test("messages queue behind a turn, and cancelling ends all of them", async () => {
  const daemon = await launch({ model: "demo" });
  const client = daemon.client();
  const { store, session_id } = await conversation(client);
  const first = await client.send({ agent_id: "default", session_id, message: "long" });
  const second = await client.send({ agent_id: "default", session_id, message: "second" });
  expect([first.status, second.status]).toEqual(["started", "queued"]);
  const state = (turn_id: string): string | undefined =>
    store.getState().sessions[session_id]?.history?.turns[turn_id]?.state;
  await store.until(() => state(first.turn_id) === "running" && state(second.turn_id) === "queued");
  await agreesOnTurns(store, client, session_id);
  const { cancelled } = await client.cancel({ agent_id: "default", session_id });
  expect(new Set(cancelled)).toEqual(new Set([first.turn_id, second.turn_id]));
  const { sessions } = await idle(store, session_id);
  expect([state(first.turn_id), state(second.turn_id)]).toEqual(["cancelled", "cancelled"]);
  expect(sessions[session_id]?.history?.messages[1]?.status).toBe("cancelled");
  expect(sessions[session_id]?.live.turns[first.turn_id]?.stop_reason).toBe("cancelled");
  expect((await client.cancel({ agent_id: "default" })).cancelled).toEqual([]);
  await agrees(store, client);
});

/** While an answer streams, a store that is opened now has the same turns. */
async function agreesOnTurns(store: Store, client: Client, session_id: string): Promise<void> {
  const other = await watch(client, [session_id]);
  expect(other.getState().sessions[session_id]?.history?.turns).toEqual(
    store.getState().sessions[session_id]?.history?.turns,
  );
}

test("a message that steers waits for the model, and is complete when its turn is", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { store, session_id } = await conversation(client);
  const first = await client.send({ agent_id: "default", session_id, message: "write a.txt" });
  const { approvals } = await store.until((state) => state.approvals.length === 1);
  const steered = await client.send({ agent_id: "default", session_id, message: "and be quick", if_busy: "steer" });
  expect(steered).toMatchObject({ status: "steered", turn_id: first.turn_id });
  const statuses = (): unknown => store.getState().sessions[session_id]?.history?.messages.map(({ status }) => status);
  // The turn's state changes a moment after the question.
  await store.until(() => isDeepStrictEqual(statuses(), ["complete", "waiting_approval", "pending"]));
  await store.approve({ agent_id: "default", call_id: approvals[0]?.call_id ?? "", decision: "allow" });
  await idle(store, session_id);
  expect(statuses()).toEqual(["complete", "complete", "complete"]);
  await agrees(store, client);
});

test("a turn that fails says why, in the message and beside it", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { store, session_id } = await conversation(client);
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "fail" });
  const { sessions } = await idle(store, session_id, turn_id);
  const session = sessions[session_id];
  expect(session?.state).toBe("failed");
  expect(session?.history?.turns[turn_id]?.state).toBe("failed");
  expect(session?.history?.messages[1]?.parts.at(-1)).toMatchObject({ type: "notice", code: "demo_failure" });
  expect(session?.live.turns[turn_id]?.error).toMatchObject({ code: "demo_failure", severity: "error" });
  await agrees(store, client);
});

test("a history that is opened while its answer streams is whole", async () => {
  const daemon = await launch({ model: "demo" });
  const client = daemon.client();
  const { store, session_id } = await conversation(client);
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "hello 🦊 über" });
  await store.until(({ sessions }) => (sessions[session_id]?.history?.messages[1]?.text.length ?? 0) > 40);
  const late = await watch(client);
  await late.open(session_id);
  late.close(session_id);
  await late.open(session_id);
  expect(late.getState().sessions[session_id]?.history?.messages).toHaveLength(2);
  await Promise.all([idle(store, session_id, turn_id), idle(late, session_id, turn_id)]);
  expect(said(late.getState(), session_id)).toEqual(said(store.getState(), session_id));
  expect(said(late.getState(), session_id)[1]).toContain("“hello 🦊 über”");
  await agrees(late, client);
});

test("pages of history are joined, also while an answer streams", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { store, session_id } = await conversation(client);
  let turn_id = "";
  for (let number = 0; number < 30; number += 1) {
    ({ turn_id } = await client.send({ agent_id: "default", session_id, message: `think ${number}` }));
  }
  await idle(store, session_id, turn_id);
  const late = await watch(client, [session_id]);
  const messages = (): number => late.getState().sessions[session_id]?.history?.messages.length ?? 0;
  expect(messages()).toBe(50);
  const newest = late.getState().sessions[session_id]?.history?.messages.at(-1);
  ({ turn_id } = await client.send({ agent_id: "default", session_id, message: "hello" }));
  await late.loadOlder(session_id);
  await idle(late, session_id, turn_id);
  expect(messages()).toBe(62);
  expect(late.getState().sessions[session_id]?.history?.next_before).toBeNull();
  expect(late.getState().sessions[session_id]?.history?.messages.at(-3)).toBe(newest);
  expect(said(late.getState(), session_id).filter((text) => text.startsWith("user: think"))).toHaveLength(30);
  await agrees(store, client);
  late.refresh();
  await agrees(late, client);
});

test("sessions come, change and go in the store as in the daemon", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const a = await client.sessions.create({ title: "a" });
  const b = await client.sessions.create({ title: "b" });
  await store.until(({ order }) => order.length === 2);
  await client.send({ agent_id: "default", session_id: a.session_id, message: "newest" });
  await store.until(({ order, sessions }) => order[0] === a.session_id && sessions[a.session_id]?.state === "idle");
  await client.sessions.rename(b.session_id, "renamed");
  await client.sessions.archive(a.session_id);
  await store.until(({ order, sessions }) => order.length === 1 && sessions[b.session_id]?.title === "renamed");
  await agrees(store, client);
  expect((await client.sessions.list({ archived: true })).sessions.map(({ session_id }) => session_id)).toEqual([
    a.session_id,
  ]);
  expect((await client.sessions.search("newest", { archived: true })).sessions).toHaveLength(1);
  await client.sessions.archive(a.session_id, false);
  await store.until(({ order }) => order.length === 2);
  await store.open(b.session_id);
  await client.sessions.delete(b.session_id);
  await store.until(({ sessions }) => sessions[b.session_id] === undefined);
  await expect(store.open(b.session_id)).rejects.toMatchObject({ status: 404, code: "session_not_found" });
  const { turn_id } = await client.send({ agent_id: "default", session_id: a.session_id, message: "hello" });
  await store.open(a.session_id);
  await idle(store, a.session_id, turn_id);
  await client.clearHistory("default", a.session_id);
  await store.until(({ sessions }) => sessions[a.session_id]?.history?.messages.length === 0);
  await agrees(store, client);
});

test("settings and rules that change are seen by others", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  await client.config.set({ permission_mode: "always_ask", model: "demo" });
  await store.until(({ config }) => config?.values["permission_mode"]?.value === "always_ask");
  const rule = await client.rules.add({ decision: "deny", tool: "run_command", kind: "any" });
  await store.until(({ rules }) => rules.some(({ rule_id }) => rule_id === rule.rule_id));
  await agrees(store, client);
  const answer = await client.check({ tool: "run_command", arguments: { command: "ls" } });
  expect(answer).toMatchObject({ decision: "deny", decided_by: `rule:${rule.rule_id}` });
  await client.rules.remove(rule.rule_id);
  await client.config.set({ permission_mode: null });
  await store.until(({ rules, config }) => rules.length === 0 && config?.values["permission_mode"]?.source !== "api");
  await agrees(store, client);
});

test("what a session works with follows its own choice, the configuration and its agent", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const a = await client.sessions.create({ title: "a", effort: "low" });
  const b = await client.sessions.create({ title: "b", permission_mode: "auto_approve" });
  const mode = (id: string) => store.getState().sessions[id]?.settings?.permission_mode;
  await store.until(({ sessions }) => sessions[b.session_id] !== undefined);
  await client.config.set({ permission_mode: "always_ask" });
  await store.until(() => mode(a.session_id)?.value === "always_ask");
  expect(mode(a.session_id)).toEqual({ value: "always_ask", source: "config" });
  expect(mode(b.session_id)).toEqual({ value: "auto_approve", source: "session" });
  await client.sessions.change(b.session_id, { permission_mode: null, model: "demo", effort: "high" });
  await store.until(({ sessions }) => sessions[b.session_id]?.settings?.model.value === "demo");
  expect(mode(b.session_id)).toEqual({ value: "always_ask", source: "config" });
  expect((await client.agents({ session_id: a.session_id })).map(({ id }) => id)).toContain("default");
  await client.config.set({ permission_mode: null });
  await store.until(() => mode(b.session_id)?.source !== "config");
  await agrees(store, client);
});

test("every call there is has its function", async () => {
  const daemon = await launch();
  const client = daemon.client();
  expect(await client.health()).toMatchObject({ status: "ok", protocol: 1 });
  expect((await client.agents()).map(({ id }) => id)).toContain("default");
  expect((await client.tools()).map(({ name }) => name)).toContain("write_file");
  expect((await client.models())[0]).toMatchObject({ name: "demo:instant", chosen: true });
  expect(await client.status("default")).toMatchObject({ id: "default", state: "idle" });
  expect(await client.history("default")).toEqual({ messages: [], next_before: null });
  expect(await client.call("GET", "/api/approvals")).toEqual([]);
  expect(await client.shutdown()).toEqual({ stopping: true });
});

test("a refusal is an error with the daemon's own words", async () => {
  const daemon = await launch();
  const client = daemon.client();
  await expect(client.chat({ agent_id: "nobody", message: "hello" })).rejects.toMatchObject({
    name: "AsterError",
    status: 404,
    code: "agent_not_found",
    message: expect.stringContaining("nobody") as string,
    hint: expect.any(String) as string,
    id: expect.stringMatching(/^req_/) as string,
  });
  await expect(client.call("POST", "/api/chat", { agent_id: 7 })).rejects.toMatchObject({
    status: 422,
    code: "invalid_shape",
    details: expect.arrayContaining([{ field: "agent_id", problem: expect.any(String) as string }]) as unknown[],
  });
  await expect(client.call("GET", "/nothing")).rejects.toMatchObject({ status: 404, code: "not_found" });
});

test("without the token, or with a wrong one, nothing comes through; with the right one everything does", async () => {
  const daemon = await launch();
  let token: string | null = null;
  const client = createClient({ url: daemon.url, token: () => token });
  await expect(client.agents()).rejects.toMatchObject({ status: 401, code: "token_refused" });
  const store = createStore(client, { backoff: { base_s: 0.02, most_s: 0.05 } });
  const started = store.start();
  const { connection, ready } = await store.until(({ connection }) => connection.failures > 3);
  expect(ready).toBe(false);
  expect(connection).toMatchObject({ state: "offline", error: { status: 401, code: "token_refused" } });
  expect(connection.error).toBeInstanceOf(AsterError); // the error itself, not a copy of its fields
  token = "wrong-".padEnd(20, "x");
  await expect(client.agents()).rejects.toMatchObject({ code: "token_refused" });
  token = daemon.token;
  expect(await client.agents()).toHaveLength(1);
  expect(await started).toMatchObject({ current: true, connection: { state: "connected", error: null } });
  store.stop();
  expect(store.getState()).toMatchObject({ current: false, connection: { state: "offline" } });
});

test("an open conversation that is deleted and restored is whole again without being opened anew", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { store, session_id } = await conversation(client);
  await client.rules.add({ decision: "deny", tool: "read_file", kind: "any", session_id });
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "hello" });
  const before = said(await idle(store, session_id, turn_id), session_id);
  for (const again of [false, true]) {
    const { deleted, restorable_until } = await client.sessions.delete(session_id);
    expect([deleted, Date.parse(restorable_until ?? "") > Date.now()]).toEqual([2, true]);
    await store.until(({ sessions, rules }) => sessions[session_id] === undefined && rules.length === 0);
    expect((await client.sessions.list({ deleted: true })).sessions).toMatchObject([{ session_id, restorable_until }]);
    await expect(client.sessions.get(session_id)).rejects.toMatchObject({ details: { restorable_until } });
    if (again) await daemon.restart();
    expect(await client.sessions.restore(session_id)).toMatchObject({ session_id, deleted_at: null });
    const state = await store.until(
      ({ sessions, rules }) => sessions[session_id]?.history != null && rules.length === 1,
    );
    expect(said(state, session_id)).toEqual(before);
    expect(state.order).toEqual([session_id]);
    await agrees(store, client);
  }
  expect(await client.sessions.delete(session_id, { purge: true })).toMatchObject({ restorable_until: null });
  await expect(client.sessions.restore(session_id)).rejects.toMatchObject({ code: "session_not_found", details: null });
});

test("a page lists folders, and trusts a project as the person saw it", async () => {
  const daemon = await launch({ model: "demo" });
  const client = daemon.client();
  const agents = join(daemon.home, "garden", ".aster", "agents");
  mkdirSync(agents, { recursive: true });
  const listed = await client.folders({ path: daemon.home });
  const garden = listed.folders.find(({ name }) => name === "garden");
  expect(garden?.project).toBe(true);
  const path = garden?.path ?? "";
  const { digest } = await client.trust.get(path);
  writeFileSync(join(agents, "gardener.yaml"), "description: Plans the beds.\n");
  const refused = await client.trust.add({ path, digest }).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(AsterError);
  const { code, details } = refused as AsterError;
  expect(code).toBe("trust_changed");
  const seen = details as wire.TrustView;
  expect(seen.agents.map(({ id }) => id)).toEqual(["gardener"]);
  expect(await client.trust.add({ path, digest: seen.digest })).toMatchObject({ trusted: true, changed: [] });
  expect(await client.trust.remove(path)).toMatchObject({ trusted: false, projects: [] });
});
