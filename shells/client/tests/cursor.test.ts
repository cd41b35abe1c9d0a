// The cursor, with the real daemon: a stream that resumes after any event, and cursors that can't be served.
import { expect, onTestFinished, test } from "vitest";
import { AsterError, createClient, createStore, httpTransport, type AsterEvent, type Transport } from "../src/index.js";
import { agrees, idle, launch, TOKEN, watch } from "./daemon.js";
import { Proxy } from "./proxy.js";

/** A transport whose stream breaks after every `every` events. */
function breaking(transport: Transport, every: number): Transport {
  return {
    ...transport,
    stream(query, listener) {
      let left = every;
      const close = transport.stream(query, {
        event(event) {
          if (left === 0) return;
          listener.event(event);
          if (event.seq === null || (left -= 1) > 0) return;
          close();
          listener.end(new AsterError(0, "unreachable", "cut by the test"));
        },
        end: (error) => {
          listener.end(error);
        },
      });
      return close;
    },
  };
}

test("a stream that is taken up behind every event, every second one and so on shows the same", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const steps = [1, 2, 3, 5, 8];
  const stores = await Promise.all(
    steps.map(async (every) => {
      const transport = breaking(httpTransport({ url: daemon.url, token: TOKEN }), every);
      const store = createStore(createClient({ transport }), { backoff: { base_s: 0.001, most_s: 0.002 } });
      onTestFinished(() => {
        store.stop();
      });
      await store.start();
      await store.open(session_id);
      return store;
    }),
  );
  await client.send({ agent_id: "default", session_id, message: "think" });
  await client.send({
    agent_id: "default",
    session_id,
    message: "write and run `for i in 1 2 3 4 5 6; do echo $i; sleep 0.02; done`",
  });
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "fail" });
  const watcher = await watch(client, [session_id]);
  const { approvals } = await watcher.until((state) => state.approvals.length === 2);
  for (const { call_id } of approvals) await client.approve({ agent_id: "default", call_id, decision: "allow" });
  for (const store of stores) {
    await idle(store, session_id, turn_id);
    await agrees(store, client);
  }
});

test.each(["future", "malformed"])(
  "a cursor that can't be served (%s) makes the store read everything again",
  async (reason) => {
    const daemon = await launch();
    const client = daemon.client();
    const { session_id } = await client.sessions.create();
    const straight = httpTransport({ url: daemon.url, token: TOKEN });
    const seen: AsterEvent[] = [];
    let away = false;
    let cut: () => void = () => undefined;
    const transport: Transport = {
      ...straight,
      stream(query, listener) {
        if (away) {
          listener.end(new AsterError(0, "unreachable", "cut by the test"));
          return () => undefined;
        }
        const after = query.after === null ? null : reason === "future" ? 2 ** 50 : Number.NaN;
        const close = straight.stream(
          { ...query, after },
          {
            event(event) {
              seen.push(event);
              listener.event(event);
            },
            end: (error) => {
              listener.end(error);
            },
          },
        );
        cut = () => {
          close();
          listener.end(new AsterError(0, "unreachable", "cut by the test"));
        };
        return close;
      },
    };
    const store = await watch(createClient({ transport }), [session_id]);
    away = true;
    cut();
    await store.until(({ connection }) => connection.state === "offline");
    // This store will never get these changes as events.
    await client.send({ agent_id: "default", session_id, message: "write a.txt" });
    await client.sessions.rename(session_id, "renamed");
    const gone = await client.sessions.create({ title: "gone before anybody heard of it" });
    await client.sessions.delete(gone.session_id);
    const watcher = await watch(client);
    await watcher.until(({ approvals }) => approvals.length === 1);
    away = false;
    store.retry();
    await store.until(({ current }) => current);
    expect(seen.find(({ type }) => type === "resync")).toMatchObject({ data: { reason } });
    await agrees(store, client);
    expect(store.getState().sessions[session_id]?.title).toBe("renamed");
    expect(store.getState().approvals).toHaveLength(1);
  },
);

test("a daemon that comes back without its data is shown as it is", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const store = await watch(client, [session_id]);
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "hello" });
  await idle(store, session_id, turn_id);
  await daemon.kill();
  daemon.forget();
  await daemon.start();
  await store.until(({ current, order }) => current && order.length === 0);
  await agrees(store, client);
  await expect(store.open(session_id)).rejects.toMatchObject({ code: "session_not_found" });
  // Its seqs start again, below the earlier ones: new events count nevertheless.
  const { session_id: anew } = await client.sessions.create({ title: "anew" });
  await store.until(({ order }) => order[0] === anew);
  await agrees(store, client);
});

test("a cursor whose events were trimmed while nobody looked is one that can't be served", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const store = await watch(client, [session_id]);
  store.stop();
  const { turn_id } = await client.send({ agent_id: "default", session_id, message: "hello" });
  const watcher = await watch(client, [session_id]);
  await idle(watcher, session_id, turn_id);
  await daemon.kill();
  daemon.trim();
  await daemon.start();
  await store.start();
  await store.until(({ current }) => current);
  expect(store.getState().sessions[session_id]?.history?.turns[turn_id]?.state).toBe("done");
  await agrees(store, client);
});

test("who was away while a history was cleared is told all that is not of it", async () => {
  const daemon = await launch();
  const proxy = await new Proxy(() => daemon.port).open();
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const store = await watch(daemon.client({ url: proxy.url }), [session_id]);
  await client.send({ agent_id: "default", session_id, message: "write a.txt" });
  const { approvals } = await store.until((state) => state.approvals.length === 1);
  proxy.refusing = true;
  proxy.cut();
  await store.until(({ connection }) => connection.state === "offline");
  const watcher = await watch(client, [session_id]);
  await client.approve({ agent_id: "default", call_id: approvals[0]?.call_id ?? "", decision: "allow" });
  await idle(watcher, session_id);
  await watcher.until(({ notifications }) => notifications.some(({ kind }) => kind === "turn_done"));
  await client.sessions.rename(session_id, "renamed");
  await client.clearHistory("default", session_id);
  proxy.refusing = false;
  store.retry();
  await agrees(store, client);
});

test("a stream may be watched without a store, from where one wants", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  const { seq, turn_id } = await client.send({ agent_id: "default", session_id, message: "think" });
  const events = await new Promise<AsterEvent[]>((resolve) => {
    const seen: AsterEvent[] = [];
    const feed = client.follow({
      after: seq - 1,
      session_id,
      types: ["message_added", "text_chunk", "done"],
      onEvent(event) {
        if (event.type !== "heartbeat") seen.push(event);
        if (event.type !== "done") return;
        expect(feed.cursor).toBe(event.seq);
        feed.close();
        resolve(seen);
      },
    });
  });
  expect(events[0]?.type).toBe("connected");
  expect(events[1]).toMatchObject({ type: "message_added", seq, turn_id });
  expect(new Set(events.map(({ type }) => type))).toEqual(
    new Set(["connected", "message_added", "text_chunk", "done"]),
  );
});
