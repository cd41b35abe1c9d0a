import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, answers, desk, fits, focused, noticesStay, questions, say } from "./browser.js";
import { fill } from "./fill.js";

test("conversations are renamed, searched, archived and brought back", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "about apples");
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  const list = page.getByRole("navigation", { name: "Conversations" });
  await list.getByRole("link", { name: "about apples" }).press("F2");
  await page.getByRole("textbox", { name: "Title" }).fill("Fruit");
  await page.keyboard.press("Enter");
  await list.getByRole("link", { name: "Fruit" }).waitFor();
  await page.getByRole("heading", { level: 1, name: "Fruit" }).waitFor();
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByRole("heading", { name: "New conversation" }).waitFor();
  await say(page, "about pears");
  await list.getByRole("link", { name: "about pears" }).waitFor();

  const search = page.getByRole("searchbox");
  await search.fill("apples");
  await list.getByText("Found 1").waitFor();
  await expect.poll(() => list.locator(".session-title").allTextContents()).toEqual(["Fruit"]);
  await search.fill("");

  await page.getByRole("button", { name: "Actions for Fruit" }).click();
  await page.getByRole("menuitem", { name: "Archive" }).click();
  await list.getByRole("link", { name: "Fruit" }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Archive" }).click();
  await page.getByRole("main").getByRole("link", { name: "Fruit" }).waitFor();
  await page.getByRole("main").getByRole("button", { name: "Actions for Fruit" }).click();
  await page.getByRole("menuitem", { name: "Unarchive" }).click();
  await list.getByRole("link", { name: "Fruit" }).waitFor();
});

const list = (page: Page) => page.getByRole("navigation", { name: "Conversations" });

/** Sends a message and waits for the end of the answer: a conversation can't be deleted while it is being answered. */
async function conversation(page: Page, text: string, answered = 1): Promise<void> {
  await say(page, text);
  await answers(page)
    .getByText(/tokens$/)
    .nth(answered - 1)
    .waitFor();
}

test("a deleted conversation is gone at once in all windows, and comes back in all of them", async () => {
  const { open, daemon, context } = await desk();
  const letPass = await noticesStay(context);
  const [page, other] = [await open(), await open()];
  await conversation(page, "to be kept");
  const link = list(page).getByRole("link", { name: "to be kept" });
  const elsewhere = list(other).getByRole("link", { name: "to be kept" });
  await elsewhere.click();
  await answers(other).getByText("You said").waitFor();

  await link.press("Delete");
  await link.waitFor({ state: "detached" });
  await elsewhere.waitFor({ state: "detached" });
  await other.getByText("This conversation was deleted.").waitFor();
  await page.getByRole("heading", { name: "New conversation" }).waitFor();
  expect((await daemon.client().sessions.list()).sessions).toEqual([]);
  await page.getByRole("button", { name: "Undo" }).click();
  await link.waitFor();
  await answers(page).getByText("You said").waitFor();
  await elsewhere.waitFor();
  await answers(other).getByText("You said").waitFor();
  await page.getByText("Deleted.", { exact: true }).waitFor({ state: "detached" });

  // Restored in the other window, which shows a notice instead of the conversation.
  await link.press("Delete");
  await page.getByText("Deleted.", { exact: true }).waitFor();
  await other.getByText("It can be restored until").waitFor();
  await other.getByRole("button", { name: "Restore" }).click();
  await answers(other).getByText("You said").waitFor();
  await link.waitFor();
  await conversation(other, "it goes on", 2);

  // After the notice has disappeared, the conversation is still in the trash.
  await link.press("Delete");
  await page.getByText("Deleted.", { exact: true }).waitFor();
  await letPass(page);
  await page.getByText("Deleted.", { exact: true }).waitFor({ state: "detached" });
  expect((await daemon.client().sessions.list({ deleted: true })).sessions.map(({ messages }) => messages)).toEqual([
    4,
  ]);
});

test("a deletion is undone after a reload, and after the daemon was killed", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await conversation(page, "remember me");
  const address = page.url();
  await list(page).getByRole("link", { name: "remember me" }).press("Delete");
  await page.getByText("Deleted.", { exact: true }).waitFor();
  await page.goto(address);
  await page.reload();
  await page.getByText("This conversation was deleted.").waitFor();
  await daemon.restart();
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Restore" }).click();
  await answers(page).getByText("You said").waitFor();
  await list(page).getByRole("link", { name: "remember me" }).waitFor();
});

test("recently deleted conversations are restored, or deleted for good after one question", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await conversation(page, "about apples");
  await page.getByRole("button", { name: "New conversation" }).click();
  await conversation(page, "about pears");
  for (const title of ["about apples", "about pears"]) {
    await list(page).getByRole("link", { name: title }).press("Delete");
    await list(page).getByRole("link", { name: title }).waitFor({ state: "detached" });
  }
  await page.reload();
  await page.getByRole("link", { name: "Archive" }).click();
  const trash = page.getByRole("region", { name: "Recently deleted" });
  const items = trash.getByRole("listitem");
  await expect.poll(() => items.count()).toBe(2);
  expect(await items.first().textContent()).toMatch(/^about pears deleted .*, kept until /);
  await accessible(page, "the archive with the trash");
  await fits(page);

  await trash.getByRole("button", { name: "Restore: about apples" }).click();
  await list(page).getByRole("link", { name: "about apples" }).waitFor();
  await expect.poll(() => items.count()).toBe(1);

  await trash.getByRole("button", { name: "Delete permanently… about pears" }).click();
  await trash.getByText("This can’t be undone.").waitFor();
  await focused(trash.getByRole("button", { name: "Keep: about pears" }));
  await page.keyboard.press("Enter");
  await trash.getByRole("button", { name: "Delete permanently… about pears" }).click();
  await trash.getByRole("button", { name: "Delete permanently: about pears" }).click();
  await trash.getByText("No recently deleted conversations.").waitFor();
  const { sessions } = daemon.client();
  expect((await sessions.list({ deleted: true })).sessions).toEqual([]);
  expect((await sessions.list()).sessions.map(({ title }) => title)).toEqual(["about apples"]);
});

test("what is found goes when it is deleted, and comes back when it is restored", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await conversation(page, "about apples");
  const { sessions } = daemon.client();
  const [session] = (await sessions.list()).sessions;
  await page.getByRole("searchbox").fill("apples");
  await list(page).getByText("Found 1").waitFor();
  await sessions.delete(session?.session_id ?? "");
  await list(page).getByText("Nothing found").waitFor();
  await sessions.restore(session?.session_id ?? "");
  await list(page).getByText("Found 1").waitFor();
});

test("a conversation in which a question waits is stopped before it is deleted, and is back without the question", async () => {
  const { open, context } = await desk();
  await noticesStay(context);
  const page = await open();
  await say(page, "write a.txt");
  await questions(page).waitFor();
  const link = list(page).getByRole("link", { name: "write a.txt" });
  await link.press("Delete");
  await page.getByText("Not deleted: an answer is being written, or a question is waiting for you.").waitFor();
  await questions(page).waitFor();
  await page.getByRole("button", { name: "Stop and delete" }).click();
  await link.waitFor({ state: "detached" });
  await page.getByText("Deleted.", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await answers(page)
    .getByText(/canceled|cancelled/i)
    .first()
    .waitFor();
  expect(await questions(page).count()).toBe(0);
});

const messages = (page: Page) => page.getByRole("region", { name: "Messages" });

/** The highlighted text in the message that is shown, and whether it is visible. */
async function marked(page: Page): Promise<{ text: string; seen: boolean }[]> {
  return messages(page).evaluate((box) => {
    const frame = box.getBoundingClientRect();
    return [...(CSS.highlights.get("found-here") ?? [])].map((one) => {
      const range = one as Range;
      const { top, bottom } = range.getBoundingClientRect();
      return { text: range.toString(), seen: top >= frame.top && bottom <= frame.bottom };
    });
  });
}

test("a search shows the words it found, and opens there", async () => {
  const { open, daemon } = await desk();
  const { session_id } = await daemon.client().sessions.create({ title: "long" });
  await fill(daemon, session_id, 1200);
  const page = await open();
  await page.getByRole("searchbox", { name: "Search conversations" }).fill("POINT 0 of answer 13");
  await list(page).getByText("Found 1").waitFor();
  const hit = list(page).getByRole("link", { name: "long" });
  expect(await hit.locator("mark").textContent()).toBe("point 0 of answer 13");
  expect(await hit.locator(".session-hit").textContent()).toContain("- point 1 of answer 13");
  await accessible(page, "a search");
  await hit.click();
  // The search opens at the newest match; there are more.
  const find = page.getByRole("search");
  await find.getByText("10 of 10").waitFor();
  await expect.poll(() => marked(page)).toEqual([{ text: "point 0 of answer 13", seen: true }]);
  await messages(page).getByText("point 0 of answer 139").waitFor();
  await find.getByRole("button", { name: "Next match" }).click();
  await find.getByText("1 of 10").waitFor();
  await messages(page).getByText("point 1 of answer 13", { exact: true }).waitFor();
  await expect.poll(() => marked(page)).toEqual([{ text: "point 0 of answer 13", seen: true }]);
  await find.getByRole("button", { name: "Close" }).click();
  await find.waitFor({ state: "detached" });
  expect(await page.evaluate(() => CSS.highlights.size)).toBe(0);
  await messages(page).getByText("point 1 of answer 13", { exact: true }).waitFor();
});

test("words are found in a conversation, also where it is not in the page", async () => {
  const { open, daemon } = await desk();
  const { session_id } = await daemon.client().sessions.create({ title: "long" });
  await fill(daemon, session_id, 600);
  await daemon.client().chat({ agent_id: "default", session_id, message: "Straße und STRASSE" });
  const page = await open(`#/s/${session_id}`);
  await answers(page).getByText("You said: “Straße und STRASSE”").waitFor();
  await page.keyboard.press("Control+f");
  const field = page.getByRole("searchbox", { name: "Find in this conversation" });
  await focused(field);
  await page.keyboard.type("strasse");
  const find = page.getByRole("search");
  await find.getByText("2 of 2").waitFor();
  await expect.poll(() => marked(page)).toMatchObject([{ text: "Straße" }, { text: "STRASSE" }]);

  await field.fill("question 2");
  await find.getByText("111 of 111").waitFor();
  await messages(page).getByText("question 299", { exact: true }).waitFor();
  await page.keyboard.press("Enter");
  await find.getByText("110 of 111").waitFor();
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.press("Shift+Enter");
  await find.getByText("1 of 111").waitFor();
  await messages(page).getByText("question 2", { exact: true }).waitFor();
  await expect.poll(() => marked(page)).toEqual([{ text: "question 2", seen: true }]);

  await field.fill("nowhere to be found");
  await find.getByText("No matches.").waitFor();
  await accessible(page, "find");
  await page.setViewportSize({ width: 390, height: 800 });
  await fits(page);
  // Escape closes the search and stops nothing; the reading position stays the same.
  await page.keyboard.press("Escape");
  await find.waitFor({ state: "detached" });
  await messages(page).getByText("question 2", { exact: true }).waitFor();
  // Opened again, through the menu.
  await page.getByRole("button", { name: "Conversation menu" }).click();
  await page.getByRole("menuitem", { name: "Find in conversation" }).click();
  await focused(field);
});

test("what is written meanwhile is found, too", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await conversation(page, "first zinnia");
  await page.keyboard.press("Control+f");
  await page.keyboard.type("zinnia");
  const find = page.getByRole("search");
  await find.getByText("2 of 2").waitFor();
  const [session] = (await daemon.client().sessions.list()).sessions;
  await daemon.client().chat({ agent_id: "default", session_id: session?.session_id ?? "", message: "second zinnia" });
  await find.getByText("2 of 4").waitFor();
});

test("what is found is shown where a long text is cut, and nothing that is folded away", async () => {
  const { open, daemon } = await desk();
  const { session_id } = await daemon.client().sessions.create({ title: "cut" });
  const message = `${"word ".repeat(2000)}ocelot ${"tail ".repeat(200)}`;
  await daemon.client().chat({ agent_id: "default", session_id, message });
  await daemon
    .client()
    .chat({ agent_id: "default", session_id, message: `think of folded ${"\n\nmuch".repeat(60)}\n\nfold` });
  const page = await open(`#/s/${session_id}?find=ocelot&at=`);
  const find = page.getByRole("search");
  await find.getByText("1 of 1").waitFor();
  await expect.poll(() => marked(page)).toEqual([{ text: "ocelot", seen: true }]);
  // The first match is in the thoughts, which are folded; the second is in the answer.
  await page.getByRole("searchbox", { name: "Find in this conversation" }).fill("fold");
  await find.getByText("2 of 2").waitFor();
  await expect.poll(async () => (await marked(page)).some(({ seen }) => seen)).toBe(true);
  const hidden = await page.evaluate(
    () =>
      [...(CSS.highlights.get("found") ?? [])].filter((one) =>
        (one as Range).startContainer.parentElement?.closest("details:not([open]) > :not(summary)"),
      ).length,
  );
  expect(hidden).toBe(0);
});

test("a match that was left is come back to, by key and by the list", async () => {
  const { open, daemon } = await desk();
  const { session_id } = await daemon.client().sessions.create({ title: "long" });
  await fill(daemon, session_id, 300);
  const page = await open();
  await page.getByRole("searchbox", { name: "Search conversations" }).fill("question 77");
  const hit = list(page).getByRole("link", { name: "long" });
  await hit.click();
  const find = page.getByRole("search");
  await find.getByText("1 of 1").waitFor();
  const there = [{ text: "question 77", seen: true }];
  const left = async (): Promise<void> => {
    await expect.poll(() => marked(page)).toEqual(there);
    await messages(page).press("End");
    await messages(page).getByText("question 149", { exact: true }).waitFor();
    await expect.poll(() => marked(page)).toEqual([]);
  };
  await left();
  await page.getByRole("searchbox", { name: "Find in this conversation" }).press("Enter");
  await left();
  await hit.click();
  await expect.poll(() => marked(page)).toEqual(there);
  // After closing, the focus is where it was before.
  await find.getByRole("button", { name: "Close" }).press("Escape");
  await find.waitFor({ state: "detached" });
  await focused(hit);
});

test("a search outlives a daemon that is away", async () => {
  const { open, daemon } = await desk();
  const { session_id } = await daemon.client().sessions.create({ title: "long" });
  await fill(daemon, session_id, 900);
  const page = await open(`#/s/${session_id}?find=question 4`);
  const find = page.getByRole("search");
  await find.getByText("61 of 61").waitFor();
  await daemon.kill();
  await page.getByText("Can’t reach Aster.").waitFor();
  // The next match is far back, and not in the page yet.
  await find.getByRole("button", { name: "Next match" }).click();
  await find.getByText("1 of 61").waitFor();
  await daemon.start();
  await expect.poll(() => marked(page)).toEqual([{ text: "question 4", seen: true }]);
  await daemon.kill();
  await page.getByText("Can’t reach Aster.").waitFor();
  await page.getByRole("searchbox", { name: "Find in this conversation" }).fill("question 3");
  await find.getByText("Aster can’t be reached.").waitFor();
  await daemon.start();
  await find.getByText("of 111").waitFor();
});

test("the end is followed after a search in what fits the window, and Ctrl+F is the browser's where nothing is", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await conversation(page, "first zinnia");
  await page.keyboard.press("Control+f");
  await page.keyboard.type("zinnia");
  await page.getByRole("search").getByText("2 of 2").waitFor();
  await expect.poll(() => marked(page)).toEqual([{ text: "zinnia", seen: true }]);
  await page.keyboard.press("Escape");
  await focused(page.getByRole("textbox", { name: "Message" }));
  const { sessions } = daemon.client();
  const session_id = (await sessions.list()).sessions[0]?.session_id ?? "";
  await daemon.client().chat({ agent_id: "default", session_id, message: "long" });
  await answers(page)
    .getByText(/^1,\d+ tokens$/)
    .waitFor();
  const left = () => messages(page).evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  await expect.poll(left).toBeLessThan(2);
  await page.keyboard.press("Control+f");
  await page.keyboard.type("first zinnia");
  await expect.poll(() => marked(page)).toEqual([{ text: "first zinnia", seen: true }]);
  await page.keyboard.press("Escape");
  await sessions.delete(session_id);
  await page.getByText("This conversation was deleted.").waitFor();
  const taken = await page.evaluate(() => {
    const key = new KeyboardEvent("keydown", { key: "f", ctrlKey: true, bubbles: true, cancelable: true });
    return !document.body.dispatchEvent(key);
  });
  expect(taken).toBe(false);
});

test("a notice goes when it is so no more, and contradicts no other", async () => {
  const { open, daemon, context } = await desk();
  await noticesStay(context);
  const page = await open();
  await conversation(page, "about apples");
  const { sessions } = daemon.client();
  const session_id = (await sessions.list()).sessions[0]?.session_id ?? "";
  const link = list(page).getByRole("link", { name: "about apples" });
  const notices = page.locator(".toast");

  await link.press("Delete");
  await notices.getByText("Deleted.", { exact: true }).waitFor();
  await sessions.delete(session_id, { purge: true });
  await notices.waitFor({ state: "detached" });

  await say(page, "write a.txt");
  await questions(page).waitFor();
  const waiting = list(page).getByRole("link", { name: "write a.txt" });
  await waiting.press("Delete");
  await notices.getByText("Not deleted").waitFor();
  await page.getByRole("button", { name: "Stop and delete" }).click();
  await notices.getByText("Deleted.", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await waiting.waitFor();
  await page.getByRole("button", { name: "Actions for write a.txt" }).click();
  await page.getByRole("menuitem", { name: "Archive" }).click();
  await notices.getByText("Archived.").waitFor();
  const [archived] = (await sessions.list({ archived: true })).sessions;
  await sessions.archive(archived?.session_id ?? "", false);
  await notices.waitFor({ state: "detached" });
});

test("conversations of one title are told apart by their time, and pinned ones come first", async () => {
  const { open, daemon } = await desk();
  const [page, other] = [await open(), await open()];
  for (const title of ["twin", "twin", "alone"]) {
    await daemon.client().sessions.create({ title });
  }
  const rows = list(page).locator(".session-row");
  await expect.poll(() => rows.count()).toBe(3);
  expect(await rows.locator("time").count()).toBe(2);
  expect(await rows.filter({ hasText: "alone" }).locator("time").count()).toBe(0);

  await rows.filter({ hasText: "twin" }).last().hover();
  await rows.filter({ hasText: "twin" }).last().getByRole("button").click();
  await page.getByRole("menuitem", { name: "Pin" }).click();
  for (const window of [page, other]) {
    await list(window).getByRole("heading", { name: "Pinned" }).waitFor();
    await expect
      .poll(() => list(window).locator(".session-title").allTextContents())
      .toEqual(["twin", "alone", "twin"]);
  }
  await daemon.kill();
  await daemon.start();
  await page.reload();
  await list(page).getByRole("heading", { name: "Pinned" }).waitFor();
  await list(page).getByRole("link", { name: "twin" }).first().click();
  await page.keyboard.press("Control+k");
  await page.keyboard.type("unpin");
  await page.keyboard.press("Enter");
  await list(page).getByRole("heading", { name: "Pinned" }).waitFor({ state: "detached" });
  await list(other).getByRole("heading", { name: "Pinned" }).waitFor({ state: "detached" });
});
