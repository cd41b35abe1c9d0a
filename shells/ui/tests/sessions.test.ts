import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, answers, desk, fits, focused, noticesStay, questions, say } from "./browser.js";

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
  await expect.poll(() => list.getByRole("link").allTextContents()).toEqual(["Fruit"]);
  await search.fill("");

  await page.getByRole("button", { name: "Menu of Fruit" }).click();
  await page.getByRole("menuitem", { name: "Archive" }).click();
  await list.getByRole("link", { name: "Fruit" }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Archive" }).click();
  await page.getByRole("main").getByRole("link", { name: "Fruit" }).waitFor();
  await page.getByRole("main").getByRole("button", { name: "Menu of Fruit" }).click();
  await page.getByRole("menuitem", { name: "Bring back" }).click();
  await list.getByRole("link", { name: "Fruit" }).waitFor();
});

const list = (page: Page) => page.getByRole("navigation", { name: "Conversations" });

/** Says something, and waits for the answer's end: while it is being answered a conversation is not deleted. */
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

  // From the other window, in the place of the conversation.
  await link.press("Delete");
  await page.getByText("Deleted.", { exact: true }).waitFor();
  await other.getByText("It can be restored until").waitFor();
  await other.getByRole("button", { name: "Restore" }).click();
  await answers(other).getByText("You said").waitFor();
  await link.waitFor();
  await conversation(other, "it goes on", 2);

  // When the notice is gone the conversation still is in the trash.
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
  expect(await items.first().textContent()).toMatch(/^about pears deleted .*, deleted for good on /);
  await accessible(page, "the archive with the trash");
  await fits(page);

  await trash.getByRole("button", { name: "Restore: about apples" }).click();
  await list(page).getByRole("link", { name: "about apples" }).waitFor();
  await expect.poll(() => items.count()).toBe(1);

  await trash.getByRole("button", { name: "Delete for good: about pears" }).click();
  await trash.getByText("This can’t be undone.").waitFor();
  await focused(trash.getByRole("button", { name: "Keep: about pears" }));
  await page.keyboard.press("Enter");
  await trash.getByRole("button", { name: "Delete for good: about pears" }).click();
  await trash.getByRole("button", { name: "Delete now: about pears" }).click();
  await trash.getByText("Nothing was deleted.").waitFor();
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
  await page.getByText("Not deleted: it is being answered, or a question in it waits for you.").waitFor();
  await questions(page).waitFor();
  await page.getByRole("button", { name: "Stop it and delete" }).click();
  await link.waitFor({ state: "detached" });
  await page.getByText("Deleted.", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await answers(page)
    .getByText(/canceled|cancelled/i)
    .first()
    .waitFor();
  expect(await questions(page).count()).toBe(0);
});
