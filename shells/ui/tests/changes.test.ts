// What turns change in files: shown with diffs, undone, redone, and undone with a rewind.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import type { Daemon } from "../../client/tests/daemon.js";
import { accessible, answers, desk, fits, questions, say } from "./browser.js";

const TEXT = "Written by the demo model of Aster Sidecar.\n";

const pathOf = (daemon: Daemon, name: string): string => join(daemon.home, "work", name);
const panel = (page: Page): Locator => page.getByRole("dialog", { name: "Changes to files" });
const conflict = (page: Page): Locator => page.getByRole("dialog", { name: "Some files can’t be undone as they are" });

/** Lets the demo model do something that needs an approval. */
async function doIt(page: Page, text: string): Promise<void> {
  await say(page, text);
  await questions(page).getByRole("button", { name: "Allow once" }).click();
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "detached" });
}

test("a written file is shown with its lines, undone and written again", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await doIt(page, "write hello.txt");
  await answers(page).getByRole("button", { name: "1 file changed" }).click();
  await panel(page).getByRole("heading", { name: "write hello.txt" }).waitFor();
  await panel(page).getByRole("button", { name: "hello.txt", exact: true }).click();
  await panel(page).locator(".diff-new").getByText(TEXT.trim()).waitFor();
  expect(await panel(page).locator(".diff-new .diff-number").last().textContent()).toBe("1");
  await panel(page).getByText("1 line added, 0 lines removed").waitFor();
  await accessible(page, "changes");
  await panel(page).getByRole("button", { name: "Undo the changes to hello.txt" }).click();
  await panel(page).getByText("1 file was written.").waitFor();
  expect(existsSync(pathOf(daemon, "hello.txt"))).toBe(false);
  await panel(page).getByText("Undone.", { exact: true }).waitFor();
  await panel(page).getByRole("button", { name: "Undo this" }).click();
  await expect.poll(() => existsSync(pathOf(daemon, "hello.txt"))).toBe(true);
  expect(daemon.file("hello.txt")).toBe(TEXT);
  await panel(page).getByText("Undone.", { exact: true }).waitFor({ state: "detached" });
  await panel(page).getByRole("button", { name: "Undo the changes to hello.txt" }).click();
  await panel(page).getByRole("button", { name: "Redo the changes to hello.txt" }).click();
  await expect.poll(() => existsSync(pathOf(daemon, "hello.txt"))).toBe(true);
  await page.keyboard.press("Escape");
  await panel(page).waitFor({ state: "detached" });
  await page.getByRole("banner").or(page.locator(".head")).getByRole("button", { name: "1 file changed" }).click();
  await panel(page).waitFor();
});

test("a file that a person changed since is undone only if they say so", async () => {
  const { open, daemon } = await desk({ device: { viewport: { width: 390, height: 780 } } });
  const page = await open();
  await doIt(page, "write hello.txt");
  writeFileSync(pathOf(daemon, "hello.txt"), "mine\n");
  await answers(page).getByRole("button", { name: "1 file changed" }).click();
  await panel(page).getByText("Changed again since.").waitFor();
  await fits(page);
  const undo = panel(page).getByRole("button", { name: "Undo the changes to hello.txt" });
  await undo.click();
  await conflict(page).getByText("Nothing was written.").waitFor();
  await accessible(page, "a conflict");
  await conflict(page).getByRole("button", { name: "Undo the chosen files" }).click(); // none is chosen
  await conflict(page).waitFor({ state: "detached" });
  expect(readFileSync(pathOf(daemon, "hello.txt"), "utf8")).toBe("mine\n");
  await undo.click();
  await conflict(page).getByRole("checkbox", { name: "Undo hello.txt anyway" }).check();
  await conflict(page).getByRole("button", { name: "Undo the chosen files" }).click();
  await expect.poll(() => existsSync(pathOf(daemon, "hello.txt"))).toBe(false);
  await panel(page).getByRole("button", { name: "Undo this" }).click();
  await expect.poll(() => existsSync(pathOf(daemon, "hello.txt"))).toBe(true);
  expect(readFileSync(pathOf(daemon, "hello.txt"), "utf8")).toBe("mine\n");
});

test("what changed while a command ran is undone only where it is chosen", async () => {
  const { open, daemon } = await desk();
  writeFileSync(pathOf(daemon, "notes.txt"), "one\ntwo\n");
  const page = await open();
  await doIt(page, "run `sed -i s/two/three/ notes.txt; echo new > other.txt`");
  await answers(page).getByRole("button", { name: "2 files changed" }).click();
  expect(await panel(page).getByText("Changed while a command ran, perhaps not by it.").count()).toBe(2);
  const all = panel(page).getByRole("button", { name: "Undo these changes" });
  expect(await all.isDisabled()).toBe(true);
  await panel(page).getByRole("checkbox", { name: "Also undo notes.txt" }).check();
  await all.click();
  await panel(page).getByText("1 file was written.").waitFor();
  expect(daemon.file("notes.txt")).toBe("one\ntwo\n");
  expect(daemon.file("other.txt")).toBe("new\n");
});

test("a rewind asks about files only if there are changes", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await say(page, "hello");
  await answers(page).getByText("You said: “hello”").waitFor();
  await doIt(page, "write hello.txt");
  await answers(page).getByRole("button", { name: "1 file changed" }).waitFor();
  const rewind = async (number: number): Promise<void> => {
    const message = page.getByRole("article", { name: "You", exact: true }).nth(number);
    await message.getByRole("button", { name: "Message menu" }).click();
    await message.getByRole("menuitem", { name: "Rewind to here" }).click();
  };
  await rewind(1);
  const dialog = page.getByRole("dialog", { name: "Rewind to here" });
  await dialog.getByText("What is taken out changed 1 file.").waitFor();
  expect(await dialog.getByRole("radio", { name: "Keep the files as they are" }).isChecked()).toBe(true);
  await accessible(page, "the question about files");
  await dialog.getByRole("button", { name: "Rewind", exact: true }).click();
  await page.locator(".rewind-bar").getByText("2 messages were taken out.").waitFor();
  await dialog.waitFor({ state: "detached" });
  expect(daemon.file("hello.txt")).toBe(TEXT);
  await page.locator(".rewind-bar").getByRole("button", { name: "Undo" }).click();
  await answers(page).getByRole("button", { name: "1 file changed" }).waitFor();

  writeFileSync(pathOf(daemon, "hello.txt"), "mine\n");
  await rewind(1);
  await dialog.getByRole("radio", { name: "Also undo the changes to files" }).check();
  await dialog.getByRole("button", { name: "Rewind", exact: true }).click();
  const all = conflict(page).getByRole("button", { name: "Undo and rewind" });
  expect(await all.isDisabled()).toBe(true);
  await conflict(page).getByRole("checkbox", { name: "Undo hello.txt anyway" }).check();
  await all.click();
  await page.locator(".rewind-bar").getByText("2 messages were taken out. Changes to files were undone.").waitFor();
  expect(existsSync(pathOf(daemon, "hello.txt"))).toBe(false);
  await page.locator(".rewind-bar").getByRole("button", { name: "Undo" }).click();
  await expect.poll(() => existsSync(pathOf(daemon, "hello.txt"))).toBe(true);
  expect(daemon.file("hello.txt")).toBe("mine\n");
  await answers(page).getByRole("button", { name: "1 file changed" }).waitFor();
  await rewind(1);
  await dialog.getByRole("button", { name: "Rewind", exact: true }).click();
  await page.locator(".rewind-bar").getByText("2 messages were taken out.").waitFor();
  await rewind(0);
  await page.locator(".rewind-bar").getByText("2 messages were taken out.").waitFor();
  await expect.poll(() => answers(page).count()).toBe(0);
});
