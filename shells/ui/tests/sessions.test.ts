import { expect, test } from "vitest";
import { answers, desk, noticesStay, say } from "./browser.js";

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

test("a deleted conversation can be had back, and is gone otherwise", async () => {
  const { open, daemon, context } = await desk();
  const letPass = await noticesStay(context);
  const page = await open();
  await say(page, "to be kept");
  await answers(page)
    .getByText(/tokens$/)
    .waitFor(); // while it is being answered it is not deleted
  const list = page.getByRole("navigation", { name: "Conversations" });
  const link = list.getByRole("link", { name: "to be kept" });
  await link.press("Delete");
  await link.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await link.waitFor();
  await page.getByText("Deleted.").waitFor({ state: "detached" });
  await link.press("Delete");
  await link.waitFor({ state: "detached" });
  await page.getByText("Deleted.").waitFor();
  await letPass(page);
  await page.getByText("Deleted.").waitFor({ state: "detached" });
  await expect.poll(async () => (await daemon.client().sessions.list()).sessions.length).toBe(0);
});
