// A page's transport, with the real daemon and a connection that breaks: one socket for the stream and for calls.
import { expect, onTestFinished, test, vi } from "vitest";
import { WebSocket } from "ws";
import { createClient, createStore, type Client, type ClientOptions, type Store } from "../src/index.js";
import { agrees, idle, launch, said, type Daemon, type DaemonOptions } from "./daemon.js";
import { provider, Spoken } from "./provider.js";
import { Proxy } from "./proxy.js";

const windowEvents = new EventTarget();

/** The parts of a browser's page that this library uses, with the proxy's address. */
async function page(options: DaemonOptions = {}, reachable: (url: string) => string = (url) => url) {
  const daemon = await launch({ token: null, ...options });
  const proxy = await new Proxy(() => daemon.port).open();
  const sockets: WebSocket[] = [];
  class PageSocket extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(reachable(url), protocols, { origin: proxy.url });
      this.on("error", () => undefined); // a page's socket reports it with `close`
      sockets.push(this);
    }
  }
  vi.stubGlobal("WebSocket", PageSocket);
  vi.stubGlobal("location", { href: `${proxy.url}/`, origin: proxy.url });
  vi.stubGlobal("addEventListener", windowEvents.addEventListener.bind(windowEvents));
  vi.stubGlobal("removeEventListener", windowEvents.removeEventListener.bind(windowEvents));
  onTestFinished(() => void vi.unstubAllGlobals());
  const client = (more: ClientOptions = {}): Client => createClient({ url: proxy.url, ...more });
  return { daemon, proxy, sockets, client, straight: daemon.client({ transport: "http" }) };
}

function stored(client: Client): Store {
  const store = createStore(client, { backoff: { base_s: 0.02, most_s: 0.2 } });
  onTestFinished(() => {
    store.stop();
  });
  return store;
}

async function started(client: Client): Promise<Store> {
  const store = stored(client);
  await store.start();
  return store;
}

const open = (sockets: WebSocket[]): number => sockets.filter(({ readyState }) => readyState === WebSocket.OPEN).length;

async function questions(daemon: Daemon, turns: number, session_id: string): Promise<void> {
  const { messages } = await daemon.client({ transport: "http" }).history("default", session_id);
  expect(messages.filter(({ role }) => role === "user")).toHaveLength(turns);
}

test("the stream and all calls share one connection, also those that are asked before it stands", async () => {
  const { client, proxy, sockets, straight } = await page();
  const own = client({ name: "a browser window" });
  const store = stored(own);
  const begun = store.start();
  const early = await own.agents();
  await begun;
  const { session_id } = await own.sessions.create({ title: "Grüße 😀 & Co?" });
  await store.open(session_id);
  const { turn_id } = await own.send({ agent_id: "default", session_id, message: "write a.txt" });
  const { approvals } = await store.until((state) => state.approvals.length === 1);
  await store.approve({ agent_id: "default", call_id: approvals[0]?.call_id ?? "", decision: "allow" });
  const { answered } = await store.until((state) => Object.keys(state.answered).length === 1);
  expect(Object.values(answered)[0]?.resolved_by).toBe("a browser window");
  await idle(store, session_id, turn_id);
  expect((await own.sessions.search("Grüße 😀 & Co?")).sessions.map((one) => one.session_id)).toEqual([session_id]);
  await expect(own.sessions.get("no such one")).rejects.toMatchObject({ status: 404, code: "session_not_found" });
  await expect(own.history("default", session_id, { limit: 0 })).rejects.toMatchObject({ code: "invalid_shape" });
  expect([proxy.connections, sockets.length]).toEqual([1, 1]);
  expect(early.map(({ id }) => id)).toEqual(["default"]);
  await agrees(store, straight);
});

test("without a stream, with a fetch of its own and by choice, calls and streams go over HTTP", async () => {
  const { client, sockets, daemon } = await page();
  await client().agents();
  for (const options of [{ transport: "http" as const }, { fetch: globalThis.fetch }]) {
    const store = await started(createClient({ url: daemon.url, ...options }));
    expect(store.getState().agents).toHaveLength(1);
  }
  expect(sockets).toEqual([]);
});

test("what a socket has no room for goes over HTTP, with HTTP's answer", async () => {
  const { client, straight } = await page();
  const own = client();
  const store = await started(own);
  const { session_id } = await own.sessions.create();
  await store.open(session_id);
  const message = "ü".repeat(300_000);
  const { turn_id } = await own.chat({ agent_id: "default", session_id, message });
  await idle(store, session_id, turn_id);
  const [sent] = (await own.history("default", session_id)).messages;
  expect(sent?.text === message).toBe(true);
  const body = { agent_id: "default", session_id, message: "x".repeat(1 << 20) };
  await expect(own.chat(body)).rejects.toMatchObject({ status: 413, code: "body_too_large" });
  await expect(own.health()).resolves.toMatchObject({ status: "ok" });
  expect(store.getState().connection.state).toBe("connected");
  await agrees(store, straight);
});

test("a socket that breaks under a message is no answer; the message is sent again and counts once", async () => {
  const { client, proxy, daemon, straight } = await page();
  const own = client();
  const store = await started(own);
  const { session_id } = await own.sessions.create();
  await store.open(session_id);
  proxy.swallow = 1;
  await expect(own.agents()).rejects.toMatchObject({ status: 0, code: "unreachable", unreachable: true });
  await store.until(({ connection }) => connection.state === "connected");
  proxy.swallow = 1;
  const { turn_id } = await own.send({ agent_id: "default", session_id, message: "hello" });
  await idle(store, session_id, turn_id);
  await questions(daemon, 1, session_id);
  await agrees(store, straight);
});

test("a daemon that is killed or told to stop is found again, from the event on that was seen last", async () => {
  const { client, daemon, straight, sockets } = await page({ model: "demo" });
  const own = client();
  const store = await started(own);
  const { session_id } = await own.sessions.create();
  await store.open(session_id);
  const { turn_id } = await own.send({ agent_id: "default", session_id, message: "hello" });
  await store.until((state) => said(state, session_id).length === 2);
  await daemon.kill();
  await store.until(({ connection }) => connection.state === "offline");
  await expect(own.agents()).rejects.toMatchObject({ code: "unreachable" });
  await daemon.start();
  await idle(store, session_id, turn_id);
  await own.shutdown();
  const { connection } = await store.until((state) => state.connection.state !== "connected");
  expect(connection.error).toMatchObject({ code: "unreachable" });
  await daemon.restart();
  await own.send({ agent_id: "default", session_id, message: "hello again" });
  await store.until(({ current }) => current);
  await questions(daemon, 2, session_id);
  await agrees(store, straight);
  expect(open(sockets)).toBe(1);
});

test.each(["focus", "online", "pageshow"])("a dead socket is replaced on %s, and gives up its calls", async (name) => {
  const { client, proxy, straight, sockets } = await page();
  const own = client();
  const store = await started(own);
  const { session_id } = await own.sessions.create();
  await store.open(session_id);
  proxy.hole();
  const lost = expect(own.agents()).rejects.toMatchObject({ code: "unreachable" });
  const { turn_id } = await straight.send({ agent_id: "default", session_id, message: "hello" });
  await new Promise((resolve) => setTimeout(resolve, 2_100)); // a shorter silence counts as alive
  expect(said(store.getState(), session_id)).toEqual([]);
  windowEvents.dispatchEvent(new Event(name));
  await idle(store, session_id, turn_id);
  expect(await own.agents()).toEqual(await straight.agents());
  await lost;
  expect(sockets).toHaveLength(2);
  await agrees(store, straight);
});

test("a socket that was only quiet is replaced too, and still brings the answer to a call", async () => {
  const model = new Spoken();
  const { client, sockets } = await page(await provider(() => model));
  const own = client();
  const store = await started(own);
  const checking = own.call<{ ok: boolean }>("POST", "/api/models/check", {});
  await new Promise((resolve) => setTimeout(resolve, 2_100));
  windowEvents.dispatchEvent(new Event("focus"));
  await vi.waitFor(() => {
    expect(open(sockets)).toBe(2);
  });
  await own.agents();
  model.say("yes");
  model.end();
  expect((await checking).ok).toBe(true);
  await vi.waitFor(() => {
    expect(open(sockets)).toBe(1);
  });
  expect(store.getState().connection.state).toBe("connected");
});

test("where HTTP is answered and no socket comes through, the stream goes over HTTP", async () => {
  const { client, straight, sockets } = await page({}, (url) => url.replace("/ws", "/nowhere"));
  const own = client();
  const store = await started(own);
  const { session_id } = await own.sessions.create();
  await store.open(session_id);
  const { turn_id } = await own.send({ agent_id: "default", session_id, message: "hello" });
  await idle(store, session_id, turn_id);
  await agrees(store, straight);
  expect(open(sockets)).toBe(0);
});

test.each(["the-launchers-own", "the launcher's own"])("%s as the token opens no socket, and HTTP", async (token) => {
  const { client, straight, daemon, sockets } = await page({ token });
  const store = await started(client({ token: daemon.token ?? "" }));
  await agrees(store, straight);
  expect(open(sockets)).toBe(0);
  const without = stored(client());
  void without.start();
  const { connection } = await without.until((state) => state.connection.error !== null);
  expect(connection).toMatchObject({ state: "offline", error: { status: 401, code: "token_refused" } });
});

test("a call ends with its signal, and with its time", async () => {
  const { client, proxy } = await page();
  const own = client({ timeout_s: 1 });
  await started(own);
  proxy.hole();
  const stop = new AbortController();
  const given = own.agents({ signal: stop.signal });
  stop.abort(new Error("never mind"));
  await expect(given).rejects.toThrow("never mind");
  await expect(own.agents()).rejects.toMatchObject({ code: "unreachable", message: "no answer within 1 s" });
});
