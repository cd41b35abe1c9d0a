// Tools that this process lends to the agents of a real daemon, over HTTP and through a native host.
import { expect, onTestFinished, test, vi } from "vitest";
import * as z from "zod";
import { createClient, type AsterEvent, type Client } from "../src/index.js";
import { lendTools, type CallContext, type Lender, type LenderState, type LendOptions } from "../src/tools.js";
import { launch, type Daemon } from "./daemon.js";
import { TestHost } from "./host.js";

const BACKOFF = { base_s: 0.02, most_s: 0.2 };
const PARAMETERS = { type: "object", properties: { url: { type: "string" } }, required: ["url"] };
const MESSAGE = 'call open_tab {"url": "https://example.com"}';

interface Ended {
  state: string;
  result: unknown;
  error: string | null;
  files: string[];
}

/** Lends tools until the test ends. */
function lend<Args extends object>(client: Client, options: LendOptions<Args>): Lender {
  const lender = lendTools(client, { backoff: BACKOFF, ...options });
  onTestFinished(() => lender.close());
  return lender;
}

/** A host `browser` with the tool `open_tab`. */
function browser(
  client: Client,
  run: (args: { url: string }, context: CallContext) => unknown,
  options: Partial<Omit<LendOptions<object>, "tools">> & { idempotent?: boolean; timeout_s?: number } = {},
): Lender {
  const { idempotent = false, timeout_s = 60, ...rest } = options;
  const tool = { description: "Open a tab.", parameters: PARAMETERS, risk: "low" as const, idempotent, timeout_s, run };
  return lend(client, { name: "browser", tools: { open_tab: tool }, ...rest });
}

/** Sends a message whose answer calls a tool. Returns the session. */
async function ask(client: Client, message = MESSAGE): Promise<string> {
  const { session_id } = await client.sessions.create();
  await client.send({ agent_id: "default", session_id, message });
  return session_id;
}

/** The calls of a session's tools, once `count` of them and the turn have ended. */
async function ended(client: Client, session_id: string, count = 1): Promise<Ended[]> {
  return vi.waitFor(
    async () => {
      expect((await client.status("default", session_id)).state).toBe("idle");
      const { messages } = await client.history("default", session_id);
      const calls = messages.flatMap(({ parts }) => parts.filter((part) => part.type === "tool"));
      expect(calls).toHaveLength(count);
      return calls.map(({ state, result, error, attachments }) => {
        const { files: _, ...told } = (result ?? {}) as Record<string, unknown>; // the names of the files, for the model
        const files = (attachments ?? []).map(({ name }) => name);
        return { state, result: told, error: error ?? null, files };
      });
    },
    { timeout: 60_000, interval: 30 },
  );
}

const done = (result: unknown, files: string[] = []): Ended[] => [
  { state: "done", result: { from: "browser", result }, error: null, files },
];

/** Something that a test lets happen, and the fact that it has begun. */
class Gate {
  #open: (value: unknown) => void = () => undefined;
  #begun: () => void = () => undefined;
  readonly result = new Promise<unknown>((resolve) => (this.#open = resolve));
  readonly begun = new Promise<void>((resolve) => (this.#begun = resolve));
  runs = 0;

  readonly run = (): Promise<unknown> => {
    this.runs += 1;
    this.#begun();
    return this.result;
  };

  open(value: unknown): void {
    this.#open(value);
  }
}

/** All events of the daemon of one type from now on. */
async function events(client: Client, type: AsterEvent["type"]): Promise<AsterEvent[]> {
  const seen: AsterEvent[] = [];
  await new Promise<void>((resolve) => {
    const feed = client.follow({
      types: [type],
      backoff: BACKOFF,
      onEvent(event) {
        if (event.type === "connected") resolve();
        if (event.type === type) seen.push(event);
      },
    });
    onTestFinished(() => {
      feed.close();
    });
  });
  return seen;
}

const online = (lender: Lender, whether = true): Promise<void> =>
  vi.waitFor(
    () => {
      expect(lender.state.online).toBe(whether);
    },
    { timeout: 30_000, interval: 20 },
  );

const transports: [string, (daemon: Daemon) => Client][] = [
  ["HTTP", (daemon) => daemon.client()],
  ["a native host", (daemon) => createClient({ host: new TestHost(daemon) })],
];

test.each(transports)("over %s, tools are offered, run with what the model gave, and answered", async (_, connect) => {
  const daemon = await launch();
  const client = connect(daemon);
  const states: LenderState[] = [];
  const contexts: CallContext[] = [];
  const lender = browser(
    client,
    async ({ url }, context) => {
      contexts.push(context);
      await context.attach("page.txt", new Blob(["the page"]));
      await context.attach("more.txt", new TextEncoder().encode("more"));
      return { opened: url, nothing: undefined };
    },
    { onState: (state) => states.push(state) },
  );
  expect(lender.state).toEqual({ online: false, error: null });
  await lender.ready;
  expect(states).toEqual([{ online: true, error: null }]);
  const tool = (await client.tools()).find(({ name }) => name === "open_tab");
  expect(tool).toMatchObject({ host: "browser", risk: "low", schema: { required: ["url"] } });

  const session_id = await ask(client);
  const result = { opened: "https://example.com" };
  expect(await ended(client, session_id)).toEqual(done(result, ["page.txt", "more.txt"]));
  expect(contexts).toMatchObject([{ session_id, agent_id: "default" }]);
  expect(contexts[0]?.call_id).not.toBe("");
  expect(contexts[0]?.turn_id).not.toBe("");
  expect(Date.parse(contexts[0]?.deadline ?? "")).toBeGreaterThan(Date.now());

  await lender.close();
  expect(states.at(-1)).toEqual({ online: false, error: null });
  expect((await client.tools()).map(({ name }) => name)).not.toContain("open_tab");
  await expect(daemon.client().call("GET", "/api/hosts")).resolves.toMatchObject([{ name: "browser", online: false }]);
});

test("what a tool throws, and what JSON can't hold, is an error for the model", async () => {
  const client = (await launch()).client();
  const results: (() => unknown)[] = [
    () => Promise.reject(new Error("there is no window")),
    () => {
      throw new TypeError();
    },
    () => ({ big: 3n }),
    () => undefined,
    () => "half \ud83d",
  ];
  const lender = browser(client, () => results.shift()?.());
  await lender.ready;
  const states: Ended[] = [];
  for (let number = 0; number < 5; number += 1) states.push(...(await ended(client, await ask(client))));
  expect(states.map(({ state, error, result }) => [state, error ?? (result as { result: unknown }).result])).toEqual([
    ["failed", "browser: there is no window"],
    ["failed", "browser: TypeError"],
    ["failed", expect.stringMatching(/BigInt/) as string],
    ["done", null],
    ["done", expect.stringMatching(/^half ./u) as string],
  ]);
});

test("a result that the daemon refuses becomes an error, and nothing is left open", async () => {
  const client = (await launch()).client();
  const lender = browser(client, () => "x".repeat(9 * 1024 * 1024));
  await lender.ready;
  const [call] = await ended(client, await ask(client));
  expect(call?.state).toBe("failed");
  expect(call?.error).toMatch(/^browser: the result could not be delivered: /);
});

test("a schema of a library is written as JSON Schema, and parses the arguments", async () => {
  const client = (await launch()).client();
  const lender = lend(client, {
    name: "browser",
    tools: {
      open_tab: {
        description: "Open a tab.",
        parameters: z.object({ url: z.string(), tabs: z.number().default(1) }),
        risk: "low",
        run: ({ url, tabs }) => url.length * (tabs + 1), // both types are inferred
      },
      say: {
        description: "Say a word.",
        parameters: z.object({ word: z.string().refine((word) => word !== "no", "another word") }),
        risk: "low",
        run: ({ word }) => word.toUpperCase(),
      },
      count: {
        description: "Count.",
        parameters: { type: "object" },
        parse: (given: unknown) => ({ total: Object.keys(given as object).length }),
        risk: "low",
        run: ({ total }) => total + 1,
      },
    },
  });
  await lender.ready;
  const tool = (await client.tools()).find(({ name }) => name === "open_tab");
  expect(tool?.schema).toMatchObject({ required: ["url"], properties: { tabs: { type: "number", default: 1 } } });
  expect(await ended(client, await ask(client))).toEqual(done(38));
  expect(await ended(client, await ask(client, 'call say {"word": "yes"}'))).toEqual(done("YES"));
  expect(await ended(client, await ask(client, 'call count {"a": 1, "b": 2}'))).toEqual(done(3));
  const [refused] = await ended(client, await ask(client, 'call say {"word": "no"}'));
  expect(refused).toMatchObject({ state: "failed", error: "browser: word: another word" });
  const unwritable = { "~standard": { version: 1 as const, vendor: "own", validate: (value: unknown) => ({ value }) } };
  const tools = { own: { description: "Own.", parameters: unwritable, run: () => null } };
  expect(() => lendTools(client, { name: "own", tools })).toThrow(/the tool own: give its parameters as JSON Schema/);
});

test("progress reaches the clients: the newest of it, whatever its length", async () => {
  const client = (await launch()).client();
  const seen = await events(client, "tool_progress");
  const gate = new Gate();
  const lender = browser(client, async (_, { progress }) => {
    progress("begun");
    progress("first", 0.1);
    progress("x".repeat(5_000), 7);
    return gate.run();
  });
  await lender.ready;
  const session_id = await ask(client);
  await vi.waitFor(() => {
    expect(seen.at(-1)?.data).toMatchObject({ progress: 1, message: "x".repeat(2_000) });
  }, 10_000);
  expect(seen[0]?.data).toMatchObject({ message: "begun" });
  expect(seen).toHaveLength(2);
  gate.open(1);
  expect(await ended(client, session_id)).toEqual(done(1));
});

test("a cancelled call and one that takes too long are aborted, and not answered", async () => {
  const client = (await launch()).client();
  const reasons: unknown[] = [];
  const run = (_: unknown, { signal }: CallContext): Promise<unknown> =>
    new Promise((resolve) => {
      begun();
      signal.addEventListener("abort", () => {
        reasons.push((signal.reason as Error).message);
        resolve("too late");
      });
    });
  let begun: () => void = () => undefined;
  const started = new Promise<void>((resolve) => (begun = resolve));
  const lender = browser(client, run);
  await lender.ready;
  const session_id = await ask(client);
  await started;
  await client.cancel({ agent_id: "default", session_id });
  expect((await ended(client, session_id))[0]?.state).toBe("cancelled");
  await vi.waitFor(() => {
    expect(reasons).toEqual(["the call was cancelled, or its time is over"]);
  });
  await lender.close();

  const brief = browser(client, run, { timeout_s: 0.3 });
  await brief.ready;
  const [late] = await ended(client, await ask(client));
  expect(late).toMatchObject({ state: "failed", error: expect.stringContaining("did not answer in time") as string });
  await vi.waitFor(() => {
    expect(reasons).toHaveLength(2);
  });
});

test("at most so many calls run at once, and the others wait", async () => {
  const client = (await launch()).client();
  const gates = [new Gate(), new Gate(), new Gate()];
  let count = 0;
  let most = 0;
  let running = 0;
  const lender = browser(
    client,
    async () => {
      running += 1;
      most = Math.max(most, running);
      const gate = gates[(count += 1) - 1];
      await gate?.run();
      running -= 1;
      return count;
    },
    { concurrency: 2 },
  );
  await lender.ready;
  const sessions = [await ask(client), await ask(client), await ask(client)];
  await Promise.all([gates[0]?.begun, gates[1]?.begun]);
  gates[0]?.open(0);
  await gates[2]?.begun;
  gates[1]?.open(0);
  gates[2]?.open(0);
  for (const session_id of sessions) expect((await ended(client, session_id))[0]?.state).toBe("done");
  expect([count, most]).toEqual([3, 2]);
});

test.each(transports)("over %s, a call outlives kill -9 of the daemon, and is run once", async (_, connect) => {
  const daemon = await launch();
  const client = connect(daemon);
  const gate = new Gate();
  const states: LenderState[] = [];
  const lender = browser(client, gate.run, { onState: (state) => states.push(state) });
  await lender.ready;
  const session_id = await ask(client);
  await gate.begun;
  await daemon.kill();
  await online(lender, false);
  await vi.waitFor(() => {
    expect(lender.state.error).toMatchObject({ code: "unreachable" });
  });
  await daemon.start();
  await online(lender);
  gate.open("after the restart");
  expect(await ended(client, session_id)).toEqual(done("after the restart"));
  expect(gate.runs).toBe(1);
  expect(states.map((state) => state.online).at(-1)).toBe(true);
});

test("a result that has no daemon to go to is kept, and delivered after the restart", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const gate = new Gate();
  const lender = browser(client, async (_, { attach }) => {
    const result = await gate.run();
    await attach("late.txt", new Blob(["uploaded after the restart"]));
    return result;
  });
  await lender.ready;
  const session_id = await ask(client);
  await gate.begun;
  for (let times = 0; times < 2; times += 1) {
    await daemon.kill();
    await online(lender, false);
    gate.open("kept");
    await new Promise((resolve) => setTimeout(resolve, 300));
    await daemon.start();
  }
  expect(await ended(client, session_id)).toEqual(done("kept", ["late.txt"]));
  expect(gate.runs).toBe(1);
  expect(await ended(client, await ask(client))).toEqual(done("kept", ["late.txt"]));
});

test("a durable call that was made while no instance was there is in the answer to the registration", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const first = new Gate();
  const one = lend(client, {
    name: "browser",
    tools: {
      open_tab: { description: "Open a tab.", parameters: PARAMETERS, risk: "low", wait: "durable", run: first.run },
    },
  });
  await one.ready;
  await one.close();
  const session_id = await ask(client);
  await vi.waitFor(async () => {
    expect((await client.status("default", session_id)).state).toBe("waiting_approval");
  }, 10_000);
  const two = browser(client, () => "from the next instance");
  await two.ready;
  expect(await ended(client, session_id)).toEqual(done("from the next instance"));
  expect(first.runs).toBe(0);
});

test("an instance is refused while another one is there, and takes over when that one has left", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const one = browser(client, () => "one");
  await one.ready;
  const two = browser(client, () => "two");
  await expect(two.ready).rejects.toMatchObject({
    status: 409,
    code: "host_taken",
    message: "an instance of the host 'browser' is there",
  });
  expect(two.state).toMatchObject({ online: false, error: { code: "host_taken" } });
  expect(await ended(client, await ask(client))).toEqual(done("one"));
  await one.close();
  await online(two);
  expect(two.state.error).toBeNull();
  expect(await ended(client, await ask(client))).toEqual(done("two"));
});

test("an instance that was replaced says so, ends what it had accepted, and does not fight", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const gate = new Gate();
  const one = browser(client, gate.run, { replace: true });
  await one.ready;
  const session_id = await ask(client);
  await gate.begun;
  const two = browser(client, () => "two", { replace: true });
  await two.ready;
  const [lost] = await ended(client, session_id);
  expect(lost?.state).toBe("unknown");
  await vi.waitFor(() => {
    expect(one.state).toMatchObject({ online: false, error: { code: "host_taken" } });
  }, 10_000);
  gate.open("too late");
  expect(await ended(client, await ask(client))).toEqual(done("two"));
  expect(two.state.online).toBe(true);
  await two.close();
  await online(one); // its kept result is refused, and it takes calls again
  expect(await ended(client, await ask(client))).toEqual(done("too late"));
  expect(gate.runs).toBe(2);
});

test("an idempotent call goes to the next instance, and is run once by each", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const gate = new Gate();
  const one = browser(client, gate.run, { idempotent: true });
  await one.ready;
  const session_id = await ask(client);
  await gate.begun;
  const stuck = new Gate();
  const two = browser(client, stuck.run, { idempotent: true, replace: true });
  await two.ready;
  await stuck.begun;
  await vi.waitFor(() => {
    expect(one.state.error).toMatchObject({ code: "host_taken" });
  }, 10_000);
  gate.open("from the first");
  stuck.open("from the second");
  expect(await ended(client, session_id)).toEqual(done("from the second"));
  expect([gate.runs, stuck.runs]).toEqual([1, 1]);
});

test("a fixed instance that was restarted does not run again what it had accepted", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const before = new Gate();
  const one = browser(client, before.run, { instance: "the only one" });
  await one.ready;
  const session_id = await ask(client);
  await before.begun;
  const after = new Gate();
  const two = browser(client, after.run, { instance: "the only one" });
  await two.ready;
  const [call] = await ended(client, session_id);
  expect(call?.error).toContain("The program was restarted while it ran this call.");
  expect([before.runs, after.runs]).toEqual([1, 0]);
});

/** A client whose requests of a host pass `send`, which may lose or change the answer. */
function through(daemon: Daemon, send: (what: string, ask: () => Promise<Response>) => Promise<Response>): Client {
  return daemon.client({
    fetch: (input, init) => {
      const what = (input as string).split("/").at(-1) ?? "";
      return init?.method === "POST" ? send(what, () => fetch(input, init)) : fetch(input, init);
    },
  });
}

test("a host stays registered as long as it sends heartbeats, and again after it could not", async () => {
  const daemon = await launch();
  const states: LenderState[] = [];
  const steady = lend(daemon.client(), { name: "steady", tools: {}, onState: (state) => states.push(state) });
  let deaf = true;
  const client = through(daemon, (what, ask) =>
    deaf && what === "heartbeat" ? Promise.reject(new TypeError("lost")) : ask(),
  );
  const gate = new Gate();
  const lender = browser(client, gate.run);
  await Promise.all([steady.ready, lender.ready]);
  const hosts = (): Promise<{ name: string; online: boolean; registered_at: string }[]> =>
    client.call("GET", "/api/hosts");
  const before = await hosts();
  const session_id = await ask(client);
  await gate.begun;
  await vi.waitFor(
    async () => {
      expect((await hosts()).find(({ name }) => name === "browser")?.online).toBe(false);
    },
    { timeout: 30_000, interval: 200 },
  );
  expect((await hosts()).filter(({ name }) => name === "steady")).toEqual(
    before.filter(({ name }) => name === "steady"),
  );
  expect(states).toEqual([{ online: true, error: null }]);
  deaf = false;
  gate.open("heard again");
  expect(await ended(client, session_id)).toEqual(done("heard again"));
  expect(gate.runs).toBe(1);
  await online(lender);
});

test("a call whose accept and result were answered into the void is run once, and delivered once", async () => {
  const daemon = await launch();
  const sent: string[] = [];
  const client = through(daemon, async (what, ask) => {
    const response = await ask();
    if (what !== "accept" && what !== "results") return response;
    const { code } = (await response.clone().json()) as { code?: string };
    sent.push(`${what} ${code ?? "done"}`);
    if (code === undefined) throw new TypeError("the answer is lost");
    return response;
  });
  const gate = new Gate();
  const lender = browser(client, gate.run);
  await lender.ready;
  gate.open(1);
  expect(await ended(client, await ask(client))).toEqual(done(1));
  await vi.waitFor(() => {
    expect(sent).toEqual(["accept done", "accept host_call_taken", "results done", "results host_call_ended"]);
  }, 10_000);
  expect(gate.runs).toBe(1);
});

test("a file that the daemon does not have any more is uploaded again", async () => {
  const daemon = await launch();
  let uploads = 0;
  const client = through(daemon, async (what, ask) => {
    const response = await ask();
    if (what !== "attachments" || (uploads += 1) > 1) return response;
    const answer = (await response.json()) as { data: { attachment_id: string } };
    answer.data.attachment_id = "att_gone";
    return Response.json(answer);
  });
  const lender = browser(client, async (_, { attach }) => {
    await attach("page.txt", new Blob(["the page"]));
    return 1;
  });
  await lender.ready;
  expect(await ended(client, await ask(client))).toEqual(done(1, ["page.txt"]));
  expect(uploads).toBe(2);
});

test("a result that the daemon fails at again and again becomes an error", async () => {
  const daemon = await launch();
  let failures = 0;
  const client = through(daemon, (what, ask) => {
    if (what !== "results" || (failures += 1) > 3) return ask();
    const failure = { id: "r", success: false, error: "a bug", code: "internal_error", hint: null };
    return Promise.resolve(Response.json(failure, { status: 500 }));
  });
  const lender = browser(client, () => 1);
  await lender.ready;
  const [call] = await ended(client, await ask(client));
  expect(call).toMatchObject({ state: "failed", error: "browser: the result could not be delivered: a bug" });
});

test("close aborts the running calls and ends them, and can be called again", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const gate = new Gate();
  let signal: AbortSignal | undefined;
  const lender = browser(client, (_, context) => {
    ({ signal } = context);
    return gate.run();
  });
  await lender.ready;
  const session_id = await ask(client);
  await gate.begun;
  await Promise.all([lender.close(), lender.close()]);
  expect(signal?.aborted).toBe(true);
  const [call] = await ended(client, session_id);
  expect(call?.error).toContain("The program stopped lending this tool while the call ran.");
  const early = lendTools(client, { name: "early", tools: {} });
  await early.close();
  await expect(early.ready).rejects.toThrow("taken back");
  await daemon.kill();
  const late = lendTools(client, { name: "late", tools: {} });
  await late.close();
});

test("tools that the daemon refuses are reported, and so is a program that somebody removed", async () => {
  const daemon = await launch();
  const client = daemon.client();
  const tools = { read_file: { description: "Not ours.", run: () => null } };
  await expect(lend(client, { name: "browser", tools }).ready).rejects.toMatchObject({ code: "tool_taken" });
  await expect(lend(client, { name: "Not a name", tools: {} }).ready).rejects.toMatchObject({ code: "invalid_shape" });
  const wrong = daemon.client({ token: "another" });
  await expect(lend(wrong, { name: "other", tools: {} }).ready).rejects.toMatchObject({ status: 401 });

  const lender = browser(client, () => "here");
  await lender.ready;
  const hosts = await client.call<{ host_id: string }[]>("GET", "/api/hosts");
  for (const { host_id } of hosts) await client.call("DELETE", `/api/hosts/${host_id}`);
  await vi.waitFor(() => {
    expect(lender.state).toMatchObject({ online: false, error: { code: "host_not_found" } });
  }, 10_000);
  lender.retry();
  await online(lender);
  expect(await ended(client, await ask(client))).toEqual(done("here"));
});
