// Many tabs of one browser: one stream for all, whichever of them is closed, stands still or hangs.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Proxy } from "../../client/tests/proxy.js";
import { answers, desk, questions, say, type Desk } from "./browser.js";

/** The tab that has the stream. */
async function leader(pages: readonly Page[]): Promise<Page | undefined> {
  const leads = await Promise.all(
    pages.map((page) =>
      page.evaluate(() =>
        navigator.locks.request(`test/${Math.random()}`, async (mine) => {
          const { held = [] } = await navigator.locks.query();
          const me = held.find((lock) => lock.name === mine?.name)?.clientId;
          return held.some((lock) => lock.name?.startsWith("aster-sidecar/stream/") && lock.clientId === me);
        }),
      ),
    ),
  );
  return pages.find((_, at) => leads[at]);
}

async function theLeader(pages: readonly Page[]): Promise<Page> {
  await expect.poll(async () => (await leader(pages)) !== undefined).toBe(true);
  const page = await leader(pages);
  if (!page) throw new Error("no tab leads");
  return page;
}

function at(pages: readonly Page[], number: number): Page {
  const page = pages[number];
  if (!page) throw new Error(`there is no tab ${number}`);
  return page;
}

async function streams({ daemon }: Desk): Promise<number> {
  return (await daemon.client().snapshot()).metrics.streams;
}

const connected = (page: Page) => page.locator(".link-connected").waitFor();

/** A first tab with a conversation, and others on the same one. */
async function tabs({ open, daemon }: Desk, count: number): Promise<{ pages: Page[]; session_id: string }> {
  const { session_id } = await daemon.client().sessions.create({ title: "shared" });
  const pages: Page[] = [];
  for (let number = 0; number < count; number += 1) {
    const page = await open(`#/s/${session_id}`);
    await connected(page);
    pages.push(page);
  }
  return { pages, session_id };
}

/** Every tab shows what the daemon has recorded, once, and that nothing is going on. */
async function allShow({ daemon }: Desk, pages: readonly Page[], session_id: string, turns: number): Promise<void> {
  const client = daemon.client();
  // The turn that was asked for last is over, and none runs.
  const over = async (): Promise<boolean> => {
    const { messages } = await client.history("default", session_id);
    return messages.length === 2 * turns && messages.at(-1)?.status === "complete";
  };
  await expect.poll(over).toBe(true);
  const { messages } = await client.history("default", session_id);
  const said = messages.filter(({ role }) => role === "assistant");
  for (const page of pages) {
    await expect.poll(() => answers(page).count()).toBe(said.length);
    await answers(page)
      .last()
      .getByText(/tokens$/)
      .waitFor();
    await connected(page);
    const words = (text: string): string => text.replace(/[^\p{L}\p{N}]+/gu, "");
    const last = said.at(-1);
    const text = last?.parts.map((part) => (part.type === "text" ? part.text : "")).join("") ?? "";
    expect(words(await answers(page).last().innerText())).toContain(words(text));
    await page.getByRole("button", { name: /^Stop/ }).waitFor({ state: "hidden" });
  }
}

/** Chromium says `freeze` to a page and then runs nothing of it; without a word it stops like one that hangs. Its own
 *  command for that does nothing to a page that Playwright keeps visible. Returns what lets it go on. */
async function halt(page: Page, told: boolean): Promise<() => Promise<void>> {
  const tell = (name: string): Promise<boolean> =>
    page.evaluate((name) => document.dispatchEvent(new Event(name)), name);
  if (told) await tell("freeze");
  const debug = await page.context().newCDPSession(page);
  await debug.send("Debugger.enable");
  await debug.send("Debugger.pause");
  const stuck = page.evaluate(() => 1).catch(() => undefined); // stops at its first statement
  return async () => {
    await debug.send("Debugger.resume");
    await debug.send("Debugger.disable");
    await stuck;
    if (told) await tell("resume");
  };
}

test("eight tabs show one answer as it comes, and calls have connections left", async () => {
  const here = await desk({ model: "demo" });
  const { pages, session_id } = await tabs(here, 8);
  const first = at(pages, 0);
  await say(first, "hello");
  await allShow(here, pages, session_id, 1);
  expect(await streams(here)).toBe(1);
  // Calls of all tabs at once, while the stream is open.
  const statuses = await Promise.all(
    pages.map((page) => page.evaluate(async () => (await fetch("/api/agents", { credentials: "omit" })).status)),
  );
  expect(statuses).toEqual(pages.map(() => 200));
  await say(at(pages, 7), "hello from the last one");
  await allShow(here, pages, session_id, 2);
});

test("the tab that has the stream is closed in the middle of an answer", async () => {
  const here = await desk({ model: "demo" });
  const { pages, session_id } = await tabs(here, 4);
  await say(at(pages, 0), "think, and then say hello");
  let others = pages;
  // One after the other, while it goes on.
  for (let closed = 0; closed < 2; closed += 1) {
    const before = await answers(at(others, 0)).last().innerText();
    await expect.poll(() => answers(at(others, 0)).last().innerText()).not.toBe(before);
    const leading = await theLeader(others);
    await leading.close();
    others = others.filter((page) => page !== leading);
  }
  await allShow(here, others, session_id, 1);
  expect(await streams(here)).toBe(1);
});

test.each([true, false])("the tab that has the stream stands still, announced: %s", async (told) => {
  const here = await desk({ model: "demo" });
  const { pages, session_id } = await tabs(here, 3);
  await say(at(pages, 0), "think, and then say hello");
  await answers(at(pages, 0)).last().getByText(/\w/).first().waitFor();
  const leading = await theLeader(pages);
  const others = pages.filter((page) => page !== leading);
  const goOn = await halt(leading, told);
  await allShow(here, others, session_id, 1);
  expect(others).toContain(await theLeader(others));
  await say(at(others, 0), "hello");
  await allShow(here, others, session_id, 2);
  await goOn();
  await allShow(here, pages, session_id, 2);
});

test("a daemon that is killed and comes back is there for all tabs", async () => {
  const here = await desk({ model: "demo:instant" });
  const { pages, session_id } = await tabs(here, 4);
  await here.daemon.kill();
  for (const page of pages) await page.locator(".link-offline, .link-reconnecting").first().waitFor();
  await here.daemon.start();
  for (const page of pages) await connected(page);
  await say(at(pages, 1), "hello");
  await allShow(here, pages, session_id, 1);
  await expect.poll(async () => await streams(here)).toBe(1);
});

test("a page whose connection died in a sleep shows what ended meanwhile as soon as it is looked at", async () => {
  const here = await desk();
  const proxy = await new Proxy(() => here.daemon.port).open();
  const client = here.daemon.client();
  const { session_id } = await client.sessions.create({ title: "before the sleep" });
  const { session_id: gone } = await client.sessions.create({ title: "deleted meanwhile" });
  const page = await here.context.newPage();
  await page.goto(`${proxy.url}/#/s/${session_id}`);
  await connected(page);
  await say(page, "write a.txt");
  await questions(page).waitFor();
  await page.getByRole("button", { name: /^Stop/ }).waitFor();
  proxy.hole();
  const [question] = await client.approvals();
  await client.approve({ agent_id: "default", call_id: question?.call_id ?? "", decision: "allow" });
  await client.sessions.delete(gone);
  const over = async (): Promise<boolean> =>
    (await client.history("default", session_id)).messages.at(-1)?.status === "complete";
  await expect.poll(over).toBe(true);
  // Less than two seconds of silence count as alive.
  await page.waitForTimeout(2_100);
  expect(await questions(page).count()).toBe(1);
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await answers(page).getByText("is done").waitFor();
  await expect.poll(() => questions(page).count()).toBe(0);
  await page.getByRole("button", { name: /^Stop/ }).waitFor({ state: "hidden" });
  await page.getByRole("link", { name: "deleted meanwhile" }).waitFor({ state: "hidden" });
  await connected(page);
});
