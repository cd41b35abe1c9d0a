// A conversation with the real daemon, as the store sees it.
import { expect, test } from "vitest";
import { idle, launch, said, settled, watch } from "./daemon.js";

test("an answer streams into the store and is what a fresh store reads", async () => {
  const daemon = await launch({ model: "demo" });
  const client = daemon.client();
  const store = await watch(client);
  const { session_id } = await client.sessions.create();
  await store.open(session_id);
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "think about it" });
  const turn = (): string | undefined => store.getState().sessions[session_id]?.history?.turns[turn_id]?.state;
  await store.until(() => turn() === "running");
  const lengths = new Set<number>();
  store.subscribe(() => {
    lengths.add(store.getState().sessions[session_id]?.history?.messages[1]?.text.length ?? 0);
  });
  const state = await idle(store, session_id);
  expect(turn()).toBe("done");
  expect(lengths.size).toBeGreaterThan(5);
  expect(said(state, session_id)).toEqual([
    "user: think about it",
    "assistant: I have shown my thoughts, such as they are, and this is the answer that follows them.",
  ]);
  const answer = state.sessions[session_id]?.history?.messages[1];
  expect(answer?.parts.map(({ type }) => type)).toEqual(["thinking", "text"]);
  expect(answer?.usage?.requests).toBe(1);
  expect(state.sessions[session_id]?.title).toBe("think about it");
  const { lived, fresh } = await settled(store, client);
  expect(lived).toEqual(fresh);
});
