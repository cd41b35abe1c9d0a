// The daemon's process tree: finds and ends every process that the daemon started.
//
// On Linux and macOS the daemon leads a process group. Processes that left the group are found as descendants while the
// daemon runs, and on Linux also by a variable in their environment afterwards. On Windows `taskkill /T` ends the tree,
// and libuv's job object ends the daemon when this process ends in any way.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The environment variable that marks the processes of one launch. */
export const MARK = "ASTER_SHELL_LAUNCH";

interface ProcessInfo {
  pid: number;
  parent: number;
  group: number;
  /** The start time, in the system's own unit: it distinguishes the process from a later one with the same pid. */
  started: string;
}

export class Tree {
  readonly pid: number;
  readonly #mark: string;
  #started: string | null = null;
  #known: ProcessInfo[] = [];

  constructor(pid: number, mark: string) {
    this.pid = pid;
    this.#mark = `${MARK}=${mark}`;
  }

  /** Records the current members. Recorded processes are found again after their parents have ended. */
  async look(): Promise<void> {
    if (process.platform === "win32") return;
    const all = await processes();
    const lead = all.get(this.pid);
    this.#started ??= lead?.started ?? null;
    // The pid of an ended process may be reused by a process that leads another group.
    const ours = lead === undefined || lead.started === this.#started;
    const found = new Set(this.#known.filter(({ pid, started }) => all.get(pid)?.started === started).map(pidOf));
    for (const { pid, group } of all.values()) if ((ours && group === this.pid) || this.#marked(pid)) found.add(pid);
    const children = new Map<number, number[]>();
    for (const { pid, parent } of all.values()) children.set(parent, [...(children.get(parent) ?? []), pid]);
    for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child); // a Set may grow while read
    found.delete(process.pid);
    this.#known = [...found].map((pid) => all.get(pid)).filter((one) => one !== undefined);
  }

  /** Ends all members: with SIGTERM, and after `term_ms` with SIGKILL. Resolves when none is left. */
  async end(term_ms: number): Promise<void> {
    if (process.platform === "win32") {
      await run("taskkill", ["/pid", String(this.pid), "/T", "/F"], { windowsHide: true }).catch(() => undefined);
      return;
    }
    let until: number | null = null;
    let told: NodeJS.Signals | null = null;
    for (;;) {
      await this.look();
      if (this.#known.length === 0) return;
      const now = performance.now();
      until ??= now + term_ms; // counted from the first signal: listing the processes may have taken time
      const signal: NodeJS.Signals = now < until ? "SIGTERM" : "SIGKILL";
      // SIGKILL is repeated: a member may have started another process in between.
      if (signal !== told || signal === "SIGKILL") for (const { pid } of this.#known) tell(pid, signal);
      told = signal;
      await pause(50);
    }
  }

  #marked(pid: number): boolean {
    if (process.platform !== "linux") return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").includes(this.#mark);
    } catch {
      return false; // another user's process, or it has ended
    }
  }
}

const pidOf = ({ pid }: ProcessInfo): number => pid;

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it has ended in between
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** All running processes, without zombies. */
async function processes(): Promise<Map<number, ProcessInfo>> {
  return process.platform === "linux" ? fromProc() : fromPs();
}

function fromProc(): Map<number, ProcessInfo> {
  const found = new Map<number, ProcessInfo>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The name in parentheses may contain anything, also parentheses.
      const [state, parent, group, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") continue;
      const pid = Number(name);
      found.set(pid, { pid, parent: Number(parent), group: Number(group), started: rest[16] ?? "" });
    } catch {
      continue; // it has ended in between
    }
  }
  return found;
}

async function fromPs(): Promise<Map<number, ProcessInfo>> {
  const { stdout } = await run("ps", ["-A", "-o", "pid=,ppid=,pgid=,stat=,lstart="]);
  const found = new Map<number, ProcessInfo>();
  for (const line of stdout.split("\n")) {
    const [pid, parent, group, state, ...started] = line.trim().split(/\s+/);
    if (!pid || state?.startsWith("Z")) continue;
    found.set(Number(pid), {
      pid: Number(pid),
      parent: Number(parent),
      group: Number(group),
      started: started.join(" "),
    });
  }
  return found;
}
