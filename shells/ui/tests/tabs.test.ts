// Many tabs of one browser, each with a separate socket: a browser opens only six HTTP connections to a daemon, but
// hundreds of sockets in addition.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { Proxy } from "../../client/tests/proxy.js";
import { answers, desk, questions, say, type Desk } from "./browser.js";

function at(pages: readonly Page[], number: number): Page {
  const page = pages[number];
  if (!page) throw new Error(`there is no tab ${number}`);
  return page;
}

async function streams({ daemon }: Desk): Promise<number> {
  return (await daemon.client().snapshot()).metrics.streams;
}

const connected = (page: Page) => page.locator(".link-connected").waitFor();

/** A first tab with a conversation, and more tabs on the same one. */
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

/** Every tab shows the daemon's messages exactly once, and no turn in progress. */
async function allShow({ daemon }: Desk, pages: readonly Page[], session_id: string, turns: number): Promise<void> {
  const client = daemon.client();
  // The last turn has ended, and none is running.
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

/** The messages that a tab shows, in order. */
const shown = (page: Page): Promise<string[]> => page.getByRole("article").allInnerTexts();

test("twenty tabs show what one of them asks, and calls have connections left", async () => {
  const here = await desk({ model: "demo" });
  const { pages, session_id } = await tabs(here, 20);
  expect(await streams(here)).toBe(20);
  await say(at(pages, 0), "hello");
  await allShow(here, pages, session_id, 1);
  // All tabs call at once over HTTP, while their sockets are open.
  const statuses = await Promise.all(
    pages.map((page) => page.evaluate(async () => (await fetch("/api/agents", { credentials: "omit" })).status)),
  );
  expect(statuses).toEqual(pages.map(() => 200));
  await say(at(pages, 19), "hello from the last one");
  await allShow(here, pages, session_id, 2);
  for (const page of pages) expect(await shown(page)).toEqual(await shown(at(pages, 0)));
  for (const page of pages.splice(0, 10)) await page.close();
  await expect.poll(() => streams(here)).toBe(10);
  await say(at(pages, 0), "hello from one that stays");
  await allShow(here, pages, session_id, 3);
});

test("twenty tabs that twenty links signed in, and one of them is signed out", async () => {
  const here = await desk({ token: "the-shells-own-token" });
  const client = here.daemon.client();
  const { session_id } = await client.sessions.create({ title: "shared" });
  const pages: Page[] = [];
  for (let number = 0; number < 20; number += 1) {
    const { url } = await client.call<{ url: string }>("POST", "/api/handoff", { session_id });
    const page = await here.context.newPage();
    await page.goto(url);
    await connected(page);
    pages.push(page);
  }
  expect(await streams(here)).toBe(20);
  await say(at(pages, 0), "hello");
  await allShow(here, pages, session_id, 1);
  const browsers = await client.call<{ bearer_id: string }[]>("GET", "/api/handoff");
  expect(browsers).toHaveLength(20);
  await client.call("DELETE", `/api/handoff/${browsers[7]?.bearer_id ?? ""}`);
  await at(pages, 7).getByRole("heading", { name: "Sign in" }).waitFor();
  await expect.poll(() => streams(here)).toBe(19);
  pages.splice(7, 1);
  await say(at(pages, 0), "hello again");
  await allShow(here, pages, session_id, 2);
});

test("twenty tabs come back to a daemon that was killed, with nothing lost and nothing twice", async () => {
  const here = await desk({ model: "demo" });
  const { pages, session_id } = await tabs(here, 20);
  await say(at(pages, 3), "think, and then say hello");
  for (const page of pages) await answers(page).last().getByText(/\w/).first().waitFor();
  await here.daemon.kill();
  for (const page of pages) await page.locator(".link-offline, .link-reconnecting").first().waitFor();
  await here.daemon.start();
  for (const page of pages) await connected(page);
  await expect.poll(() => streams(here)).toBe(20);
  await say(at(pages, 1), "hello");
  await allShow(here, pages, session_id, 2);
  for (const page of pages) expect(await shown(page)).toEqual(await shown(at(pages, 0)));
});

test("a daemon that stops says so, and its next life has all tabs again", async () => {
  const here = await desk({ model: "demo:instant" });
  const { pages, session_id } = await tabs(here, 4);
  await here.daemon.client().shutdown();
  for (const page of pages) await page.locator(".link-offline, .link-reconnecting").first().waitFor();
  await here.daemon.kill();
  await here.daemon.start();
  for (const page of pages) await connected(page);
  await say(at(pages, 1), "hello");
  await allShow(here, pages, session_id, 1);
});

test("a tab that stands still holds up none of the others, and has it all when it goes on", async () => {
  const here = await desk({ model: "demo" });
  const { pages, session_id } = await tabs(here, 3);
  const still = at(pages, 0);
  const debug = await still.context().newCDPSession(still);
  await debug.send("Debugger.enable");
  await debug.send("Debugger.pause");
  const stuck = still.evaluate(() => 1).catch(() => undefined); // stops at its first statement
  await say(at(pages, 1), "think, and then say hello");
  await allShow(here, pages.slice(1), session_id, 1);
  await debug.send("Debugger.resume");
  await debug.send("Debugger.disable");
  await stuck;
  await allShow(here, pages, session_id, 1);
});

test("who pastes the launcher's token gets a bearer of the tab's own, and a socket with it", async () => {
  const here = await desk({ token: "the-shells-own-token" });
  const client = here.daemon.client();
  // A first link makes the daemon serve its page; the person pastes the token instead of using the link.
  await client.call("POST", "/api/handoff", {});
  const page = await here.context.newPage();
  const sockets: string[] = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await page.goto(here.daemon.url);
  await page.getByLabel("Token").fill("the-shells-own-token");
  await page.getByLabel("Token").press("Enter");
  await connected(page);
  await page.getByRole("button", { name: "New conversation" }).click();
  await say(page, "hello");
  await answers(page).getByText("You said: “hello”").waitFor();
  const kept = await page.evaluate(() => Object.values(sessionStorage).join());
  expect(kept).toMatch(/^[\w-]{43}$/);
  expect(await client.call("GET", "/api/handoff")).toHaveLength(1);
  expect(sockets.at(-1)).toBe(`${here.daemon.url.replace("http", "ws")}/ws`);
  // If the token itself is stored, the page works over HTTP.
  await page.evaluate(() => sessionStorage.setItem("aster.bearer", "the-shells-own-token"));
  await page.reload();
  await connected(page);
  await say(page, "hello again");
  await answers(page).getByText("You said: “hello again”").waitFor();
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
  // Silence of less than two seconds counts as alive.
  await page.waitForTimeout(2_100);
  expect(await questions(page).count()).toBe(1);
  await page.evaluate(() => window.dispatchEvent(new Event("focus")));
  await answers(page).getByText("is done").waitFor();
  await expect.poll(() => questions(page).count()).toBe(0);
  await page.getByRole("button", { name: /^Stop/ }).waitFor({ state: "hidden" });
  await page.getByRole("link", { name: "deleted meanwhile" }).waitFor({ state: "hidden" });
  await connected(page);
});
