// The same client and store through a native host: the page holds neither token nor port.
import { expect, test, vi } from "vitest";
import { createClient, type AsterEvent } from "../src/index.js";
import { agrees, idle, launch, said, watch } from "./daemon.js";
import { TestHost } from "./host.js";

test("a conversation with a question, through window.asterHost", async () => {
  const daemon = await launch();
  const host = new TestHost(daemon);
  vi.stubGlobal("asterHost", host);
  const client = createClient();
  vi.unstubAllGlobals();
  const { session_id } = await client.sessions.create();
  const store = await watch(client, [session_id]);
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "write a.txt" });
  const { approvals } = await store.until((state) => state.approvals.length === 1);
  await store.approve({ agent_id: "default", call_id: approvals[0]?.call_id ?? "", decision: "allow" });
  const state = await idle(store, session_id, turn_id);
  expect(said(state, session_id)[1]).toContain("`write_file` is done");
  expect(state.answered[approvals[0]?.call_id ?? ""]?.resolved_by).toBe("the shell");
  expect(host.calls).toContain("POST /api/approve");
  await agrees(store, client);
  await agrees(store, daemon.client());
  store.stop();
  expect(host.sockets).toBe(0);
  expect(host.listeners).toBe(0);
});

test("a socket that breaks, a daemon that dies and one that refuses are borne as over HTTP", async () => {
  const daemon = await launch({ model: "demo" });
  const host = new TestHost(daemon);
  const client = createClient({ host });
  const { session_id } = await client.sessions.create();
  const store = await watch(client, [session_id]);
  let cuts = 0;
  let last: unknown = null;
  const leave = store.subscribe(() => {
    const messages = store.getState().sessions[session_id]?.history?.messages;
    if (messages === last) return;
    last = messages;
    cuts += 1;
    if (cuts % 2 === 0) host.cut();
  });
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "long" });
  await store.until(() => cuts > 8);
  await client.cancel({ agent_id: "default", session_id });
  await idle(store, session_id, turn_id);
  leave();
  await agrees(store, client);
  await client.send({ agent_id: "default", session_id, message: "hello" });
  await daemon.kill();
  await store.until(({ connection }) => connection.state === "offline");
  await expect(client.agents()).rejects.toMatchObject({ status: 0, code: "unreachable" });
  await daemon.start();
  await idle(store, session_id);
  await agrees(store, client);

  const refused = await new Promise((resolve) => {
    const feed = client.follow({
      session_id: "ses_nothing",
      onEvent: () => undefined,
      onLink(link) {
        feed.close();
        resolve(link);
      },
    });
  });
  expect(refused).toMatchObject({ state: "offline", error: { code: "session_not_found" } });
});

test("only what was asked for comes through a socket", async () => {
  const daemon = await launch();
  const client = createClient({ host: new TestHost(daemon) });
  const { session_id } = await client.sessions.create();
  const seen: AsterEvent[] = [];
  const done = new Promise<void>((resolve) => {
    const feed = client.follow({
      after: 0,
      session_id,
      types: ["done"],
      onEvent(event) {
        if (event.type !== "heartbeat") seen.push(event);
        if (event.type === "done") {
          feed.close();
          resolve();
        }
      },
    });
  });
  await client.send({ agent_id: "default", session_id, message: "think" });
  await done;
  expect(seen.map(({ type }) => type)).toEqual(["connected", "done"]);
});
