// The page in Debian's Chromium: windows that share one person's device, and the checks for every page.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Locator,
  type Page,
} from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { Daemon, type DaemonOptions } from "../../client/tests/daemon.js";
import { serve } from "./site.js";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const CHROMIUM = process.env.ASTER_CHROMIUM ?? "/usr/bin/chromium";

let browser: Browser | null = null;

beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
    timeout: 120_000,
  });
});
afterAll(() => browser?.close());

export interface Desk {
  daemon: Daemon;
  url: string;
  context: BrowserContext;
  /** Opens a new window, at this part of the address. */
  open: (hash?: string, prepare?: (page: Page) => void) => Promise<Page>;
}

/** A daemon, its page and one person's browser. All of it is removed when the test ends. `shell`: another server serves
 * the page, so that it can be opened while the daemon is away. */
export async function desk(
  options: DaemonOptions & { device?: BrowserContextOptions; first?: boolean; shell?: boolean } = {},
): Promise<Desk> {
  if (!browser) throw new Error("no browser");
  const daemon = await new Daemon({ token: null, model: "demo:instant", ...options }).start();
  const site = options.shell === true ? await serve(daemon) : null;
  const viewport = { width: 1280, height: 800 };
  const context = await browser.newContext({ viewport, locale: "en-US", ...options.device });
  context.setDefaultTimeout(60_000);
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  // Not the first visit: a new person would see the first-run steps.
  if (options.first !== true) await context.addInitScript(() => localStorage.setItem("aster.welcomed", "yes"));
  const complaints: string[] = [];
  onTestFinished(async () => {
    await context.close();
    await site?.close();
    await daemon.dispose();
    expect(complaints, "what the page threw, or its policy refused").toEqual([]);
  });
  return {
    daemon,
    url: site?.url ?? daemon.url,
    context,
    async open(hash = "", prepare) {
      const page = await context.newPage();
      prepare?.(page);
      page.on("pageerror", (error) => complaints.push(error.stack ?? error.message));
      page.on("console", (message) => {
        const text = message.text();
        // Network errors are not the page's fault: a daemon that is killed does not answer.
        const ofNetwork = /^Failed to load resource|^WebSocket connection to .* failed/.test(text);
        if (message.type() === "error" && !ofNetwork) complaints.push(text);
      });
      await page.goto(`${site?.url ?? daemon.url}/${hash}`);
      await page.getByRole("textbox", { name: "Message" }).or(page.locator("h1")).first().waitFor();
      return page;
    },
  };
}

/** Writes a message and sends it. */
export async function say(page: Page, text: string): Promise<void> {
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  await box.fill(text);
  await box.press("Enter");
}

/** Does something before the daemon gets a call to this endpoint; if `act` returns false, the call is refused on its
 * way. Only for pages that are opened afterwards, because their calls go over a socket. */
export async function beforeCall(context: BrowserContext, path: string, act: () => Promise<boolean>): Promise<void> {
  await context.routeWebSocket(/\/ws$/, (page) => {
    const daemon = page.connectToServer();
    page.onMessage(async (text) => {
      const said = JSON.parse(String(text)) as { id: string; type: string; payload: { path?: string } };
      if (said.type !== "request" || said.payload.path !== path || (await act())) {
        daemon.send(text);
        return;
      }
      const lost = { status: 503, id: said.id, success: false, error: "lost", code: "store_unavailable", hint: null };
      page.send(JSON.stringify(lost));
    });
  });
}

/** Changes what the daemon sends to pages. Only for pages that are opened afterwards. */
export async function fromDaemon(context: BrowserContext, change: (text: string) => string): Promise<void> {
  await context.routeWebSocket(/\/ws$/, (page) => {
    const daemon = page.connectToServer();
    daemon.onMessage((text) => page.send(change(String(text))));
  });
}

/** Keeps notices and their buttons until the test lets their time pass. Only for pages that are opened afterwards. */
export async function noticesStay(context: BrowserContext): Promise<(page: Page) => Promise<void>> {
  await context.addInitScript(() => {
    const held = new Map<number, () => void>();
    const set = window.setTimeout.bind(window);
    const clear = window.clearTimeout.bind(window);
    const hold = (call: () => void, ms?: number, ...more: unknown[]): number => {
      if (ms !== 8_000 && ms !== 12_000) return set(call, ms, ...more);
      const id = -1 - held.size;
      held.set(id, call);
      return id;
    };
    const forget = (id?: number): void => {
      if (id !== undefined && held.has(id)) held.set(id, () => undefined);
      else clear(id);
    };
    const pass = (): void => held.forEach((call) => call());
    Object.assign(window, { setTimeout: hold, clearTimeout: forget, passNotices: pass });
  });
  return (page) =>
    page.evaluate(() => {
      (window as unknown as { passNotices: () => void }).passNotices();
    });
}

/** Waits until the element has the focus. */
export async function focused(locator: Locator): Promise<void> {
  await expect.poll(() => locator.evaluate((one) => one === document.activeElement)).toBe(true);
}

export const answers = (page: Page) => page.getByRole("article", { name: "Assistant" });
export const questions = (page: Page) => page.locator(".approval");

/** Axe finds no violations. The page's policy allows no foreign scripts, so Axe is injected through the debugger. */
export async function accessible(page: Page, where: string): Promise<void> {
  await page.evaluate(AXE);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html}\n${failureSummary}`),
    );
  });
  expect(found, where).toEqual([]);
}

/** The page does not scroll sideways. */
export async function fits(page: Page): Promise<void> {
  const wide = await page.evaluate(() => {
    const root = document.documentElement;
    return [...document.querySelectorAll<HTMLElement>(".scroller, .page-scroller, .side-sessions, html")]
      .filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => `${one.className || one.tagName}: ${one.scrollWidth} > ${one.clientWidth}`)
      .concat(root.scrollWidth > window.innerWidth ? ["page"] : []);
  });
  expect(wide).toEqual([]);
}
