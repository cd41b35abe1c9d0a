// A process and all that it started, so that nothing of it is left when it is to be gone.
//
// On Linux and macOS the daemon leads a process group of its own; what left that group is found as a descendant while
// the daemon lives, and on Linux also by a mark in its environment when the daemon is gone. On Windows `taskkill /T`
// ends the tree, and libuv's job object ends the daemon with this process whatever happens to it.
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The variable by which processes of one launch are known. */
export const MARK = "ASTER_SHELL_LAUNCH";

interface ProcessInfo {
  pid: number;
  parent: number;
  group: number;
  /** When it was started, in whatever unit the system has: with the pid it is the process and no later one. */
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

  /** Notes who belongs to it now. What is noted is found again when its parents are gone. */
  async look(): Promise<void> {
    if (process.platform === "win32") return;
    const all = await processes();
    const lead = all.get(this.pid);
    this.#started ??= lead?.started ?? null;
    // The pid of a process that is gone may be another's by now, and that one may lead a group.
    const ours = lead === undefined || lead.started === this.#started;
    const found = new Set(this.#known.filter(({ pid, started }) => all.get(pid)?.started === started).map(pidOf));
    for (const { pid, group } of all.values()) if ((ours && group === this.pid) || this.#marked(pid)) found.add(pid);
    const children = new Map<number, number[]>();
    for (const { pid, parent } of all.values()) children.set(parent, [...(children.get(parent) ?? []), pid]);
    for (const pid of found) for (const child of children.get(pid) ?? []) found.add(child); // a set grows as it is read
    found.delete(process.pid);
    this.#known = [...found].map((pid) => all.get(pid)).filter((one) => one !== undefined);
  }

  /** Ends all that is left of it: politely, and after `term_ms` not so. Resolves when nothing is left. */
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
      until ??= now + term_ms; // from the moment that it is told: to look may have taken its time
      const signal: NodeJS.Signals = now < until ? "SIGTERM" : "SIGKILL";
      // SIGKILL again and again: one of them may have started another in between.
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
      return false; // somebody else's, or gone
    }
  }
}

const pidOf = ({ pid }: ProcessInfo): number => pid;

function tell(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone in between
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** All processes that live; one that only waits to be collected does not. */
async function processes(): Promise<Map<number, ProcessInfo>> {
  return process.platform === "linux" ? fromProc() : fromPs();
}

function fromProc(): Map<number, ProcessInfo> {
  const found = new Map<number, ProcessInfo>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, "utf8");
      // The name in parentheses may hold anything, also parentheses.
      const [state, parent, group, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (state === "Z" || state === "X") continue;
      const pid = Number(name);
      found.set(pid, { pid, parent: Number(parent), group: Number(group), started: rest[16] ?? "" });
    } catch {
      continue; // gone in between
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
