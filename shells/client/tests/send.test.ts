// Sending over a connection that breaks: each message counts once.
import { expect, test } from "vitest";
import { AsterError, createClient, httpTransport, type Transport } from "../src/index.js";
import { launch, TOKEN } from "./daemon.js";
import { Proxy } from "./proxy.js";

test("a message whose answer was lost is sent again under its id, and counts once", async () => {
  const daemon = await launch();
  const proxy = await new Proxy(() => daemon.port).open();
  const client = daemon.client({ url: proxy.url });
  const straight = daemon.client();
  const { session_id } = await straight.sessions.create();
  proxy.swallow = 2;
  const started = await client.send({ agent_id: "default", session_id, message: "hello" });
  expect(proxy.swallow).toBe(0);
  expect(proxy.connections).toBeGreaterThanOrEqual(3);
  const { messages } = await straight.history("default", session_id);
  expect(messages.filter(({ role }) => role === "user").map(({ message_id }) => message_id)).toEqual([
    started.message_id,
  ]);
});

test("it is tried until the daemon is there, and no longer than one wants", async () => {
  const daemon = await launch();
  const proxy = await new Proxy(() => daemon.port).open();
  const client = daemon.client({ url: proxy.url });
  const { session_id } = await client.sessions.create();
  const body = { agent_id: "default", session_id, message: "hello" };
  proxy.refusing = true;
  proxy.cut();
  await expect(client.send(body, { tries: 2 })).rejects.toMatchObject({
    status: 0,
    code: "unreachable",
    unreachable: true,
  });
  const controller = new AbortController();
  const given = client.send(body, { signal: controller.signal });
  controller.abort(new Error("never mind"));
  await expect(given).rejects.toThrow("never mind");
  const sent = client.send(body);
  proxy.refusing = false;
  expect(await sent).toMatchObject({ session_id });
});

test("what was refused is not sent again", async () => {
  const daemon = await launch();
  const straight = httpTransport({ url: daemon.url, token: TOKEN });
  const sent: string[] = [];
  const transport: Transport = {
    ...straight,
    request(method, path, body, signal) {
      sent.push(body ?? "");
      return straight.request(method, path, body, signal);
    },
  };
  const client = createClient({ transport });
  await expect(client.send({ agent_id: "nobody", message: "hello" })).rejects.toMatchObject({
    code: "agent_not_found",
  });
  await expect(client.send({ agent_id: "default", message: " " })).rejects.toBeInstanceOf(AsterError);
  await client.send({ agent_id: "default", message: "hello", client_message_id: "mine" });
  await expect(
    client.send({ agent_id: "default", message: "something else", client_message_id: "mine" }),
  ).rejects.toMatchObject({ code: "idempotency_mismatch" });
  expect(sent).toHaveLength(4);
  const ids = sent.map((body) => (JSON.parse(body) as { client_message_id: string }).client_message_id);
  expect(new Set(ids).size).toBe(3);
});

test("a daemon that dies while it takes a message in has it once, or not at all", { timeout: 300_000 }, async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  for (let number = 0; number < 5; number += 1) {
    const sent = client.send({ agent_id: "default", session_id, message: `number ${number}` }, { tries: 20 });
    await daemon.restart();
    await sent;
  }
  const { messages } = await client.history("default", session_id, { limit: 100 });
  const texts = messages.filter(({ role }) => role === "user").map(({ text }) => text);
  expect(texts.sort()).toEqual(Array.from({ length: 5 }, (_, number) => `number ${number}`));
});
