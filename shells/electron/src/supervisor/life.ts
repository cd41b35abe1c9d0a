// One run of the daemon: its start, the lines over stdin and stdout, and the end of its complete process tree.
import { spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { identify, type Endpoint } from "./connection.js";
import { EngineError, problem, wordsOf, type Problem } from "./errors.js";
import { Lines } from "./lines.js";
import type { Log } from "./log.js";
import type { Redaction } from "./redaction.js";
import type { Timing } from "./timing.js";
import { MARK, pause, Tree } from "./tree.js";

export const PROTOCOL = 1;

/** How a process ended. */
export interface Exit {
  code: number | null;
  signal: string | null;
  time: string;
}

export interface LifeOptions {
  binary: string;
  arguments: readonly string[];
  environment: Record<string, string | undefined>;
  /** More fields for the first line of its stdin, which also has the token. */
  settings: Record<string, unknown>;
  cwd: string;
  socket_path: string | null;
  log: Log;
  redaction: Redaction;
  timing: Timing;
}

interface ReadyLine {
  event: "ready";
  port: number;
  pid: number;
  instance_id: string;
  protocol: number;
  version: string;
}

/** Variables of the app that the daemon must not inherit: they are secret, or would change how it runs. */
const NOT_INHERITED = ["ELECTRON_RUN_AS_NODE", "ELECTRON_NO_ATTACH_CONSOLE", "NODE_OPTIONS", "ASTER_SIDECAR_TOKEN"];
/** How long to wait for an ended process's last output if other processes hold its pipes. */
const OUTPUT_MS = 500;

export class Life {
  readonly pid: number;
  /** Resolves when it answers requests. Raises: EngineError. */
  readonly ready: Promise<Endpoint>;
  readonly exited: Promise<Exit>;
  /** From the ready line; null before it. */
  version: string | null = null;
  readonly #child: ChildProcess;
  readonly #tree: Tree;
  readonly #options: LifeOptions;
  readonly #token = randomBytes(32).toString("hex");
  #exit: Exit | null = null;

  /** Starts the process. Raises: EngineError `engine_not_started`. */
  static async start(options: LifeOptions): Promise<Life> {
    const mark = randomBytes(12).toString("hex");
    const inherited = { ...process.env };
    for (const name of NOT_INHERITED) inherited[name] = undefined;
    const child = spawn(options.binary, options.arguments, {
      cwd: options.cwd,
      env: { ...inherited, ...options.environment, [MARK]: mark },
      stdio: ["pipe", "pipe", "pipe"],
      // A separate process group, so that the whole group can be ended, and Ctrl-C in a terminal reaches only the app.
      // On Windows `detached` would open a console window, and the process would leave the job that ends it with this
      // process.
      detached: process.platform !== "win32",
      windowsHide: true,
    });
    const cause = await new Promise<Error | null>((resolve) => {
      child.once("spawn", () => {
        resolve(null);
      });
      child.once("error", resolve);
      if (child.pid !== undefined) resolve(null); // Node before version 15 has no `spawn` event
    });
    if (cause !== null || child.pid === undefined)
      throw new EngineError(problem("engine_not_started", `the daemon can't be started: ${wordsOf(cause)}`));
    return new Life(child, child.pid, mark, options);
  }

  private constructor(child: ChildProcess, pid: number, mark: string, options: LifeOptions) {
    this.pid = pid;
    this.#child = child;
    this.#tree = new Tree(pid, mark);
    this.#options = options;
    options.redaction.learn(this.#token);
    child.on("error", (cause) => {
      options.log.add("shell", `the daemon's process: ${cause.message}`);
    });
    this.exited = this.#watchExit();
    this.ready = this.#becomeReady();
    this.ready.catch(() => undefined); // the error is reported to code that waits for it
    this.#hand();
    void this.#tree.look();
  }

  get exit(): Exit | null {
    return this.#exit;
  }

  /** Closes its stdin, which asks it to end, waits, and ends its process tree. Resolves when no process is left. */
  async end(grace_ms: number): Promise<void> {
    const { log, timing } = this.#options;
    await this.#tree.look();
    this.#child.stdin?.end();
    if (!this.#exit && (await Promise.race([this.exited, pause(grace_ms)])) === undefined)
      log.add("shell", `the daemon did not end within ${grace_ms} ms; it is ended with all that it started`);
    await this.#tree.end(this.#exit || grace_ms > 0 ? timing.term_ms : 0);
    await this.exited;
    this.#options.redaction.forget(this.#token);
  }

  #hand(): void {
    const { stdin } = this.#child;
    stdin?.on("error", () => undefined); // it may end before it has read
    stdin?.write(JSON.stringify({ ...this.#options.settings, token: this.#token }) + "\n");
  }

  async #watchExit(): Promise<Exit> {
    const { stderr } = this.#child;
    const errors = new Lines((line) => {
      this.#options.log.add("stderr", line);
    });
    stderr?.on("data", (chunk: Buffer) => {
      errors.push(chunk);
    });
    const closed = new Promise<void>((resolve) => {
      this.#child.once("close", () => {
        resolve();
      });
    });
    const exit = await new Promise<Exit>((resolve) => {
      this.#child.once("exit", (code, signal) => {
        resolve({ code, signal, time: new Date().toISOString() });
      });
    });
    // Its children may hold its pipes open forever.
    await Promise.race([closed, pause(OUTPUT_MS)]);
    errors.end();
    this.#child.stdout?.destroy();
    stderr?.destroy();
    this.#exit = exit;
    this.#options.log.add("shell", `the daemon ended with ${exit.signal ?? `code ${exit.code ?? "none"}`}`);
    return exit;
  }

  async #becomeReady(): Promise<Endpoint> {
    const { timing, socket_path } = this.#options;
    const until = Date.now() + timing.start_timeout_ms;
    const line = await this.#readyLine(timing.start_timeout_ms);
    if (line.protocol !== PROTOCOL)
      throw new EngineError(
        problem(
          "protocol_mismatch",
          `the daemon speaks protocol ${line.protocol}, this app ${PROTOCOL}`,
          "Update the app.",
        ),
      );
    this.version = line.version;
    const endpoint: Endpoint = {
      port: line.port,
      socket_path,
      token: this.#token,
      instance_id: line.instance_id,
    };
    // The ready line is no proof: another program may answer at that address.
    for (;;) {
      const found = await Promise.race([
        identify(endpoint, Math.max(1, Math.min(timing.health_timeout_ms, until - Date.now()))).catch(() => null),
        this.exited.then((exit) => exit),
      ]);
      if (found === line.instance_id) return endpoint;
      if (found !== null && typeof found !== "string") throw ended(found);
      if (found !== null) throw new EngineError(stranger(endpoint));
      if (Date.now() >= until) throw notReady(timing.start_timeout_ms);
      await pause(50);
    }
  }

  #readyLine(timeout_ms: number): Promise<ReadyLine> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(notReady(timeout_ms));
      }, timeout_ms);
      const lines = new Lines((text) => {
        const line = readyLine(text);
        if (line === null) {
          this.#options.log.add("stdout", text);
          return;
        }
        clearTimeout(timer);
        resolve(line);
      });
      this.#child.stdout?.on("data", (chunk: Buffer) => {
        lines.push(chunk);
      });
      void this.exited.then((exit) => {
        lines.end();
        clearTimeout(timer);
        reject(ended(exit));
      });
    });
  }
}

/** The ready line, which has the daemon's address; null for any other line. */
export function readyLine(text: string): ReadyLine | null {
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof said !== "object" || said === null) return null;
  const { event, port, pid, instance_id, protocol, version } = said as Record<string, unknown>;
  if (event !== "ready" || typeof instance_id !== "string" || instance_id === "") return null;
  if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535) return null;
  if (!Number.isInteger(pid) || !Number.isInteger(protocol)) return null;
  return { event, port, pid, instance_id, protocol, version: String(version) } as ReadyLine;
}

export function stranger({ port, socket_path }: Endpoint): Problem {
  const where = socket_path ?? `port ${port}`;
  return problem("stranger", `somebody else than the daemon answers on ${where}`, "Close the program that does.");
}

function notReady(timeout_ms: number): EngineError {
  return new EngineError(
    problem("not_ready", `the daemon was not ready within ${timeout_ms} ms`, "See the logs for what it waits for."),
  );
}

export function ended({ code, signal }: Exit): EngineError {
  return new EngineError(problem("crashed", `the daemon ended with ${signal ?? `code ${code ?? "none"}`}`));
}
