// Messages that are written while the daemon can't be reached.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { answers, beforeCall, desk, noticesStay, say } from "./browser.js";

const drafts = (page: Page) => page.getByRole("article", { name: "Draft, not sent" });

test("three drafts: one is sent, one discarded, one kept over a restart of the page", async () => {
  const { daemon, open } = await desk({ shell: true });
  const page = await open();
  await say(page, "before");
  await answers(page).getByText("You said: “before”").waitFor();
  const { hash } = new URL(page.url());
  await daemon.kill();
  await page.getByText("Can’t reach Aster").first().waitFor();
  for (const [place, words] of ["first draft", "second draft", "third draft"].entries()) {
    await say(page, words);
    await drafts(page).nth(place).waitFor();
  }
  await daemon.start();
  await page.locator(".link-connected").waitFor();
  // No draft is sent automatically.
  expect(await drafts(page).count()).toBe(3);

  await drafts(page).filter({ hasText: "second draft" }).getByRole("button", { name: "Discard" }).click();
  await expect.poll(() => drafts(page).count()).toBe(2);
  await drafts(page).filter({ hasText: "first draft" }).getByRole("button", { name: "Send now" }).click();
  await answers(page).getByText("You said: “first draft”").waitFor();
  await page.close();

  await daemon.restart();
  const again = await open(hash);
  await drafts(again).getByText("third draft").waitFor();
  expect(await drafts(again).count()).toBe(1);
  const { messages } = await daemon.client().history("default", hash.split("/").at(-1));
  expect(messages.filter(({ role }) => role === "user").map(({ text }) => text)).toEqual(["before", "first draft"]);
});

test("two windows keep their drafts side by side, and each sees the other's", async () => {
  const { daemon, open } = await desk({ shell: true });
  const one = await open();
  await say(one, "hello");
  await answers(one).getByText("You said: “hello”").waitFor();
  const other = await open(new URL(one.url()).hash);
  await answers(other).getByText("You said: “hello”").waitFor();
  await daemon.kill();
  await one.getByText("Can’t reach Aster").first().waitFor();
  await other.getByText("Can’t reach Aster").first().waitFor();
  await say(one, "from the one");
  await say(other, "from the other");
  for (const page of [one, other]) {
    await drafts(page).filter({ hasText: "from the one" }).waitFor();
    await drafts(page).filter({ hasText: "from the other" }).waitFor();
  }
  await daemon.start();
  await drafts(other).filter({ hasText: "from the one" }).getByRole("button", { name: "Send now" }).click();
  await answers(one).getByText("You said: “from the one”").waitFor();
  await expect.poll(() => drafts(one).count()).toBe(1);
});

test("the twenty-first draft takes the oldest one's place, and the person is told", async () => {
  const { daemon, open, context } = await desk({ shell: true });
  await noticesStay(context);
  const page = await open();
  await say(page, "hello");
  await answers(page).getByText("You said: “hello”").waitFor();
  await daemon.kill();
  await page.getByText("Can’t reach Aster").first().waitFor();
  for (let number = 1; number <= 21; number += 1) {
    await say(page, `draft number ${number}.`);
    await drafts(page)
      .filter({ hasText: `draft number ${number}.` })
      .waitFor();
  }
  await page.getByText("Only 20 drafts are kept. The oldest one was removed.").waitFor();
  await page.reload();
  await expect
    .poll(() => page.evaluate(() => (localStorage.getItem("aster.drafts") ?? "").match(/draft number/g)?.length))
    .toBe(20);
  expect(await page.evaluate(() => localStorage.getItem("aster.drafts"))).not.toContain("draft number 1.");
});

test("a message that the daemon refuses is an error, and no draft", async () => {
  const { open, daemon, context } = await desk();
  const client = daemon.client();
  let late = false;
  // The conversation is deleted elsewhere at the moment a message is sent to it.
  await beforeCall(context, "/api/chat", async () => {
    const { sessions } = late ? await client.sessions.list() : { sessions: [] };
    for (const { session_id } of sessions) await client.sessions.delete(session_id);
    return true;
  });
  const page = await open();
  await say(page, "hello");
  await answers(page).getByText("You said: “hello”").waitFor();
  // A session can't be deleted during a turn.
  await expect
    .poll(async () => (await client.sessions.list()).sessions.map(({ state }) => state as string))
    .toEqual(["idle"]);
  late = true;
  await say(page, "too late");
  await page.locator(".note").getByText("This conversation was deleted.").waitFor();
  await drafts(page).getByText("too late").waitFor();
  await drafts(page)
    .getByText(/was deleted/)
    .waitFor();
  expect(await page.evaluate(() => localStorage.getItem("aster.drafts") ?? "[]")).not.toContain("too late");
});
