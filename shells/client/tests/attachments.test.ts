// Files of messages through the client: uploaded, sent, kept with drafts, read again and downloaded.
import { expect, test } from "vitest";
import { AsterError, createDrafts, type Draft } from "../src/index.js";
import { idle, launch, watch } from "./daemon.js";

/** The smallest PNG: one pixel. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

test("uploaded files are sent as upload returned them, and come back in the message, in order and byte for byte", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const store = await watch(client, [session_id]);
  const sent: number[] = [];
  const picture = await client.upload("a picture.png", new Blob([PIXEL]), { progress: (bytes) => sent.push(bytes) });
  expect(picture).toMatchObject({ name: "a picture.png", media_type: "image/png", size: PIXEL.length });
  expect(sent.at(-1)).toBe(PIXEL.length);
  const note = await client.upload("note.txt", new TextEncoder().encode("a note"));

  const body = { agent_id: "default", session_id, attachments: [picture, { attachment_id: note.attachment_id }] };
  const { turn_id, message_id } = await client.send(body);
  const state = await idle(store, session_id, turn_id);
  const message = state.sessions[session_id]?.history?.messages.find((one) => one.message_id === message_id);
  const files = message?.parts.filter(({ type }) => type === "image" || type === "file");
  expect(files).toEqual([
    { width: null, height: null, ...picture, type: "image" },
    { width: null, height: null, ...note, type: "file" },
  ]);
  const content = await client.download(picture.attachment_id);
  expect(Buffer.from(await content.arrayBuffer()).equals(PIXEL)).toBe(true);
});

test("refusals of files are errors like all others", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const empty = client.upload("empty.txt", new Uint8Array());
  await expect(empty).rejects.toBeInstanceOf(AsterError);
  await expect(empty).rejects.toMatchObject({ status: 422, code: "invalid_shape" });
  await expect(client.download("att_gone")).rejects.toMatchObject({ status: 404, code: "attachment_not_found" });
  const gone = { agent_id: "default", attachments: [{ attachment_id: "att_gone" }] };
  await expect(client.send(gone)).rejects.toMatchObject({ code: "attachment_not_found" });
  const signal = AbortSignal.abort(new Error("not wanted"));
  await expect(client.upload("file", new Blob(["content"]), { signal })).rejects.toThrow("not wanted");
});

test("a draft keeps its files over a restart, and is sent with them", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const content: Record<string, string> = {};
  const storage = {
    get: (key: string) => content[key] ?? null,
    set: (key: string, value: string) => {
      content[key] = value;
    },
  };
  const { session_id } = await client.sessions.create();
  const note = await client.upload("note.txt", new TextEncoder().encode("a note"));
  await daemon.kill();
  const body = { agent_id: "default", session_id, attachments: [note] };
  const draft = (await createDrafts({ storage }).send(client, body, { tries: 1 })) as Draft;
  expect(draft).toMatchObject({ message: "", attachments: [note] });

  await daemon.start();
  const drafts = createDrafts({ storage });
  expect(await drafts.load()).toEqual([draft]);
  const { message_id } = await drafts.resend(client, draft.client_message_id);
  const { messages } = await client.history("default", session_id);
  const parts = messages.find((message) => message.message_id === message_id)?.parts;
  expect(parts).toContainEqual(expect.objectContaining({ type: "file", attachment_id: note.attachment_id }));
});
