// Tabs of the page's origin lend tools, with the client's modules as they are published.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { desk, type Desk } from "./browser.js";

const build = fileURLToPath(new URL("../../client/scripts/build.mjs", import.meta.url));

/** A desk whose pages can import the modules from `/lend/`. */
async function lenders(): Promise<Desk> {
  const folder = mkdtempSync(join(tmpdir(), "aster-lend-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  execFileSync(process.execPath, [build, "--out", folder]);
  const here = await desk();
  await here.context.route("**/lend/*.js", async (route) => {
    const body = readFileSync(join(folder, basename(new URL(route.request().url()).pathname)), "utf8");
    await route.fulfill({ contentType: "text/javascript", body });
  });
  return here;
}

/** Lends a tool that says which tab has run it. Returns whether that worked, or the code of the refusal. */
function lend(page: Page, name: string, tool: string, tab: string): Promise<unknown> {
  return page.evaluate(`(async () => {
    const { createClient } = await import("/lend/index.js");
    const { lendTools } = await import("/lend/tools.js");
    const run = ({ url }, { attach }) => attach("tab.txt", new Blob([url])).then(() => "${tab}");
    const tools = { ${tool}: { description: "Open a tab.", parameters: { type: "object" }, risk: "low", run } };
    window.lender = lendTools(createClient(), { name: "${name}", tools });
    return window.lender.ready.then(() => "offered", ({ code }) => code);
  })()`);
}

const online = (page: Page): Promise<boolean> => page.evaluate("window.lender.state.online");

/** Which tab runs a call, and the names of the files that it adds. */
async function ran({ daemon }: Desk, tool: string): Promise<unknown[]> {
  const client = daemon.client();
  const { session_id } = await client.sessions.create();
  await client.send({ agent_id: "default", session_id, message: `call ${tool} {"url": "https://example.com"}` });
  const part = async (): Promise<unknown[]> => {
    const { messages } = await client.history("default", session_id);
    const found = messages.flatMap(({ parts }) => parts).find(({ type }) => type === "tool");
    if (found?.type !== "tool" || found.state !== "done") return [];
    const { result } = found.result as { result: unknown };
    return [result, ...(found.attachments ?? []).map(({ name }) => name)];
  };
  await expect.poll(part, { timeout: 30_000 }).not.toEqual([]);
  return part();
}

test("two tabs lend tools at the same time; of one name only one does, and the next one when that is closed", async () => {
  const here = await lenders();
  const [one, two] = [await here.open(), await here.open()];
  expect(await lend(one, "first", "open_tab_one", "one")).toBe("offered");
  expect(await lend(two, "second", "open_tab_two", "two")).toBe("offered");
  expect(await ran(here, "open_tab_one")).toEqual(["one", "tab.txt"]);
  expect(await ran(here, "open_tab_two")).toEqual(["two", "tab.txt"]);

  const [three, four] = [await here.open(), await here.open()];
  expect(await lend(three, "browser", "open_tab", "three")).toBe("offered");
  expect(await lend(four, "browser", "open_tab", "four")).toBe("host_taken");
  expect(await ran(here, "open_tab")).toEqual(["three", "tab.txt"]);
  await three.close({ runBeforeUnload: true });
  await expect.poll(() => online(four), { timeout: 30_000 }).toBe(true);
  expect(await ran(here, "open_tab")).toEqual(["four", "tab.txt"]);

  await here.daemon.restart();
  for (const page of [one, two, four]) await expect.poll(() => online(page), { timeout: 30_000 }).toBe(true);
  expect(await ran(here, "open_tab_two")).toEqual(["two", "tab.txt"]);
  expect(await ran(here, "open_tab")).toEqual(["four", "tab.txt"]);
});

test("a conversation that waits for a program does not say that a question waits", async () => {
  const here = await lenders();
  const [lender, page] = [await here.open(), await here.open()];
  await lender.evaluate(`(async () => {
    const { createClient } = await import("/lend/index.js");
    const { lendTools } = await import("/lend/tools.js");
    const run = () => new Promise((resolve) => { window.finish = () => resolve("done"); });
    const tools = { think: { description: "Think.", parameters: { type: "object" }, risk: "low", run } };
    await lendTools(createClient(), { name: "thinker", tools }).ready;
  })()`);
  const client = here.daemon.client();
  const { session_id } = await client.sessions.create();
  await client.send({ agent_id: "default", session_id, message: "call think {}" });
  await page.getByRole("img", { name: "a program works on a call" }).waitFor();
  await lender.evaluate("window.finish()");
  await page.getByRole("img", { name: "a program works on a call" }).waitFor({ state: "detached" });
});
