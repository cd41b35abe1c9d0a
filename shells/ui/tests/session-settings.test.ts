import { mkdirSync, writeFileSync } from "node:fs";
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

test("a folder is found in the browser, and its project counts once it is trusted", async () => {
  const { open, daemon } = await desk();
  const garden = join(daemon.home, "garden");
  mkdirSync(join(garden, ".aster", "agents"), { recursive: true });
  mkdirSync(join(garden, "beds"));
  writeFileSync(join(garden, ".aster", "agents", "gardener.yaml"), "name: Gardener\ndescription: Plans beds.\n");
  const { session_id } = await daemon.client().sessions.create({ title: "Peas" });
  const page = await open();
  await list(page).getByRole("link", { name: "Peas" }).click();
  await line(page).click();
  await panel(page).getByRole("button", { name: "Browse…" }).click();
  await panel(page).getByRole("button", { name: "Go to the parent folder" }).click();
  await panel(page).getByRole("button", { name: "garden project" }).click();
  await panel(page).getByRole("button", { name: "beds" }).click();
  await panel(page).getByRole("button", { name: "Go to the parent folder" }).click();
  await accessible(page, "choosing a folder");
  await panel(page).getByText(garden, { exact: true }).waitFor();
  await panel(page).getByRole("button", { name: "Use this folder" }).click();
  await expect.poll(() => panel(page).getByLabel("Folder").inputValue()).toBe(garden);
  await panel(page).getByText("They count only if you trust it").waitFor();
  await panel(page).getByText("Show its file").click();
  await panel(page).getByText("description: Plans beds.").waitFor();
  expect(await panel(page).getByLabel("Agent").count()).toBe(0);
  await panel(page).getByRole("button", { name: "Trust it" }).click();
  await panel(page).getByText("You trust this folder’s project").waitFor();
  await accessible(page, "a trusted project");
  writeFileSync(join(garden, ".aster", "agents", "gardener.yaml"), "name: Weeder\ndescription: Pulls weeds.\n");
  await panel(page).getByText("Changed since you trusted it: .aster/agents/gardener.yaml.").waitFor();
  await panel(page).getByLabel("Agent").selectOption("Weeder");
  await expect.poll(() => line(page).textContent()).toMatch(/Weeder|gardener/);
  const { agent_id, settings } = await daemon.client().sessions.get(session_id);
  expect([agent_id, settings?.work_dir.value]).toEqual(["gardener", garden]);
  await panel(page).getByLabel("Agent").selectOption("Assistant");
  await panel(page).getByRole("button", { name: "Stop trusting it" }).click();
  await panel(page).getByText("They count only if you trust it").waitFor();
});
