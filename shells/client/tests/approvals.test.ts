// Questions that wait for a person, with the real daemon and several clients that may answer.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Client, Store, StoreState } from "../src/index.js";
import { agrees, idle, launch, watch } from "./daemon.js";

async function asked(client: Client, store: Store, message: string, count = 1): Promise<StoreState> {
  const { session_id } = await client.sessions.create();
  await store.open(session_id);
  await client.send({ agent_id: "default", session_id, message });
  // The turn's state changes a moment after the question.
  return store.until(
    ({ approvals, agents, sessions }) =>
      approvals.length === count &&
      sessions[session_id]?.history?.messages[1]?.status === "waiting_approval" &&
      agents.find(({ id }) => id === "default")?.state === "waiting_approval",
  );
}

test("an answer from another client closes the question here, and says whose it was", async () => {
  const daemon = await launch();
  const client = daemon.client({ name: "the first" });
  const other = daemon.client({ name: "the phone" });
  const store = await watch(client);
  const state = await asked(client, store, "write a.txt");
  const [question] = state.approvals;
  expect(question).toMatchObject({ name: "write_file", risk: "medium", arguments: { path: "a.txt" } });
  expect(question?.scopes?.map(({ scope_id }) => scope_id)).toEqual(["exact", "work_folder"]);
  const session_id = question?.session_id ?? "";

  const call_id = question?.call_id ?? "";
  await other.approve({ agent_id: "default", call_id, decision: "deny", note: "not today" });
  const after = await store.until(({ approvals }) => approvals.length === 0);
  expect(after.answered[call_id]).toMatchObject({
    decision: "deny",
    resolved_by: "the phone",
    note: "not today",
    elsewhere: true,
    question: { call_id, name: "write_file" },
  });
  await expect(store.approve({ agent_id: "default", call_id, decision: "allow" })).rejects.toMatchObject({
    status: 409,
    code: "approval_resolved",
  });
  await idle(store, session_id);
  await agrees(store, client);
});

test("an answer from here is known as such, and one through the store counts once among many", async () => {
  const daemon = await launch();
  const client = daemon.client({ name: "the first" });
  const store = await watch(client);
  const state = await asked(client, store, "write a.txt");
  const call_id = state.approvals[0]?.call_id ?? "";
  const answers = await Promise.allSettled(
    Array.from({ length: 10 }, () => store.approve({ agent_id: "default", call_id, decision: "allow" })),
  );
  expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  const { answered } = await store.until(({ approvals }) => approvals.length === 0);
  expect(answered[call_id]?.resolved_by).toBe("the first");
  await idle(store, state.approvals[0]?.session_id ?? "");
  expect(daemon.file("a.txt")).toContain("demo model");
});

test("edited arguments are what runs and what is shown", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const state = await asked(client, store, "write a.txt");
  const [question] = state.approvals;
  const edited = { path: "b.txt", content: "edited by a person" };
  await store.approve({
    agent_id: "default",
    call_id: question?.call_id ?? "",
    decision: "allow",
    arguments: edited,
  });
  const session_id = question?.session_id ?? "";
  const { sessions, answered } = await idle(store, session_id);
  expect(answered[question?.call_id ?? ""]?.elsewhere).toBe(false);
  const part = sessions[session_id]?.history?.messages[1]?.parts.find(({ type }) => type === "tool");
  expect(part).toMatchObject({ state: "done", arguments: edited, decided_by: "person" });
  expect(daemon.file("b.txt")).toBe("edited by a person");
  await agrees(store, client);
});

test("two questions of one answer are answered one by one, also over a restart of the daemon", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  const state = await asked(client, store, "write and run", 2);
  const [first, second] = state.approvals;
  await store.approve({ agent_id: "default", call_id: first?.call_id ?? "", decision: "allow_always" });
  await store.until(({ approvals, rules }) => approvals.length === 1 && rules.length === 1);
  await daemon.restart();
  await store.until(({ current }) => current);
  await agrees(store, client);
  await store.approve({ agent_id: "default", call_id: second?.call_id ?? "", decision: "deny" });
  const session_id = second?.session_id ?? "";
  const { sessions } = await idle(store, session_id);
  const states = sessions[session_id]?.history?.messages[1]?.parts.flatMap((part) =>
    part.type === "tool" ? [part.state] : [],
  );
  expect(states).toEqual(["done", "denied"]);
  await agrees(store, client);
});

test("a running tool's output is seen while it runs, and gone when it is over", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const store = await watch(client);
  // The command runs until its output has been seen.
  const state = await asked(client, store, "run `echo step 1; until [ -e seen ]; do sleep 0.05; done; echo step 2`");
  const { call_id = "", session_id = "" } = state.approvals[0] ?? {};
  await store.approve({ agent_id: "default", call_id, decision: "allow" });
  const running = await store.until(({ sessions }) => sessions[session_id]?.live.calls[call_id]?.output.length === 1);
  expect(running.sessions[session_id]?.live.calls[call_id]?.output[0]).toMatchObject({
    stream: "stdout",
    text: expect.stringContaining("step 1") as string,
  });
  writeFileSync(join(daemon.home, "work", "seen"), "");
  const { sessions } = await idle(store, session_id);
  expect(sessions[session_id]?.live.calls).toEqual({});
  await agrees(store, client);
});
