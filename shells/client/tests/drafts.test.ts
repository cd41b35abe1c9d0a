// Drafts: made only while the daemon is away, never lost, never sent without the person.
import { expect, test } from "vitest";
import { createDrafts, DRAFTS_MOST, type Draft, type DraftStorage } from "../src/index.js";
import { launch } from "./daemon.js";

function memory(content: Record<string, string> = {}): DraftStorage & { content: Record<string, string> } {
  return {
    content,
    get: (key) => content[key] ?? null,
    set: async (key, value) => {
      await Promise.resolve();
      content[key] = value;
    },
  };
}

const BODY = { agent_id: "default", message: "hello" };

test("a message is a draft only when the daemon can't be reached, and goes where it was written for", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const storage = memory();
  const drafts = createDrafts({ storage });
  const { session_id } = await client.sessions.create();
  expect(await drafts.send(client, { ...BODY, session_id })).toMatchObject({ status: "started" });
  await expect(drafts.send(client, { agent_id: "nobody", message: "hello" })).rejects.toMatchObject({
    code: "agent_not_found",
  });
  expect(drafts.list()).toEqual([]);

  await daemon.kill();
  const kept = await drafts.send(client, { ...BODY, session_id, message: "later", context: { a: 1 } }, { tries: 1 });
  const draft = kept as Draft;
  expect(draft).toMatchObject({ session_id, message: "later", context: { a: 1 }, refused: null });
  await expect(drafts.resend(client, draft.client_message_id, { tries: 1 })).rejects.toMatchObject({
    code: "unreachable",
  });

  await daemon.start();
  const later = createDrafts({ storage }); // the window was closed in between
  expect(await later.load()).toEqual([draft]);
  const started = await later.resend(client, draft.client_message_id);
  expect(started.session_id).toBe(session_id);
  expect(later.list()).toEqual([]);
  const { messages } = await client.history("default", session_id);
  expect(messages.filter(({ text }) => text === "later")).toHaveLength(1);
  await expect(later.resend(client, draft.client_message_id)).rejects.toMatchObject({ code: "draft_not_found" });
  // It may have been recorded although no answer arrived: then it is still the same message.
  await later.keep({
    ...BODY,
    session_id,
    message: "later",
    context: { a: 1 },
    client_message_id: draft.client_message_id,
  });
  expect(await later.resend(client, draft.client_message_id)).toEqual(started);
});

test("a draft that the daemon refuses stays, and says why", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const drafts = createDrafts({ storage: memory() });
  const { session_id } = await client.sessions.create();
  const { client_message_id } = await drafts.keep({ ...BODY, session_id });
  await client.sessions.delete(session_id);
  await expect(drafts.resend(client, client_message_id)).rejects.toMatchObject({ code: "session_not_found" });
  expect(drafts.list()).toMatchObject([
    { client_message_id, message: "hello", refused: { code: "session_not_found" } },
  ]);
  await drafts.discard(client_message_id);
  expect(await drafts.load()).toEqual([]);
});

test("there are twenty at most; the oldest goes, and somebody is told", async () => {
  const evicted: string[] = [];
  const drafts = createDrafts({ storage: memory(), onEvicted: (draft) => evicted.push(draft.message) });
  for (let number = 0; number < DRAFTS_MOST + 2; number += 1)
    await drafts.keep({ ...BODY, message: `number ${number}` });
  expect(drafts.list()).toHaveLength(20);
  expect(drafts.list()[0]?.message).toBe("number 2");
  expect(evicted).toEqual(["number 0", "number 1"]);
});

test("two windows keep each other's drafts", async () => {
  const storage = memory();
  const [one, other] = [createDrafts({ storage }), createDrafts({ storage })];
  await one.keep({ ...BODY, message: "from one" });
  await other.keep({ ...BODY, message: "from the other" });
  await Promise.all([one.keep({ ...BODY, message: "a" }), one.keep({ ...BODY, message: "b" })]);
  expect((await other.load()).map(({ message }) => message)).toEqual(["from one", "from the other", "a", "b"]);
});

test.each(["", "{", "null", '{"a": 1}', '[1, null, {"message": "x"}]'])(
  "what is no list of drafts is none: %s",
  async (text) => {
    const storage = memory({ "aster-drafts": text });
    const drafts = createDrafts({ storage });
    expect(await drafts.load()).toEqual([]);
    await drafts.keep(BODY);
    expect(drafts.list()).toHaveLength(1);
  },
);

test("a storage that fails says so, and works again afterwards", async () => {
  const storage = memory();
  let failing = true;
  const drafts = createDrafts({
    storage: {
      get: storage.get,
      set: (key, value) => {
        if (failing) throw new Error("the disk is full");
        return storage.set(key, value);
      },
    },
  });
  await expect(drafts.keep(BODY)).rejects.toThrow("the disk is full");
  failing = false;
  await drafts.keep(BODY);
  expect(drafts.list()).toHaveLength(1);
});
