// Resources and prompts of MCP servers, taken into a message while it is written.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, onTestFinished, test } from "vitest";
import { python, repository } from "../../client/scripts/python.mjs";
import { matching, typedAt, type Offer } from "../src/offers.js";
import { accessible, answers, desk, fits, focused, say } from "./browser.js";

const LIVING = join(repository, "tests", "support", "mcp_living.py");

/** The page of a daemon with the MCP server `notes`, which is ready, and a conversation with one answer. */
async function room(): Promise<Page> {
  const home = mkdtempSync(join(tmpdir(), "aster-notes-"));
  onTestFinished(() => {
    rmSync(home, { recursive: true, force: true });
  });
  const table = `[mcp.notes]\ncommand = ${JSON.stringify(python)}\nargs = ${JSON.stringify([LIVING, home])}\n`;
  const { open } = await desk({ files: { "config.toml": table } });
  const page = await open();
  await say(page, "hello");
  await answers(page).first().waitFor();
  await page.getByText("attaches a resource").waitFor();
  return page;
}

const box = (page: Page) => page.getByRole("textbox", { name: "Message" });
const resources = (page: Page) => page.getByRole("listbox", { name: "Resources" });
const prompts = (page: Page) => page.getByRole("listbox", { name: "Prompts" });
const chips = (page: Page) => page.getByRole("list", { name: "Attached files" }).getByRole("listitem");

test("a resource is mentioned with @, chosen with the keys, and goes with the message", async () => {
  const page = await room();
  await box(page).pressSequentially("look at @");
  await resources(page).waitFor();
  expect(await resources(page).getByRole("option").count()).toBe(3);
  await accessible(page, "the list of resources");
  await page.setViewportSize({ width: 360, height: 740 });
  await fits(page);
  await page.setViewportSize({ width: 1280, height: 800 });
  await box(page).press("ArrowDown");
  const chosen = resources(page).getByRole("option", { selected: true });
  expect(await chosen.textContent()).toContain("both of them");
  expect(await box(page).getAttribute("aria-activedescendant")).toBe(await chosen.getAttribute("id"));

  await box(page).pressSequentially("one");
  await expect.poll(() => resources(page).getByRole("option").count()).toBe(1);
  await box(page).press("Enter");
  await chips(page).getByText("one", { exact: true }).waitFor();
  await resources(page).waitFor({ state: "detached" });
  expect(await box(page).inputValue()).toBe("look at ");
  await focused(box(page));
  await box(page).pressSequentially("please");
  await box(page).press("Enter");
  const sent = page.getByRole("article", { name: "You" }).last();
  await sent.getByText("look at please").waitFor();
  await sent.getByText("one", { exact: true }).waitFor();
});

test("a resource of two files, one without content, and one that is chosen with the mouse", async () => {
  const page = await room();
  await box(page).pressSequentially("@both");
  await resources(page).getByRole("option").click();
  await chips(page).getByText("a.txt").waitFor();
  await chips(page).getByText("b.bin").waitFor();
  await focused(box(page));
  await box(page).pressSequentially("@empty");
  await resources(page).waitFor();
  await box(page).press("Tab");
  await chips(page).getByRole("alert").getByText("the MCP server notes: the resource is empty").waitFor();
  expect(await chips(page).count()).toBe(3);
  await chips(page).last().getByRole("button", { name: "Remove empty" }).click();
  expect(await chips(page).count()).toBe(2);
});

test("a prompt is inserted with / and can be edited; one with arguments asks for them", async () => {
  const page = await room();
  await box(page).pressSequentially("/sum");
  await prompts(page).getByText("Three lines about the day").waitFor();
  await box(page).press("Enter");
  await expect.poll(() => box(page).inputValue()).toBe("Sum up my day.");
  await focused(box(page));
  await box(page).fill("");

  await box(page).pressSequentially("/greet");
  await prompts(page).getByRole("option").waitFor();
  await box(page).press("Enter");
  const dialog = page.getByRole("dialog", { name: "Use “greet”" });
  await focused(dialog.getByLabel("who"));
  await accessible(page, "the arguments of a prompt");
  await dialog.getByLabel("who").press("Enter");
  expect(await dialog.isVisible(), "a required argument is missing").toBe(true);
  await dialog.getByLabel("who").fill("Ada");
  await dialog.getByLabel("who").press("Enter");
  await dialog.waitFor({ state: "detached" });
  expect(await box(page).inputValue()).toBe("Greet Ada.\n\n[greeting.md: notes://greeting.md]");
  await chips(page).getByText("greeting.md").waitFor();
  await focused(box(page));
  expect(await page.getByRole("article", { name: "You" }).count(), "nothing is sent").toBe(1);
});

test("Escape closes the list and not more; text that is no name of a resource or prompt is sent", async () => {
  const page = await room();
  await box(page).pressSequentially("/gr");
  await prompts(page).waitFor();
  await box(page).press("Escape");
  await prompts(page).waitFor({ state: "detached" });
  await box(page).pressSequentially("e");
  expect(await prompts(page).count()).toBe(0);
  await box(page).fill("");
  await box(page).pressSequentially("/etc/hosts");
  await box(page).press("Enter");
  await page.getByRole("article", { name: "You" }).last().getByText("/etc/hosts").waitFor();
  await box(page).pressSequentially("mail ada@one");
  expect(await resources(page).count()).toBe(0);
});

test.each([
  ["@", 1, { kind: "resource", start: 0, end: 1, query: "" }],
  ["see @no now", 7, { kind: "resource", start: 4, end: 7, query: "no" }],
  ["see @notes now", 6, { kind: "resource", start: 4, end: 10, query: "n" }],
  ["a@b", 3, null],
  ["@ b", 3, null],
  ["/su", 3, { kind: "prompt", start: 0, end: 3, query: "su" }],
  ["/su more", 8, null],
  [" /su", 4, null],
  ["line\n@x", 7, { kind: "resource", start: 5, end: 7, query: "x" }],
])("what is typed in %j at %i", (text, caret, typed) => {
  expect(typedAt(text, caret)).toEqual(typed);
});

test("those whose name begins with the query are first; the server counts too", () => {
  const prompt = (server: string, name: string, description = ""): Offer => ({
    kind: "prompt",
    server,
    prompt: { name, description, arguments: [] },
  });
  const all = [prompt("a", "other", "makes a plan"), prompt("b", "plan"), prompt("a", "Plänne"), prompt("c", "x")];
  const names = (query: string): string[] => matching(all, query).map(({ server }) => server);
  expect(names("plan")).toEqual(["b", "a"]);
  expect(names("b:pl")).toEqual(["b"]);
  expect(names("")).toHaveLength(4);
  expect(names("nothing")).toEqual([]);
});
