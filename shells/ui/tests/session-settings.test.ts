import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, answers, desk, questions, say } from "./browser.js";

const line = (page: Page) => page.locator(".head .head-settings");
const panel = (page: Page) => page.getByRole("dialog", { name: "This conversation" });
const list = (page: Page) => page.getByRole("navigation", { name: "Conversations" });

test("a new conversation begins in its own folder, and every window shows what it works with", async () => {
  const { open, daemon } = await desk();
  const garden = join(daemon.home, "garden");
  mkdirSync(garden);
  const [page, other] = [await open(), await open()];
  await page.getByRole("button", { name: "Change…" }).click();
  await accessible(page, "the panel");
  await panel(page).getByLabel("Folder").fill(garden);
  await panel(page).getByLabel("How much it thinks").selectOption("High");
  await page.keyboard.press("Escape");
  await panel(page).waitFor({ state: "detached" });
  await page.reload();
  await page.getByRole("button", { name: "garden" }).waitFor();
  await say(page, "list");
  await answers(page).getByText(`"path":"${garden}"`).waitFor();
  for (const one of [page, other]) {
    await list(one).getByRole("link", { name: "list" }).click();
    await expect.poll(() => line(one).textContent()).toMatch(/garden.*thinks: high/);
    await list(one).getByText("garden").waitFor();
  }

  await line(other).click();
  await panel(other).getByLabel("When to ask").selectOption("Always ask");
  await expect.poll(() => line(page).textContent()).toContain("Always ask");
  await panel(other).getByLabel("Model").fill("demo:instant");
  await panel(other).getByLabel("Model").press("Enter");
  await panel(other).getByLabel("Folder").fill("nowhere");
  await panel(other).getByLabel("Folder").press("Enter");
  await panel(other).getByText("not an absolute path").waitFor();
  await panel(other).getByLabel("Folder").fill("");
  await panel(other).getByLabel("How much it thinks").selectOption("As in the settings");
  await panel(other).getByLabel("When to ask").selectOption("As in the settings");
  await panel(other).getByRole("button", { name: "Close" }).click();
  await expect.poll(() => line(page).textContent()).not.toContain("garden");
  expect(await line(page).textContent()).not.toContain("thinks");
});

test("conversations are listed by folder", async () => {
  const { open, daemon } = await desk();
  const garden = join(daemon.home, "garden");
  mkdirSync(garden);
  const client = daemon.client();
  await client.sessions.create({ title: "Peas", work_dir: garden });
  await client.sessions.create({ title: "Letters" });
  await client.sessions.create({ title: "Beans", work_dir: garden });
  const page = await open();
  await list(page).getByRole("link", { name: "Beans" }).waitFor();
  const titles = () => list(page).locator(".session-title").allTextContents();
  const folder = page.getByLabel("Show conversations in");
  await folder.selectOption("By folder");
  await expect.poll(titles).toEqual(["Letters", "Beans", "Peas"]);
  await expect.poll(() => list(page).locator("h2").allTextContents()).toHaveLength(2);
  await folder.selectOption("garden");
  await expect.poll(titles).toEqual(["Beans", "Peas"]);
  await folder.selectOption("All folders");
  await expect.poll(titles).toEqual(["Beans", "Letters", "Peas"]);
  await accessible(page, "conversations by folder");
});

test("agent and folder wait for the end of the answer", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  await questions(page).waitFor();
  await line(page).click();
  expect(await panel(page).getByLabel("Folder").isDisabled()).toBe(true);
  await panel(page).getByText("once the answer is finished").waitFor();
  expect(await panel(page).getByLabel("Model").isDisabled()).toBe(false);
});
