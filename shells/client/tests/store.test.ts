// The store with event orders and times that the real daemon does not produce on request.
import { readdirSync, readFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { repository } from "../scripts/python.mjs";
import {
  AsterError,
  createClient,
  createStore,
  EVENT_TYPES,
  openTurns,
  type AsterEvent,
  type EventType,
  type McpServerInfo,
  type Message,
  type Session,
  type SessionInfo,
  type Snapshot,
  type Status,
  type Store,
  type WireMessage,
} from "../src/index.js";
import { connected, event, Script, TestClock } from "./script.js";

const SESSION: SessionInfo = {
  session_id: "s",
  agent_id: "default",
  title: "a conversation",
  created_at: "2026-11-21T00:00:00.000Z",
  updated_at: "2026-11-21T00:00:00.000Z",
  archived: false,
  is_default: true,
  pinned: false,
  messages: 0,
  state: "idle",
  pending_approvals: 0,
};
const SETTING = { value: "", source: "default" } as const;
const STATUS: Status = {
  id: "default",
  state: "idle",
  session_id: "s",
  turn_id: null,
  queue: [],
  waiting_for: [],
  pending_approvals: 0,
  pending_questions: 0,
  model: "demo",
  usage: { input_tokens: 0, output_tokens: 0, requests: 0 },
  context: null,
  last_error: null,
  settings: { work_dir: SETTING, model: SETTING, effort: SETTING, permission_mode: SETTING, mcp_off: [] },
};
const SNAPSHOT: Snapshot = {
  last_seq: 0,
  daemon: {
    version: "0.1.0",
    protocol: 1,
    framework: "web",
    port: 8080,
    uds: null,
    pid: 1,
    instance_id: "instance",
    started_at: SESSION.created_at,
    status: "ok",
    model: "demo",
    work_dir: "",
    data_dir: "",
    logs_dir: "",
    token_required: false,
  },
  agents: [
    {
      id: "default",
      name: "default",
      description: "",
      model: "demo",
      state: "idle",
      tools: [],
      missing: [],
      sessions: 1,
      source: "builtin",
      path: null,
      problems: [],
    },
  ],
  sessions: [SESSION],
  sessions_before: null,
  approvals: [],
  questions: [],
  turns: [],
  notifications: { notifications: [], unread: 0 },
  flags: [{ name: "ambient", description: "", value: true, default: true, source: "default" }],
  onboarding: { steps: [], current: null, done: true },
  services: [],
  browser: {
    enabled: false,
    allow: [],
    headless: null,
    isolated: false,
    program: null,
    downloads: "",
    refused: [],
  },
  mcp: [],
  hosts: [],
  config: { values: {}, config_path: "", data_dir: "", logs_dir: "", project: null, problems: [] },
  rules: [],
  warnings: [],
  metrics: { uptime_s: 1, sessions: 1, turns: 1, streams: 1, store_bytes: 1 },
};

function message(
  message_id: string,
  role: "user" | "assistant",
  text = "",
  fields: Partial<WireMessage> = {},
): WireMessage {
  const parts = text === "" ? [] : [{ type: "text" as const, text }];
  const status = role === "user" ? "complete" : "streaming";
  return {
    message_id,
    turn_id: "t",
    session_id: "s",
    role,
    text,
    parts,
    created_at: SESSION.created_at,
    status,
    ...fields,
  };
}

interface Scene {
  script: Script;
  clock: TestClock;
  store: Store;
  history: WireMessage[];
  publish: () => void;
  session: () => Session | undefined;
  messages: () => readonly Message[];
}

/** A connected store, by default with one open session. `manual`: it publishes only when the test says so. */
async function scene(history: WireMessage[] = [], { open = true, manual = false } = {}): Promise<Scene> {
  const script = new Script();
  const clock = new TestClock();
  let publish: () => void = () => undefined;
  const found: Scene = {
    script,
    clock,
    history,
    store: createStore(createClient({ transport: script }), {
      clock,
      schedule(call) {
        publish = call;
        if (!manual) queueMicrotask(call);
      },
    }),
    publish: () => {
      publish();
    },
    session: () => found.store.getState().sessions["s"],
    messages: () => found.session()?.history?.messages ?? [],
  };
  script.answers = {
    "/api/snapshot": SNAPSHOT,
    "/api/sessions/s": SESSION,
    "/api/status": STATUS,
    "/api/history": () => ({ messages: found.history, next_before: null }),
  };
  const started = found.store.start();
  script.say(connected());
  publish();
  await started;
  if (open) await found.store.open("s");
  onTestFinished(() => {
    found.store.stop();
  });
  return found;
}

const chunk = (offset: number, delta: string, message_id = "a"): AsterEvent =>
  event("text_chunk", { message_id, offset, delta });
const added = (wire: WireMessage): AsterEvent => event("message_added", { message: wire }, { turn_id: wire.turn_id });
const done = (message_id = "a"): AsterEvent =>
  event("done", { message_id, stop_reason: "complete", usage: { input_tokens: 1, output_tokens: 1, requests: 1 } });

test("5,000 tokens in a row are one publication, and neither text nor parts are copied for each", async () => {
  const { script, store, publish, messages } = await scene([], { manual: true });
  let publications = 0;
  store.subscribe(() => (publications += 1));
  script.say(added(message("u", "user", "hello")), added(message("a", "assistant")));
  publish();
  const before = messages()[1];
  publications = 0;
  for (let token = 0; token < 5000; token += 1) script.say(chunk(token * 3, "🦊ab"));
  expect(messages()[1]).toBe(before);
  publish();
  expect(publications).toBe(1);
  expect(messages()[1]?.text).toBe("🦊ab".repeat(5000));
  expect(messages()[1]?.parts).toEqual([{ type: "text", text: "🦊ab".repeat(5000) }]);
});

test("only what changed changes its identity", async () => {
  const other = { ...SESSION, session_id: "other" };
  const { script, store, publish, messages } = await scene([
    message("u", "user", "hello"),
    message("a", "assistant", "Hi"),
  ]);
  script.say(event("session_changed", { change: "created", session: other }, { session_id: "other", turn_id: null }));
  publish();
  const before = store.getState();
  const [question, answer] = messages();
  script.say(chunk(2, " there"));
  publish();
  const after = store.getState();
  expect(after).not.toBe(before);
  expect(messages()[0]).toBe(question);
  expect(messages()[1]).not.toBe(answer);
  expect(answer?.text).toBe("Hi");
  expect(after.sessions["other"]).toBe(before.sessions["other"]);
  for (const key of ["agents", "approvals", "config", "connection", "order", "rules"] as const) {
    expect(after[key]).toBe(before[key]);
  }
  script.say(event("heartbeat", { last_seq: 1 }), chunk(0, "Hi"));
  publish();
  expect(store.getState().sessions["s"]?.history).toBe(after.sessions["s"]?.history);
  store.refresh();
  await store.until(({ current }) => !current);
  const again = await store.until(({ current }) => current);
  expect(again.sessions).toBe(store.getState().sessions);
  expect(again.config).toBe(before.config);
});

test("events that the history has already count once, whatever they are", async () => {
  const watching = await scene();
  const events = [
    added(message("u", "user", "hello")),
    event("status_change", { state: "running", previous: "idle" }),
    added(message("a", "assistant")),
    event("thinking_chunk", { message_id: "a", offset: 0, delta: "hm🦊" }),
    chunk(0, "I'll "),
    chunk(5, "call"),
    event("approval_required", {
      message_id: "a",
      call_id: "c",
      name: "write_file",
      arguments: {},
      risk: "medium",
      reason: "",
      display: "write",
    }),
    event("approval_resolved", { call_id: "c", decision: "allow", resolved_by: "me", resolved_at: SESSION.created_at }),
    event("tool_start", {
      message_id: "a",
      call_id: "c",
      name: "write_file",
      arguments: {},
      risk: "medium",
      decided_by: "person",
      display: "write",
    }),
    event("tool_end", {
      message_id: "a",
      call_id: "c",
      name: "write_file",
      result: 1,
      outcome: "done",
      duration_ms: 5,
      truncated: false,
    }),
    event("history_compacted", {
      messages_before: 9,
      messages_after: 2,
      tokens_before: 9,
      context_window: 9,
      reason: "near_window",
    }),
    event("question_asked", {
      message_id: "a",
      question_id: "q",
      call_id: "d",
      name: "ask_user",
      arguments: {},
      reason: "why",
      fields: [{ id: "f", text: "Which?", kind: "text" }],
    }),
    event("question_answered", {
      question_id: "q",
      call_id: "d",
      outcome: "answered",
      answers: { f: "this" },
      resolved_by: "me",
      resolved_at: SESSION.created_at,
    }),
    event("tool_end", {
      message_id: "a",
      call_id: "d",
      name: "ask_user",
      result: { answers: { f: "this" } },
      outcome: "done",
      duration_ms: 0,
      truncated: false,
    }),
    chunk(9, "\n\nDone."),
    event("error", { code: "limit_reached", message: "enough", retryable: true, severity: "warning" }),
    done(),
    event("status_change", { state: "idle", previous: "running" }, { turn_id: null }),
  ];
  // The history after each event, from a store that got the events one by one.
  const pictures = [watching.session()];
  for (const one of events) {
    watching.script.say(one);
    watching.publish();
    pictures.push(watching.session());
  }
  expect(watching.messages()[1]?.parts.map(({ type }) => type)).toEqual([
    "thinking",
    "text",
    "tool",
    "notice",
    "tool",
    "text",
    "notice",
  ]);
  expect(watching.messages()[1]?.parts[4]).toMatchObject({
    state: "done",
    question: { question_id: "q", outcome: "answered", answers: { f: "this" }, note: null },
  });
  for (const [read, picture] of pictures.entries()) {
    for (let from = 0; from <= read; from += 1) {
      // A store whose stream begins after `from` events, and whose history is read after `read` events.
      const late = await scene([], { open: false });
      const messages = (picture?.history?.messages ?? []) as WireMessage[];
      const turn = Object.values(picture?.history?.turns ?? {})[0];
      const turn_id = picture && turn && openTurns(picture).includes(turn) ? turn.turn_id : null;
      late.script.answers["/api/status"] = { ...STATUS, state: picture?.state ?? "idle", turn_id };
      let go: (page: unknown) => void = () => undefined;
      const page = new Promise((resolve) => (go = resolve));
      late.script.answers["/api/history"] = () => page;
      const opened = late.store.open("s");
      await late.store.until(() => late.script.asked.some((path) => path.includes("/api/history")));
      const renumbered = events.map((one, at) => ({ ...one, seq: 1_000_000 + at }) as AsterEvent);
      late.script.say(...renumbered.slice(from, read + 2));
      go({ messages, next_before: null });
      await opened;
      late.script.say(...renumbered.slice(read + 2));
      late.publish();
      const whole = watching.session()?.history;
      expect(late.session()?.history?.messages, `from ${from}, read ${read}`).toEqual(whole?.messages);
      expect(late.session()?.history?.turns, `from ${from}, read ${read}`).toEqual(whole?.turns);
    }
  }
});

test("a running call may ask, several times, and runs on", async () => {
  const { script, publish, messages, store } = await scene([
    message("u", "user", "hello"),
    message("a", "assistant", "", { status: "streaming" }),
  ]);
  const call = { message_id: "a", call_id: "c", name: "notes_write", arguments: {} };
  const asking = (question_id: string) =>
    event("question_asked", {
      ...call,
      question_id,
      reason: "why",
      fields: [],
      server: "notes",
      url: "https://a.test/",
    });
  const part = () => messages()[1]?.parts[0];
  script.say(event("tool_start", { ...call, risk: "low", decided_by: "person", display: "write" }), asking("q1"));
  publish();
  expect(part()).toMatchObject({
    state: "running",
    reason: null,
    question: { question_id: "q1", server: "notes", url: "https://a.test/", outcome: null },
  });
  const ending = {
    call_id: "c",
    outcome: "answered",
    answers: {},
    resolved_by: "me",
    resolved_at: SESSION.created_at,
  } as const;
  script.say(event("question_answered", { ...ending, question_id: "q1" }), asking("q2"));
  publish();
  expect(store.getState().questions.map(({ question_id }) => question_id)).toEqual(["q2"]);
  // The end of an earlier question changes nothing in the later one.
  script.say(event("question_answered", { ...ending, question_id: "q1" }));
  publish();
  expect(part()).toMatchObject({ state: "running", question: { question_id: "q2", outcome: null } });
});

test.each([
  [9, 2, "Earlier messages were summarised for the model (9 became 2)."],
  [3, 3, "Earlier messages were shortened for the model."],
  [1, 2, "Earlier messages were shortened for the model."],
])("a compaction of %i messages to %i is told as it was", async (messages_before, messages_after, words) => {
  const { script, publish, messages } = await scene([
    message("u", "user", "hello"),
    message("a", "assistant", "", { status: "streaming" }),
  ]);
  const sizes = { tokens_before: 9, context_window: 9 };
  script.say(event("history_compacted", { messages_before, messages_after, ...sizes, reason: "over_window" }));
  publish();
  expect(messages()[1]?.parts).toEqual([{ type: "notice", code: "history_compacted", message: words, hint: null }]);
});

test("a call that has ended is not asked for again, not even for a moment", async () => {
  const call = { call_id: "c", name: "write_file", arguments: {}, risk: "medium" as const, display: "write" };
  const tool = { ...call, type: "tool" as const, state: "done" as const, truncated: false };
  const history = [message("u", "user", "hello"), message("a", "assistant", "", { parts: [tool] })];
  const { script, publish, messages } = await scene(history);
  const before = messages();
  script.say(
    event("approval_required", { message_id: "a", reason: "", ...call }),
    event("tool_start", { message_id: "a", decided_by: "person", ...call }),
    event("tool_progress", { call_id: "c", stream: "stdout", delta: "late" }),
  );
  publish();
  expect(messages()).toBe(before);
});

test("a page publishes with its frames, and by the clock while it is hidden", async () => {
  vi.useFakeTimers();
  const frames = new Map<number, () => void>();
  vi.stubGlobal("requestAnimationFrame", (callback: () => void) => {
    frames.set(frames.size, callback);
    return frames.size - 1;
  });
  vi.stubGlobal("cancelAnimationFrame", (frame: number) => frames.delete(frame));
  onTestFinished(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });
  const script = new Script();
  const store = createStore(createClient({ transport: script }), { clock: new TestClock() });
  let publications = 0;
  store.subscribe(() => (publications += 1));
  void store.start();
  script.break();
  script.break();
  expect(publications).toBe(0);
  frames.get(0)?.();
  expect([publications, frames.size, vi.getTimerCount()]).toEqual([1, 0, 0]);
  store.retry();
  script.break();
  await vi.advanceTimersByTimeAsync(100);
  expect([publications, frames.size]).toEqual([2, 0]);
  store.stop();
});

test("files of messages and of results are in their parts, from events as from the history", async () => {
  const info = { attachment_id: "att_1", name: "a.png", media_type: "image/png", size: 70, sha256: "0" };
  const picture = { ...info, width: 2, height: 1 };
  const said = message("u", "user", "look", {
    parts: [
      { type: "image", ...picture },
      { type: "file", ...info },
    ],
  });
  const { script, publish, messages } = await scene();
  const place = { message_id: "a", call_id: "c", name: "screenshot" };
  const ended = { ...place, result: null, outcome: "done", duration_ms: 5, truncated: false } as const;
  script.say(added(said), added(message("a", "assistant")));
  script.say(event("tool_end", { ...ended, attachments: [info] }), event("tool_end", { ...ended, call_id: "d" }));
  publish();
  const unmeasured = { ...info, width: null, height: null };
  expect(messages()[0]?.parts).toEqual([
    { type: "image", ...picture },
    { type: "file", ...unmeasured },
  ]);
  const files = (of: readonly Message[]): unknown[] =>
    of.flatMap(({ parts }) => parts).map((part) => (part.type === "tool" ? part.attachments : part.type));
  expect(files(messages())).toEqual(["image", "file", [unmeasured], null]);
  const call = { type: "tool", state: "done", arguments: {}, risk: "low", ...place } as const;
  const parts = [
    { ...call, attachments: [info] },
    { ...call, call_id: "d" },
  ];
  const read = await scene([said, message("a", "assistant", "", { parts })]);
  expect(files(read.messages())).toEqual(files(messages()));
});

test("how much of the context window is filled follows the turns, also of a session that is not open", async () => {
  const first = { used_tokens: 900, window_tokens: null };
  const read = { ...SESSION, context: first };
  const { script, publish, store, session } = await scene([], { open: false });
  expect(session()?.context).toBeNull();
  const asked = script.asked.length;
  const usage = { input_tokens: 900, output_tokens: 0, requests: 1 };
  const ended = (context?: SessionInfo["context"]): AsterEvent =>
    event("done", { message_id: "a", stop_reason: "complete", usage, ...(context !== undefined && { context }) });
  script.say(ended({ used_tokens: 900 }));
  publish();
  expect(session()?.context).toEqual(first);
  script.say(ended(), ended(null)); // turns in which no model was asked
  publish();
  expect(session()?.context).toEqual(first);
  await store.open("s");
  const second = { used_tokens: 24_100, window_tokens: 200_000 };
  script.say(ended(second));
  publish();
  expect(session()?.context).toEqual(second);
  expect(script.asked.slice(asked).every((path) => /history|status/.test(path))).toBe(true);

  let go: (snapshot: unknown) => void = () => undefined;
  script.answers["/api/snapshot"] = () => new Promise((resolve) => (go = resolve));
  script.say(event("history_cleared", { deleted: 2 }, { turn_id: null }));
  publish();
  expect(session()?.context).toBeNull(); // at once, before all is read again
  go({ ...SNAPSHOT, sessions: [read] });
  await store.until(({ current }) => current);
  expect(session()?.context).toEqual(first);
});

test("the context of a session that the picture does not have yet is that of its last turn", async () => {
  const { script, publish, store } = await scene([], { open: false });
  let go: (info: unknown) => void = () => undefined;
  script.answers["/api/sessions/new"] = () => new Promise((resolve) => (go = resolve));
  const where = { session_id: "new" };
  const context = { used_tokens: 10, window_tokens: 100 };
  const usage = { input_tokens: 10, output_tokens: 0, requests: 1 };
  script.say(event("status_change", { state: "running", previous: "idle" }, where));
  script.say(event("done", { message_id: "a", stop_reason: "complete", usage, context }, where));
  go({ ...SESSION, session_id: "new", state: "running" });
  await store.until(({ sessions }) => sessions["new"] !== undefined);
  publish();
  expect(store.getState().sessions["new"]?.context).toEqual(context);
});

const turn = (turn_id: string, said = `${turn_id}?`): WireMessage[] => [
  message(`u${turn_id}`, "user", said, { turn_id }),
  message(`a${turn_id}`, "assistant", `${turn_id}!`, { turn_id, status: "complete" }),
];
const rewound = (...turn_ids: string[]): AsterEvent =>
  event(
    "history_rewound",
    { from_message_id: `u${turn_ids[0]}`, turn_ids, messages: 2 * turn_ids.length },
    { turn_id: null },
  );
const unrewound = (...turn_ids: string[]): AsterEvent =>
  event(
    "history_unrewound",
    { from_message_id: `u${turn_ids[0]}`, turn_ids, messages: 2 * turn_ids.length },
    { turn_id: null },
  );
const REWIND = { message_id: "u2", messages: 2, rewound_at: SESSION.created_at, files: false };

test("a rewind takes out the messages of its turns, also if others stand behind them", async () => {
  const [one, two, urgent] = [turn("1"), turn("2"), turn("3")];
  const { script, publish, store, session, messages } = await scene([...one, ...two, ...urgent]);
  const asked = script.asked.length;
  script.say(rewound("2"), event("session_changed", { change: "updated", session: { ...SESSION, rewind: REWIND } }));
  publish();
  expect(messages().map(({ message_id }) => message_id)).toEqual(["u1", "a1", "u3", "a3"]);
  expect(Object.keys(session()?.history?.turns ?? {})).toEqual(["1", "3"]);
  expect(session()?.rewind).toEqual(REWIND);
  expect(script.asked).toHaveLength(asked);
  // What follows finds its messages at their new places.
  script.say(
    event("message_added", { message: message("u4", "user", "4?", { turn_id: "4" }) }, { turn_id: "4" }),
    event("message_added", { message: message("a4", "assistant", "", { turn_id: "4" }) }, { turn_id: "4" }),
    event("text_chunk", { message_id: "a4", offset: 0, delta: "four" }, { turn_id: "4" }),
  );
  publish();
  expect(messages().at(-1)?.text).toBe("four");
  expect(session()?.rewind).toBeNull(); // a new message makes it final
  expect(store.getState().sessions["s"]?.history?.messages).toHaveLength(6);
});

test("an undone rewind is read again", async () => {
  const all = [...turn("1"), ...turn("2")];
  const found = await scene(all);
  const { script, publish, store, session, messages } = found;
  script.say(rewound("2"), event("session_changed", { change: "updated", session: { ...SESSION, rewind: REWIND } }));
  publish();
  expect(messages()).toHaveLength(2);
  script.say(unrewound("2"), event("session_changed", { change: "updated", session: SESSION }));
  await store.until(() => messages().length === 4);
  expect(messages().map(({ text }) => text)).toEqual(["1?", "1!", "2?", "2!"]);
  expect(session()?.rewind).toBeNull();
});

test("replayed events of turns that were rewound later end in the same picture", async () => {
  const [one, two] = [turn("1"), turn("2")];
  const { script, publish, messages } = await scene(one); // read after the rewind
  const where = { turn_id: "2" };
  const [said, answer] = two as [WireMessage, WireMessage];
  const usage = { input_tokens: 1, output_tokens: 1, requests: 1 };
  const replay = [
    event("message_added", { message: said }, where),
    event("message_added", { message: { ...answer, text: "", parts: [], status: "streaming" } }, where),
    event("text_chunk", { message_id: "a2", offset: 0, delta: "2!" }, where),
    event("done", { message_id: "a2", stop_reason: "complete", usage }, where),
    rewound("2"),
  ];
  script.say(...replay);
  publish();
  expect(messages().map(({ message_id }) => message_id)).toEqual(["u1", "a1"]);
});

test("a replay that begins in the middle of a rewound turn ends in the same picture", async () => {
  const { script, store, messages } = await scene(turn("1"));
  const where = { turn_id: "2" };
  script.say(event("text_chunk", { message_id: "a2", offset: 3, delta: "more" }, where), rewound("2"));
  await store.until(() => script.asked.filter((path) => path.includes("/api/history")).length > 1);
  await store.until(({ sessions }) => sessions["s"]?.loading === false);
  expect(messages().map(({ message_id }) => message_id)).toEqual(["u1", "a1"]);
});

test("a rewind and its undo are applied also while older messages are being read", async () => {
  const [one, two, three] = [turn("1"), turn("2"), turn("3")];
  const found = await scene([], { open: false });
  const { script, store, messages } = found;
  script.answers["/api/history"] = { messages: three, next_before: "3" };
  await store.open("s");
  let go: (page: unknown) => void = () => undefined;
  script.answers["/api/history"] = () => new Promise((resolve) => (go = resolve));
  const older = store.loadOlder("s");
  await vi.waitFor(() => {
    expect(script.asked.at(-1)).toContain("before=3");
  });
  script.say(rewound("2", "3"));
  go({ messages: [...one, ...two], next_before: null });
  await older;
  await store.until(() => messages().length === 2);
  expect(messages().map(({ message_id }) => message_id)).toEqual(["u1", "a1"]);

  script.answers["/api/history"] = { messages: [...one, ...two, ...three], next_before: null };
  const again = store.open("s");
  script.say(unrewound("2", "3"), rewound("3")); // the second one is part of what is read next
  script.answers["/api/history"] = { messages: [...one, ...two], next_before: null };
  await again;
  await store.until(() => messages().length === 4);
});

test("a rewind of everything that is loaded reads the messages before", async () => {
  const found = await scene([], { open: false });
  const { script, store, messages } = found;
  script.answers["/api/history"] = { messages: turn("2"), next_before: "2" };
  await store.open("s");
  script.answers["/api/history"] = { messages: turn("1"), next_before: null };
  script.say(rewound("2"));
  await store.until(() => messages()[0]?.message_id === "u1");
});

test("how many files changed follows the events, and the context follows a rewind", async () => {
  const { script, publish, session } = await scene([], { open: false });
  expect(session()).toMatchObject({ changed_files: 0, forked_from: null, rewind: null });
  script.say(event("files_changed", { call_id: "c", paths: ["/w/a"], files: 1, changed_files: 3 }));
  publish();
  expect(session()?.changed_files).toBe(3);
  const context = { used_tokens: 5, window_tokens: 100 };
  script.say(event("session_changed", { change: "updated", session: { ...SESSION, context, changed_files: 2 } }));
  publish();
  expect(session()).toMatchObject({ context, changed_files: 2 });
  script.say(rewound("1"), event("session_changed", { change: "updated", session: SESSION }));
  publish();
  expect(session()?.context).toBeNull(); // all turns were taken out
});

test("what has a seq that was seen changes nothing", async () => {
  const { script, publish, messages } = await scene([message("u", "user", "hello"), message("a", "assistant")]);
  const output = event("tool_start", {
    message_id: "a",
    call_id: "c",
    name: "run_command",
    arguments: {},
    risk: "high",
    decided_by: "person",
    display: "ls",
  });
  const piece = event("tool_progress", { call_id: "c", stream: "stdout", delta: "once" });
  script.say(output, piece, piece, output, piece);
  publish();
  expect(messages()[1]?.parts).toHaveLength(1);
});

test("a hole in what is said is filled by reading the history again", async () => {
  const found = await scene([message("u", "user", "hello"), message("a", "assistant", "It ")]);
  const { script, messages, publish, store } = found;
  found.history = [message("u", "user", "hello"), message("a", "assistant", "It is not whole.")];
  script.say(chunk(10, "whole."));
  publish();
  await store.until(() => messages()[1]?.text === "It is not whole.");
  script.say(chunk(16, " Now it is."));
  publish();
  expect(messages()[1]?.text).toBe("It is not whole. Now it is.");
});

test("a message that nobody has is asked for once, and then left alone", async () => {
  const { script, store, publish } = await scene([message("u", "user", "hello")], { open: false });
  script.answers["/api/status"] = { ...STATUS, state: "running", turn_id: "t" };
  await store.open("s");
  const asked = (): number => script.asked.filter((path) => path.includes("/api/history")).length;
  const before = asked();
  for (let token = 0; token < 100; token += 1) script.say(chunk(token, "x", "nowhere"));
  publish();
  await store.until(({ sessions }) => sessions["s"]?.loading === false);
  for (let token = 100; token < 200; token += 1) script.say(chunk(token, "x", "nowhere"));
  publish();
  expect(asked()).toBe(before + 1);
});

test("a session that nobody knew is fetched when something happens in it, and is gone when it is", async () => {
  const { script, store } = await scene([], { open: false });
  script.answers["/api/sessions/old"] = { ...SESSION, session_id: "old", title: "from last year" };
  script.say(
    event("status_change", { state: "queued", previous: "idle" }, { session_id: "old" }),
    event("status_change", { state: "running", previous: "queued" }, { session_id: "old" }),
  );
  const { sessions, order, agents } = await store.until((state) => state.order.length === 2);
  expect(sessions["old"]).toMatchObject({ title: "from last year", state: "running", history: null });
  expect(order).toContain("old");
  expect(agents[0]?.state).toBe("running");
  script.answers["/api/sessions/gone"] = new AsterError(404, "session_not_found", "gone");
  script.say(event("status_change", { state: "idle", previous: "running" }, { session_id: "gone" }));
  script.say(event("session_changed", { change: "deleted" }, { session_id: "old", turn_id: null }));
  expect((await store.until((state) => state.order.length === 1)).order).toEqual(["s"]);
});

test("a picture that can't be read is tried again, and says what is wrong meanwhile", async () => {
  const { script, store, clock, publish } = await scene();
  script.answers["/api/snapshot"] = new AsterError(0, "unreachable", "not now");
  store.refresh();
  await store.until(({ problem }) => problem?.code === "unreachable");
  script.say(
    event("session_changed", { change: "created", session: { ...SESSION, session_id: "new" } }, { session_id: "new" }),
  );
  publish();
  expect(store.getState().current).toBe(false);
  script.answers["/api/snapshot"] = { ...SNAPSHOT, sessions: [SESSION, { ...SESSION, session_id: "new" }] };
  clock.pass(1_000);
  const { problem, order } = await store.until(({ current }) => current);
  expect(problem).toBeNull();
  expect(order).toHaveLength(2);
});

test("what came while the picture was read counts, however new the picture says it is", async () => {
  const { script, store, session } = await scene();
  let answer: (snapshot: Snapshot) => void = () => undefined;
  script.answers["/api/snapshot"] = () => new Promise((resolve) => (answer = resolve));
  store.refresh();
  await vi.waitFor(() => {
    expect(script.asked.filter((one) => one.startsWith("GET /api/snapshot"))).toHaveLength(2);
  });
  const ended = event("status_change", { state: "idle", previous: "running" });
  script.say(ended);
  answer({ ...SNAPSHOT, last_seq: ended.seq ?? 0, sessions: [{ ...SESSION, state: "running" }] });
  await store.until(({ current }) => current);
  expect(session()?.state).toBe("idle");
});

test("a history that can't be read is tried again by itself", async () => {
  const { script, store, clock, history } = await scene([message("u", "user", "hello")], { open: false });
  script.answers["/api/history"] = new AsterError(0, "unreachable", "not now");
  await expect(store.open("s")).rejects.toMatchObject({ code: "unreachable" });
  expect(store.getState().sessions["s"]).toMatchObject({ history: null, loading: false });
  script.answers["/api/history"] = { messages: history, next_before: null };
  clock.pass(1_000);
  const { problem } = await store.until(({ sessions }) => sessions["s"]?.history?.messages.length === 1);
  expect(problem).toBeNull();
});

test("output of a tool is kept up to a limit, and its newest part stays", async () => {
  const { script, publish, session } = await scene([message("u", "user", "run"), message("a", "assistant")]);
  script.say(
    event("tool_start", {
      message_id: "a",
      call_id: "c",
      name: "run_command",
      arguments: {},
      risk: "high",
      decided_by: "person",
      display: "yes",
    }),
  );
  for (let line = 0; line < 40_000; line += 1) {
    script.say(
      event("tool_progress", { call_id: "c", stream: line % 100 === 0 ? "stderr" : "stdout", delta: `line ${line}\n` }),
    );
  }
  script.say(event("tool_progress", { call_id: "c", progress: 0.5, message: "half" }));
  publish();
  const live = session()?.live.calls["c"];
  const text = live?.output.map((piece) => piece.text).join("") ?? "";
  expect(live).toMatchObject({ progress: 0.5, message: "half", cut: true });
  expect(text.length).toBeLessThanOrEqual(2 * 64 * 1024);
  expect(text.endsWith("line 39998\nline 39999\n")).toBe(true);
  script.say(done());
  publish();
  expect(session()?.live.calls).toEqual({});
});

test("a listener that throws harms nobody else", async () => {
  const { script, store, publish } = await scene();
  let called = 0;
  const thrown: unknown[] = [];
  const uncaught = (error: unknown): void => void thrown.push(error);
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException").on("uncaughtException", uncaught);
  onTestFinished(() => {
    process.removeAllListeners("uncaughtException");
    for (const other of others) process.on("uncaughtException", other);
  });
  const leave = store.subscribe(() => {
    leave();
    throw new Error("the listener's own");
  });
  store.subscribe(() => (called += 1));
  script.say(event("session_changed", { change: "deleted" }, { turn_id: null }));
  publish();
  expect(called).toBe(1);
  await new Promise(setImmediate);
  expect(thrown).toEqual([new Error("the listener's own")]);
});

// -- the contract ------------------------------------------------------------------------------------------------------

test("MCP servers follow the events: a new one is the last, a changed one keeps its place, a removed one goes", async () => {
  const { script, store } = await scene([], { open: false });
  const server = (name: string, fields: Partial<McpServerInfo> = {}): McpServerInfo => ({
    name,
    enabled: true,
    managed: false,
    state: "idle",
    transport: "stdio",
    where: "program",
    ...fields,
  });
  script.answers["/api/snapshot"] = { ...SNAPSHOT, mcp: [server("notes"), server("mail")] };
  store.refresh();
  await store.until(({ current, mcp }) => current && mcp.length === 2);
  script.say(
    event("mcp_changed", { ...server("notes", { state: "backoff", error: "no", failures: 1 }), removed: false }),
    event("mcp_changed", server("maps", { state: "starting" })),
  );
  const { mcp } = await store.until((state) => state.mcp.length === 3);
  expect(mcp.map(({ name, state, error }) => [name, state, error])).toEqual([
    ["notes", "backoff", "no"],
    ["mail", "idle", null],
    ["maps", "starting", null],
  ]);
  expect(mcp[0]).not.toHaveProperty("removed");
  script.say(event("mcp_changed", server("notes", { state: "ready", tools: 3 })));
  const later = (await store.until((state) => state.mcp[0]?.state === "ready")).mcp;
  expect(later[0]).toMatchObject({ error: null, failures: 0, tools: 3 });
  expect(later[1], "the others keep their identity").toBe(mcp[1]);
  script.say(event("mcp_changed", { ...server("mail"), removed: true }));
  script.say(event("mcp_changed", { ...server("unknown"), removed: true }));
  const left = (await store.until((state) => state.mcp.length < 3)).mcp;
  expect(left.map(({ name }) => name)).toEqual(["notes", "maps"]);
});

test("every type of event in the protocol is in the generated types, and the other way round", () => {
  const page = readFileSync(`${repository}/docs/protocol.md`, "utf8");
  const section = page.split("\n## 8 Events")[1]?.split("\n## 9 ")[0] ?? "";
  const documented = [...section.matchAll(/^### `(\w+)`/gm)].map(([, type]) => type);
  expect(new Set<unknown>(documented)).toEqual(new Set(EVENT_TYPES));
  // The compiler checks that the store's `switch` has all types: by `satisfies never` there, and by this line.
  const missing: Exclude<EventType, (typeof EVENT_TYPES)[number]>[] = [];
  expect(missing).toEqual([]);
});

test("every golden event is taken, and a type that nobody knows yet is ignored", async () => {
  const folder = `${repository}/tests/golden`;
  const golden = readdirSync(folder)
    .filter((name) => /^\w+Event\b.*\.json$/.test(name))
    .map((name) => JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) as AsterEvent)
    .sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0));
  expect(new Set(golden.map(({ type }) => type))).toEqual(new Set(EVENT_TYPES));
  const session_id = golden.find(({ type }) => type === "text_chunk")?.session_id ?? "";
  const { script, store } = await scene([], { open: false });
  script.answers["/api/snapshot"] = { ...SNAPSHOT, sessions: [{ ...SESSION, session_id }] };
  script.answers[`/api/sessions/${session_id}`] = { ...SESSION, session_id };
  store.refresh();
  await store.until(({ current, sessions }) => current && sessions[session_id] !== undefined);
  await store.open(session_id);
  const journaled = golden.filter(({ seq }) => seq !== null);
  for (const [at, one] of journaled.entries()) {
    const seq = 1_000_000 + 2 * at;
    script.say({ ...one, seq } as AsterEvent, { ...one, type: "of_tomorrow", seq: seq + 1 } as unknown as AsterEvent);
  }
  const { rules, answered } = await store.until((state) => state.current && Object.keys(state.answered).length > 0);
  expect(Object.values(answered)[0]).toMatchObject({ resolved_by: expect.any(String) as string });
  expect(rules).toEqual([]); // one was added and removed
  script.say(...golden.filter(({ seq }) => seq === null));
  const { connection } = await store.until(
    ({ connection, current }) => current && connection.instance_id !== "instance",
  );
  expect(connection).toMatchObject({ state: "connected", protocol: 1 });
});
