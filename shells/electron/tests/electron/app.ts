// The app in a real Electron with its own screen, its own profile and the real daemon.
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { get } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished, vi } from "vitest";
import { python, repository } from "../places.js";
import { Cdp } from "./cdp.js";
import { electron } from "./runtime.js";

export const WAIT = { timeout: 60_000, interval: 50 };
const build = fileURLToPath(new URL("../../build", import.meta.url));
/** Folder for screenshots, for people to look at; no test compares them. */
const shots = process.env["ASTER_SHOTS_DIR"];

let display: { name: string; process: ChildProcess } | null = null;

/** A screen for this test run only. */
export async function screen(): Promise<string> {
  if (display) return display.name;
  // Without -noreset, Xvfb restarts when its last window closes and rejects the programs that connect at that moment.
  const child = spawn("Xvfb", ["-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp", "-noreset"], {
    stdio: ["ignore", "ignore", "ignore", "pipe"],
  });
  const [line] = (await once(createInterface({ input: child.stdio[3] as NodeJS.ReadableStream }), "line")) as [string];
  display = { name: `:${line}`, process: child };
  return display.name;
}

/** Call this after all tests of a file. */
export function closeScreen(): void {
  display?.process.kill();
  display = null;
}

export interface AppOptions {
  arguments?: string[];
  environment?: Record<string, string>;
  /** An earlier app whose profile and work directory are used again. */
  after?: App;
  /** A main process to run instead of this app's, with flags for Electron before it. */
  main?: string[];
  /** A packaged app to run, with the daemon inside it, instead of Electron and an app. */
  packaged?: string;
}

interface Target {
  type: string;
  url: string;
  webSocketDebuggerUrl: string;
}

export class App {
  readonly home: string;
  readonly process: ChildProcess;
  readonly display: string;
  readonly #debugging: Promise<{ page: string; main: string }>;
  readonly #fresh: boolean;
  #output = "";
  #main: Cdp | null = null;
  #pages = new Map<string, Cdp>();

  static async launch(options: AppOptions = {}): Promise<App> {
    const name = await screen();
    const app = new App(name, options);
    onTestFinished(() => app.dispose());
    return app;
  }

  private constructor(
    screenName: string,
    { arguments: more = [], environment, after, main = [build], packaged }: AppOptions,
  ) {
    this.display = screenName;
    this.#fresh = after === undefined;
    this.home = after?.home ?? mkdtempSync(join(tmpdir(), "aster-electron-"));
    for (const folder of ["profile", "work", "home"]) mkdirSync(join(this.home, folder), { recursive: true });
    const shim = join(this.home, "aster-desktop");
    writeFileSync(shim, `#!/bin/sh\nPYTHONPATH="${repository}" exec "${python}" -m aster_sidecar "$@"\n`);
    chmodSync(shim, 0o755);
    const inherited = Object.entries(process.env).filter(([name]) => !/^(ASTER|XDG|DBUS|ELECTRON)/.test(name));
    this.process = spawn(
      packaged ?? electron,
      [
        ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
        "--remote-debugging-port=0",
        "--inspect=127.0.0.1:0",
        "--disable-gpu",
        `--user-data-dir=${join(this.home, "profile")}`,
        ...(packaged === undefined ? main : []),
        ...more,
      ],
      {
        cwd: join(this.home, "work"),
        env: {
          ...Object.fromEntries(inherited),
          DISPLAY: screenName,
          HOME: join(this.home, "home"),
          ASTER_SHELL_PROFILE: join(this.home, "profile"),
          ...(packaged === undefined && { ASTER_SIDECAR_BINARY: shim }),
          ASTER_WORK_DIR: join(this.home, "work"),
          ASTER_MODEL: "demo:instant",
          ...environment,
        },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.#debugging = this.#listen();
    this.#debugging.catch(() => undefined);
  }

  get output(): string {
    return this.#output;
  }

  get profile(): string {
    return join(this.home, "profile");
  }

  #listen(): Promise<{ page: string; main: string }> {
    return new Promise((resolve, reject) => {
      const look = (chunk: Buffer): void => {
        this.#output += chunk.toString("utf8");
        const page = /DevTools listening on ws:\/\/([^/]+)\//.exec(this.#output)?.[1];
        const main = /Debugger listening on (ws:\S+)/.exec(this.#output)?.[1];
        if (page && main) resolve({ page, main });
      };
      this.process.stdout?.on("data", look);
      this.process.stderr?.on("data", look);
      this.process.once("exit", (code, signal) => {
        reject(new Error(`Electron ended with ${String(code ?? signal)}: ${this.#output}`));
      });
    });
  }

  /** The main process, for what no page can see. */
  async main(): Promise<Cdp> {
    this.#main ??= await Cdp.connect((await this.#debugging).main);
    return this.#main;
  }

  /** Runs in the main process; `electron` is Electron. */
  async inMain<T>(body: string): Promise<T> {
    const main = await this.main();
    try {
      return await main.evaluate<T>(
        `(async () => { const electron = process.mainModule.require("electron"); ${body} })()`,
      );
    } catch (cause) {
      if (main.open) throw cause;
      const { exitCode, signalCode } = this.process;
      throw new Error(
        `the app is gone (${String(exitCode ?? signalCode ?? "it runs")}): ${this.#output.slice(-2000)}`,
        {
          cause,
        },
      );
    }
  }

  async targets(): Promise<Target[]> {
    const { page } = await this.#debugging;
    const list = await new Promise<string>((resolve, reject) => {
      get(`http://${page}/json/list`, (response) => {
        let text = "";
        response.on("data", (chunk) => (text += String(chunk)));
        response.on("end", () => {
          resolve(text);
        });
      }).on("error", reject);
    });
    return (JSON.parse(list) as Target[]).filter(({ type }) => type === "page");
  }

  /** The window whose address contains `text`. */
  async page(text = "aster-app://app/index.html"): Promise<Page> {
    const target = await vi.waitFor(async () => {
      const found = (await this.targets()).find(({ url }) => url.includes(text));
      if (!found) throw new Error(`no window shows ${text}`);
      return found;
    }, WAIT);
    const url = target.webSocketDebuggerUrl;
    let cdp = this.#pages.get(url);
    if (!cdp) {
      cdp = await Cdp.connect(url);
      this.#pages.set(url, cdp);
    }
    return new Page(cdp);
  }

  /** Waits until the page shows the conversation and is connected. */
  async ready(): Promise<Page> {
    const page = await this.page();
    await page.until(`window.asterHost && document.querySelector("#root > *")`);
    await page.host("request", "GET", "/api/agents"); // waits for the engine
    if (this.#fresh) await page.click("Start a conversation"); // the first run shows an introduction first
    await page.until(`document.querySelector("textarea") !== null`);
    return page;
  }

  /** Waits for the end of the process and returns its exit code or signal. */
  async ended(): Promise<number | string> {
    const { exitCode, signalCode } = this.process;
    if (exitCode !== null || signalCode !== null) return exitCode ?? signalCode ?? "";
    const [code, signal] = (await once(this.process, "exit")) as [number | null, string | null];
    return code ?? signal ?? "";
  }

  async quit(): Promise<number | string> {
    await this.inMain(`setTimeout(() => electron.app.quit(), 100);`);
    this.leave();
    return this.ended();
  }

  /** Disconnects the debugger; Node would wait for that before it exits. */
  leave(): void {
    this.#main?.close();
    this.#main = null;
  }

  /** The visible windows of this app, including system dialogs. */
  windows(): string[] {
    const find = ["search", "--onlyvisible", "--all", "--pid", String(this.process.pid)];
    return this.#xdotool(find).split("\n").filter(Boolean);
  }

  /** Presses keys in the window. Without a window manager, xdotool must set the keyboard focus first. */
  press(keys: string): void {
    this.#xdotool(["windowfocus", "--sync", this.windows()[0] ?? "", "key", "--clearmodifiers", keys]);
  }

  #xdotool(words: string[]): string {
    return spawnSync("xdotool", words, { env: { ...process.env, DISPLAY: this.display }, encoding: "utf8" }).stdout;
  }

  async sidecar(): Promise<{ pid: number; instance_id: string }> {
    const path = join(this.profile, "data", "sidecar.json");
    return vi.waitFor(() => JSON.parse(readFileSync(path, "utf8")) as { pid: number; instance_id: string }, WAIT);
  }

  async dispose(): Promise<void> {
    this.process.kill("SIGKILL");
    await vi.waitFor(() => {
      const left = this.family();
      for (const pid of left) process.kill(pid, "SIGKILL");
      if (left.length > 0) throw new Error("still there");
      rmSync(this.home, { recursive: true, force: true }); // retried, because a process may write during the removal
    }, WAIT);
  }

  /** Every process that belongs to this app: those that name its directory in their command line or environment. */
  family(): number[] {
    const found = spawnSync("grep", ["-lsaF", this.home, ...proc("cmdline"), ...proc("environ")], { encoding: "utf8" });
    const pids = new Set([...found.stdout.matchAll(/\/proc\/(\d+)\//g)].map(([, pid]) => Number(pid)));
    pids.delete(process.pid);
    return [...pids].filter((pid) => {
      try {
        return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
      } catch {
        return false;
      }
    });
  }

  async nothingLeft(): Promise<void> {
    await vi.waitFor(() => {
      const left = this.family();
      if (left.length > 0) {
        const names = execFileSync("ps", ["-o", "pid=,args=", "-p", left.join(",")], { encoding: "utf8" });
        throw new Error(`still there: ${names}`);
      }
    }, WAIT);
  }
}

function proc(name: string): string[] {
  const pids = execFileSync("ls", ["/proc"], { encoding: "utf8" })
    .split("\n")
    .filter((one) => /^\d+$/.test(one));
  return pids.map((pid) => `/proc/${pid}/${name}`);
}

export class Page {
  readonly #cdp: Cdp;

  constructor(cdp: Cdp) {
    this.#cdp = cdp;
  }

  evaluate<T>(expression: string): Promise<T> {
    return this.#cdp.evaluate<T>(expression);
  }

  /** Calls a function of `window.asterHost`. */
  host<T>(name: string, ...given: unknown[]): Promise<T> {
    return this.evaluate<T>(`window.asterHost.${name}(${given.map((one) => JSON.stringify(one)).join(", ")})`);
  }

  /** Calls the daemon through the host and returns `data` of the answer. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.host<{ status: number; body: string }>(
      "request",
      method,
      path,
      ...(body === undefined ? [] : [JSON.stringify(body)]),
    );
    const { data, error } = JSON.parse(answer.body) as { data: T; error?: string };
    if (answer.status !== 200) throw new Error(error);
    return data;
  }

  async until(expression: string): Promise<void> {
    await vi.waitFor(async () => {
      if (!(await this.evaluate<boolean>(`!!(${expression})`)))
        throw new Error(`not so: ${expression}; ${await this.text()}`);
    }, WAIT);
  }

  text(): Promise<string> {
    return this.evaluate<string>("document.body.innerText");
  }

  async shows(text: string): Promise<void> {
    await this.until(`document.body.innerText.includes(${JSON.stringify(text)})`);
  }

  /** Types into the composer as a person does, and sends. */
  async say(text: string): Promise<void> {
    await this.until(`document.querySelector("textarea:not([disabled])")`);
    await this.evaluate(`document.querySelector("textarea").focus()`);
    await this.#cdp.send("Input.insertText", { text });
    await this.key("Enter", 13);
  }

  async key(key: string, windowsVirtualKeyCode: number): Promise<void> {
    const text = key === "Enter" ? { text: "\r" } : {};
    await this.#cdp.send("Input.dispatchKeyEvent", { type: "keyDown", key, code: key, windowsVirtualKeyCode, ...text });
    await this.#cdp.send("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode });
  }

  /** Clicks the first button with this name, using the mouse. */
  async click(name: string): Promise<void> {
    const find = `[...document.querySelectorAll("button, a")].find((one) => one.offsetParent !== null && !one.disabled
      && (one.innerText.trim().startsWith(${JSON.stringify(name)}) || one.getAttribute("aria-label") === ${JSON.stringify(name)}))`;
    await this.until(find);
    const where = `(() => { const one = ${find}; if (!one) return null;
      one.scrollIntoView({ block: "center" }); const { x, y, width, height } = one.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 }; })()`;
    // A click would miss a button that is still moving.
    let seen: { x: number; y: number } | null = null;
    const { x, y } = await vi.waitFor(async () => {
      const before = seen;
      seen = await this.evaluate<{ x: number; y: number } | null>(where);
      if (seen === null || seen.x !== before?.x || seen.y !== before.y) throw new Error(`${name} does not stand still`);
      return seen;
    }, WAIT);
    const at = { x, y, button: "left", clickCount: 1 };
    await this.#cdp.send("Input.dispatchMouseEvent", { type: "mousePressed", ...at });
    await this.#cdp.send("Input.dispatchMouseEvent", { type: "mouseReleased", ...at });
  }

  async shot(name: string): Promise<void> {
    if (!shots) return;
    mkdirSync(shots, { recursive: true });
    const { data } = (await this.#cdp.send("Page.captureScreenshot")) as { data: string };
    writeFileSync(join(shots, `${name}.png`), Buffer.from(data, "base64"));
  }
}
