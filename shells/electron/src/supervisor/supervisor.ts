// Keeps one daemon running: starts it, checks that it answers, restarts it when it ends, and gives up if that fails.
//
// One loop does all of this, from the first request until the daemon has stopped or crashed permanently. Requests set
// `#wanted` and wake the loop. Nothing else starts or ends a process, so there is never a second daemon.
import { promises as files } from "node:fs";
import { join } from "node:path";
import { findBinary, type Binary, type Places } from "./binary.js";
import { call, fetchContent, identify, type Answer, type Call, type Content, type Endpoint } from "./connection.js";
import { EngineError, EngineUnavailable, problem, wordsOf, type Problem, type ProblemCode } from "./errors.js";
import { Life, stranger, type Exit } from "./life.js";
import { Log } from "./log.js";
import { Redaction } from "./redaction.js";
import { socketPath } from "./socketpath.js";
import { backoff_ms, TIMING, type Timing } from "./timing.js";

/**
 * The status that people see. `starting`: requested, and not ready yet. `ready`: it answers. `restarting`: it ended,
 * stopped answering or was asked to restart, and will be back. `stopped`: it does not run, and should not. `crashed`:
 * it does not run, and is started again only by a new request.
 */
export type Status = "starting" | "ready" | "restarting" | "stopped" | "crashed";

export interface SupervisorOptions {
  framework: "electron" | "tauri" | "wails";
  /** The preferred port. If it is in use, the daemon takes a free one. */
  port: number;
  data_dir: string;
  /** Null: no log files are written. */
  logs_dir: string | null;
  places: Places;
  /** Whether to use a Unix socket where the system has them. */
  unix_socket?: boolean;
  /** Environment variables for the daemon, added to those of this process. */
  environment?: Record<string, string>;
  /** More fields for the first line of its stdin: settings, API keys. */
  settings?: Record<string, unknown>;
  timing?: Partial<Timing>;
  random?: () => number;
}

export interface Info {
  status: Status;
  desired_running: boolean;
  pid: number | null;
  port: number | null;
  socket_path: string | null;
  transport: "tcp" | "unix_socket";
  instance_id: string | null;
  version: string | null;
  binary: Binary | null;
  /** How many times the daemon has been started. */
  starts: number;
  last_start: string | null;
  last_exit: Exit | null;
  restart_attempt: number;
  next_restart: string | null;
  /** Why the daemon is not ready, or why it failed the last time. */
  problem: Problem | null;
}

type Wanted = "running" | "restart" | "stopped";
type Verdict = { told: true } | { told: false; problem: Problem; exit: Exit | null };

/** Exit codes of the daemon that its launcher handles. */
const ALREADY_RUNNING = 3;
const PORT_TAKEN = 4;
const REFUSALS: Record<number, string> = {
  2: "it does not understand how this app starts it",
  5: "its configuration is wrong",
  6: "its store or its data directory can't be used",
};
const STOPPED = problem("stopped", "the daemon was stopped");
/** How many of the last lines of stderr are kept with a problem. */
const LAST_WORDS = 3;

export class Supervisor {
  readonly log: Log;
  readonly redaction = new Redaction();
  readonly #options: SupervisorOptions;
  readonly #timing: Timing;
  readonly #listeners = new Set<(status: Status) => void>();
  #status: Status = "stopped";
  #wanted: Wanted = "stopped";
  #loop: Promise<void> | null = null;
  /** Called for each request to start, stop or restart. */
  readonly #waiting = new Set<() => void>();
  /** The number of requests: only the last one counts. */
  #asks = 0;
  #stopping: Promise<void> | null = null;
  /** Starts are refused from now on. */
  #retired = false;
  #life: Life | null = null;
  #endpoint: Endpoint | null = null;
  #crashes: number[] = [];
  #attempt = 0;
  #busySince: number | null = null;
  /** A start with the preferred port and socket failed: use a free port and no socket from now on. */
  #fallback = false;
  #facts: Pick<Info, "binary" | "starts" | "last_start" | "last_exit" | "next_restart" | "problem" | "version"> = {
    binary: null,
    starts: 0,
    last_start: null,
    last_exit: null,
    next_restart: null,
    problem: null,
    version: null,
  };

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.redaction.learnFrom({ ...process.env, ...options.environment });
    this.log = new Log({
      path: options.logs_dir === null ? null : join(options.logs_dir, "engine.log"),
      redaction: this.redaction,
    });
  }

  get data_dir(): string {
    return this.#options.data_dir;
  }

  get logs_dir(): string | null {
    return this.#options.logs_dir;
  }

  get status(): Status {
    return this.#status;
  }

  get info(): Info {
    const socket_path = this.#endpoint?.socket_path ?? null;
    return {
      ...this.#facts,
      status: this.#status,
      desired_running: this.#wanted !== "stopped",
      pid: this.#life?.pid ?? null,
      port: this.#endpoint?.port ?? null,
      socket_path,
      transport: (this.#endpoint ? socket_path : this.#socketPath()) === null ? "tcp" : "unix_socket",
      instance_id: this.#endpoint?.instance_id ?? null,
      restart_attempt: this.#attempt,
    };
  }

  /** Where the daemon answers, which is proven to be ours. Raises: EngineUnavailable. */
  get endpoint(): Endpoint {
    if (this.#endpoint) return this.#endpoint;
    throw new EngineUnavailable(`the daemon is not there: ${this.#status}`);
  }

  /** Waits while the daemon starts or restarts, `timeout_ms` at most. Resolves in any case. */
  async reachable(timeout_ms: number): Promise<void> {
    if (this.#status !== "starting" && this.#status !== "restarting") return;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, timeout_ms);
    });
    await Promise.race([over, this.#settled().catch(() => undefined)]);
    clearTimeout(timer);
  }

  /** Calls back with every change of the status. Returns a function that ends this. */
  onStatus(listener: (status: Status) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async call(asked: Call): Promise<Answer> {
    return call(this.endpoint, asked);
  }

  /** Sends a request whose answer is a file. */
  async fetch(asked: Call): Promise<Content> {
    return fetchContent(this.endpoint, asked);
  }

  /**
   * Starts the daemon, unless it runs. Resolves when it is ready. Raises: EngineError if it failed or was stopped
   * first.
   */
  async start(): Promise<void> {
    await this.#turn();
    if (this.#wanted === "stopped") this.#want("running", "starting");
    return this.#settled();
  }

  /** Stops the daemon. Resolves when no process of it is left. */
  stop(): Promise<void> {
    this.#asks += 1;
    this.#stopping ??= this.#stop().finally(() => {
      this.#stopping = null;
    });
    return this.#stopping;
  }

  /** Stops the daemon permanently: later starts are refused, and its data can be moved. */
  async retire(): Promise<void> {
    this.#retired = true;
    await this.stop();
    await this.log.close();
  }

  /** Stops and starts the daemon, and forgets earlier crashes. Resolves when it is ready. Raises: like `start`. */
  async restart(): Promise<void> {
    await this.#turn();
    if (this.#loop === null) this.#want("running", "starting");
    else this.#want("restart", "restarting");
    return this.#settled();
  }

  /** Waits for a stop in progress. Raises: EngineError if another request came in the meantime. */
  async #turn(): Promise<void> {
    const ask = (this.#asks += 1);
    if (this.#stopping !== null) await this.#stopping;
    if (this.#retired || ask !== this.#asks) throw new EngineError(STOPPED);
  }

  async #stop(): Promise<void> {
    this.#wanted = "stopped";
    this.#wake();
    await this.#loop;
    this.#forget();
    this.#say("stopped");
  }

  #want(wanted: Wanted, status: Status): void {
    this.#wanted = wanted;
    this.#forget();
    this.#say(status);
    this.#wake();
    this.#loop ??= this.#keep().finally(() => {
      this.#loop = null;
      // A new request may have come after the loop had decided to end.
      if (this.#wanted !== "stopped") this.#want("running", "starting");
    });
  }

  #wake(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Forgets earlier crashes. */
  #forget(): void {
    this.#crashes = [];
    this.#attempt = 0;
    this.#busySince = null;
    this.#fallback = false;
    this.#facts.next_restart = null;
  }

  #settled(): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (this.#status === "starting" || this.#status === "restarting") return;
        off();
        if (this.#status === "ready") resolve();
        else if (this.#status === "stopped") reject(new EngineError(STOPPED));
        else reject(new EngineError(this.#facts.problem ?? STOPPED));
      };
      const off = this.onStatus(look);
      look();
    });
  }

  #say(status: Status): void {
    if (status === this.#status) return;
    this.#status = status;
    for (const listener of [...this.#listeners]) listener(status);
  }

  async #keep(): Promise<void> {
    while (this.#wanted !== "stopped") {
      this.#wanted = "running";
      this.#waiting.clear(); // waits of the last run
      const verdict = await this.#live();
      if (verdict.told) continue;
      this.#facts.problem = verdict.problem;
      this.log.add("shell", verdict.problem.message);
      const delay_ms = this.#delay(verdict);
      if (this.#asked()) continue;
      if (delay_ms === null) {
        this.#wanted = "stopped";
        this.#say("crashed");
        return;
      }
      if (delay_ms > 0) {
        this.#facts.next_restart = new Date(Date.now() + delay_ms).toISOString();
        await this.#wait(delay_ms);
        this.#facts.next_restart = null;
      }
    }
  }

  /** Whether there is a request that the loop has not handled. */
  #asked(): boolean {
    return this.#wanted !== "running";
  }

  /** The delay before the next start; null: no further start. */
  #delay({ problem: { code }, exit }: Verdict & { told: false }): number | null {
    const now = Date.now();
    if (code === "engine_not_found" || code === "protocol_mismatch" || code === "engine_refused") return null;
    if (exit?.code === ALREADY_RUNNING) {
      this.#busySince ??= now;
      return now - this.#busySince < this.#timing.busy_ms ? this.#timing.busy_interval_ms : null;
    }
    if (exit?.code === PORT_TAKEN) {
      if (this.#fallback) return null;
      this.#fallback = true;
      return 0;
    }
    this.#say("restarting");
    this.#crashes = [...this.#crashes.filter((time) => now - time < this.#timing.crash_window_ms), now];
    if (this.#crashes.length >= this.#timing.crash_limit) return null;
    const delay_ms = backoff_ms(this.#attempt, this.#timing, this.#options.random);
    this.#attempt += 1;
    return delay_ms;
  }

  /** One run of the daemon, from its start until no process of it is left. */
  async #live(): Promise<Verdict> {
    let life: Life;
    try {
      life = await this.#launch();
    } catch (cause) {
      const known = cause instanceof EngineError ? cause.problem : problem("engine_not_started", wordsOf(cause));
      return { told: false, problem: known, exit: null };
    }
    this.#life = life;
    const verdict = await this.#watch(life);
    this.#endpoint = null;
    if (!verdict.told) this.#lost(verdict);
    await life.end(this.#timing.stop_ms);
    this.#facts.last_exit = life.exit;
    this.#life = null;
    return this.#asked() ? { told: true } : verdict;
  }

  /** Shows at once that the daemon is lost, not only when its last process has ended. */
  #lost({ problem: { code } }: Verdict & { told: false }): void {
    if (this.#status === "ready" || code === "unresponsive" || code === "stranger") this.#say("restarting");
  }

  async #launch(): Promise<Life> {
    const { framework, port, data_dir, places, environment = {}, settings = {} } = this.#options;
    const binary = findBinary(places);
    this.#facts.binary = binary;
    await files.mkdir(data_dir, { recursive: true, mode: 0o700 });
    const socket_path = this.#socketPath();
    this.#facts.starts += 1;
    this.#facts.last_start = new Date().toISOString();
    return Life.start({
      binary: binary.path,
      arguments: ["--framework", framework, "--port", String(this.#fallback ? 0 : port), "--any-port", "--supervised"]
        .concat(["--data-dir", data_dir])
        .concat(socket_path === null ? [] : ["--uds", socket_path]),
      environment,
      settings,
      cwd: data_dir,
      socket_path,
      log: this.log,
      redaction: this.redaction,
      timing: this.#timing,
    });
  }

  #socketPath(): string | null {
    const { unix_socket = true, data_dir } = this.#options;
    return unix_socket && !this.#fallback ? socketPath(data_dir) : null;
  }

  async #watch(life: Life): Promise<Verdict> {
    let endpoint: Endpoint;
    try {
      const first = await Promise.race([life.ready, this.#told()]);
      if (first === null) return { told: true };
      endpoint = first;
    } catch (cause) {
      const known = cause instanceof EngineError ? cause.problem : problem("not_ready", wordsOf(cause));
      if (life.exit) return this.#died(life.exit);
      return { told: false, problem: known, exit: null };
    }
    this.#facts.version = life.version;
    this.#facts.problem = null;
    this.#busySince = null;
    this.#endpoint = endpoint;
    this.#say("ready");
    return Promise.race([
      this.#told().then((): Verdict => ({ told: true })),
      life.exited.then((exit) => this.#died(exit)),
      this.#guard(life, endpoint),
    ]);
  }

  /** Checks the daemon's health while it runs. Resolves when it no longer answers as it should. */
  async #guard(life: Life, endpoint: Endpoint): Promise<Verdict> {
    const { health_interval_ms, health_timeout_ms, health_misses, healthy_ms } = this.#timing;
    const since = Date.now();
    for (let misses = 0; ;) {
      await this.#pause(life, health_interval_ms);
      if (life.exit || this.#endpoint !== endpoint) return new Promise(() => undefined); // other code reports this
      const found = await identify(endpoint, health_timeout_ms).catch(() => null);
      if (found !== null && found !== endpoint.instance_id)
        return { told: false, problem: stranger(endpoint), exit: null };
      misses = found === null ? misses + 1 : 0;
      if (misses >= health_misses) {
        const message = `the daemon has not answered ${misses} times in a row`;
        return { told: false, problem: problem("unresponsive", message), exit: null };
      }
      if (found !== null && Date.now() - since >= healthy_ms) {
        this.#crashes = [];
        this.#attempt = 0;
      }
    }
  }

  /** Waits for the time or for the end of the daemon, so that no timer is left. */
  async #pause(life: Life, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([over, life.exited]);
    clearTimeout(timer);
  }

  #died(exit: Exit): Verdict {
    const how = exit.signal ?? `code ${exit.code ?? "none"}`;
    const words = this.log
      .entries()
      .filter(({ stream, time }) => stream === "stderr" && time >= (this.#facts.last_start ?? ""))
      .slice(-LAST_WORDS)
      .map(({ text }) => text)
      .join("\n");
    const code: ProblemCode =
      exit.code === ALREADY_RUNNING
        ? "already_running"
        : exit.code === PORT_TAKEN
          ? "port_taken"
          : exit.code !== null && exit.code in REFUSALS
            ? "engine_refused"
            : "crashed";
    const why = {
      already_running: "another daemon uses its data directory",
      port_taken: "neither its port nor a free one could be had",
      engine_refused: REFUSALS[exit.code ?? 0] ?? "",
      crashed: "",
    }[code];
    const message = [`the daemon ended with ${how}`, why].filter(Boolean).join(": ");
    return { told: false, problem: problem(code, message, words || null), exit };
  }

  /** Resolves when there is a request that the loop must handle. */
  #told(): Promise<null> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!this.#asked()) return;
        this.#waiting.delete(look);
        resolve(null);
      };
      this.#waiting.add(look);
      look();
    });
  }

  async #wait(ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([over, this.#told()]);
    clearTimeout(timer);
  }
}
