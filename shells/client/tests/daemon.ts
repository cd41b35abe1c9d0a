// The real daemon for tests: a separate process with its own directory, which can be restarted.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, vi } from "vitest";
import { python, repository } from "../scripts/python.mjs";
import {
  createClient,
  createStore,
  type Client,
  type ClientOptions,
  type Store,
  type StoreState,
} from "../src/index.js";

export const TOKEN = "a-token-for-tests-only";

const FORKED = join(repository, "tests", "support", "forked.py");
/** The variables that a daemon inherits from this process: no keys, no proxy, no access to the user's keychain. */
const INHERITED = ["PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR"];

export interface DaemonOptions {
  model?: string;
  token?: string | null;
  environment?: Record<string, string>;
  /** Files that exist before it starts, by their path in `config`. */
  files?: Record<string, string>;
}

export class Daemon {
  readonly home = mkdtempSync(join(tmpdir(), "aster-client-"));
  readonly token: string | null;
  /** Below the range that systems use for outgoing connections, so that it is still free after a restart. */
  port = 20_000 + Math.floor(Math.random() * 10_000);
  #process: ChildProcess | null = null;
  #pid = 0;
  #lived = false;
  readonly #options: DaemonOptions;
  #log = "";

  constructor(options: DaemonOptions = {}) {
    this.#options = options;
    this.token = options.token === undefined ? TOKEN : options.token;
    for (const [name, text] of Object.entries(options.files ?? {})) {
      const path = join(this.home, "config", name);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get log(): string {
    return this.#log;
  }

  /** Starts it, on the same port as before if it has run already, and waits for its ready line. */
  async start(): Promise<this> {
    const work = join(this.home, "work");
    mkdirSync(work, { recursive: true });
    const server = process.env["ASTER_FORKSERVER"];
    const program = server === undefined ? ["-m", "aster_sidecar"] : ["-I", "-S", FORKED, server];
    const child = spawn(
      python,
      [...program, "--framework", "web", "--supervised", "--port", String(this.port)].concat(
        this.#lived ? [] : ["--any-port"],
        ["--data-dir", join(this.home, "data"), "--config-dir", join(this.home, "config")],
        ["--model", this.#options.model ?? "demo:instant", "--work-dir", work],
      ),
      {
        cwd: work,
        env: { ...inherited(), PYTHONPATH: repository, ...this.#options.environment },
        stdio: ["pipe", "pipe", "pipe"],
      },
    );
    this.#process = child;
    this.#pid = 0;
    child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#log += text));
    child.stdin.on("error", () => undefined); // it may be killed before it has read
    child.stdin.write(JSON.stringify(this.token === null ? {} : { token: this.token }) + "\n");
    const lines = createInterface({ input: child.stdout });
    const line = await Promise.race([
      once(lines, "line").then(([text]) => String(text)),
      once(child, "exit").then(() => null),
    ]);
    if (line === null) throw new Error(`the daemon did not start: ${this.#log}`);
    ({ port: this.port, pid: this.#pid } = JSON.parse(line) as { port: number; pid: number });
    this.#lived = true;
    return this;
  }

  /** kill -9, and wait for the end. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = null;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    try {
      // A forked daemon is not our child. The process in its place ends when the daemon ends.
      if (this.#pid > 0) process.kill(this.#pid, "SIGKILL");
      else child.kill("SIGKILL");
    } catch {
      // it was already ending
    }
    await gone;
  }

  /** Stops the process (SIGSTOP), or continues it. */
  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    process.kill(this.#pid, signal);
  }

  async restart(): Promise<this> {
    await this.kill();
    return this.start();
  }

  /** Deletes its data; only while it is not running. */
  forget(): void {
    rmSync(join(this.home, "data"), { recursive: true, force: true });
  }

  /** Deletes all its events, as if its journal had become too long; only while it is not running. */
  trim(): void {
    const script = `
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as store:
    upto = store.execute("SELECT max(seq) FROM events").fetchone()[0]
    store.execute("DELETE FROM events")
    store.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('trimmed_to', ?)", (str(upto),))
`;
    execFileSync(python, ["-c", script, join(this.home, "data", "aster.db")]);
  }

  file(name: string): string {
    return readFileSync(join(this.home, "work", name), "utf8");
  }

  client(options: ClientOptions = {}): Client {
    return createClient({ url: this.url, ...(this.token !== null && { token: this.token }), ...options });
  }

  async dispose(): Promise<void> {
    await this.kill();
    await vi.waitFor(
      () => {
        rmSync(this.home, { recursive: true, force: true }); // repeated, if one of its commands has written in between
      },
      { timeout: 60_000, interval: 50 },
    );
  }
}

function inherited(): Record<string, string | undefined> {
  return Object.fromEntries(INHERITED.map((name) => [name, process.env[name]]));
}

/** A running daemon, which is killed when the test ends. */
export async function launch(options: DaemonOptions = {}): Promise<Daemon> {
  const daemon = new Daemon(options);
  onTestFinished(() => daemon.dispose());
  return daemon.start();
}

/** A started store, which is stopped when the test ends. */
export async function watch(client: Client, sessions: readonly string[] = []): Promise<Store> {
  const store = createStore(client, { backoff: { base_s: 0.02, most_s: 0.2 } });
  onTestFinished(() => {
    store.stop();
  });
  await store.start();
  for (const session_id of sessions) await store.open(session_id);
  return store;
}

/** Everything in the picture that a page opened now would show too. */
export function shown(state: StoreState): unknown {
  const { agents, sessions, approvals, questions, config, rules, order, notifications, unread, flags, services, mcp } =
    state;
  const comparable = Object.values(sessions).map(({ live: _, updated_at: __, history, ...session }) => ({
    ...session,
    history: history && {
      ...history,
      // No event reports that the model has read a steering message. It is `complete` at the end of its turn at the
      // latest.
      messages: history.messages.map((message) => ({
        ...message,
        status: message.status === "pending" ? "complete" : message.status,
      })),
    },
  }));
  return {
    agents,
    // `updated_at`, `requested_at` and `asked_at` differ by a moment between events and answers.
    sessions: Object.fromEntries(comparable.map((session) => [session.session_id, session])),
    approvals: approvals.map(({ requested_at: _, ...question }) => question),
    questions: questions.map(({ asked_at: _, ...question }) => question),
    config,
    rules,
    order,
    notifications,
    unread,
    flags,
    services,
    mcp,
    onboarding: state.onboarding,
    warnings: state.warnings,
  };
}

/** Waits until a store shows the same as a store that is opened now with the same open sessions. */
export async function agrees(store: Store, client: Client): Promise<void> {
  await vi.waitFor(
    async () => {
      await store.until(({ current }) => current);
      const sessions = Object.values(store.getState().sessions);
      const other = createStore(client);
      try {
        await other.start();
        for (const { session_id, history } of sessions) {
          if (history === null) continue;
          await other.open(session_id);
          if (history.next_before === null) await other.loadOlder(session_id, 500);
        }
        expect(shown(store.getState())).toEqual(shown(other.getState()));
      } finally {
        other.stop();
      }
    },
    { timeout: 90_000, interval: 50 },
  );
}

/** The session's messages, each as one text. */
export function said(state: StoreState, session_id: string): string[] {
  return (state.sessions[session_id]?.history?.messages ?? []).map(({ role, text }) => `${role}: ${text}`);
}

/** Waits until no turn of a session is running or queued, and turn `turn_id` is known. */
export function idle(store: Store, session_id: string, turn_id?: string): Promise<StoreState> {
  return store.until(({ current, sessions }) => {
    const session = sessions[session_id];
    if (!current || !session?.history || session.loading) return false;
    if (turn_id !== undefined && session.history.turns[turn_id] === undefined) return false;
    const busy = Object.values(session.history.turns).some(({ state }) =>
      ["queued", "running", "waiting"].includes(state),
    );
    return !busy && (session.state === "idle" || session.state === "failed");
  });
}
