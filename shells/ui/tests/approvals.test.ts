import { expect, test } from "vitest";
import { answers, desk, questions, say } from "./browser.js";

test("a question is shown with what will run, and answered with a key", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  const question = questions(page);
  await question.getByText(/^write .*hello.txt \(44 bytes\)/).waitFor();
  await question.focus();
  await page.keyboard.press("a");
  await answers(page).getByText("is done").waitFor();
  await question.waitFor({ state: "detached" });
  expect(daemon.file("hello.txt")).toContain("demo model");
});

test("keys answer only while the card has the focus", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  await questions(page).waitFor();
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  await box.pressSequentially("add");
  expect(await box.inputValue()).toBe("add");
  expect(await questions(page).count()).toBe(1);
});

test("two windows: one answers, the other says by whom and closes", async () => {
  const { open } = await desk();
  const here = await open();
  await say(here, "write hello.txt");
  await questions(here).waitFor();
  const there = await open("#/inbox");
  await questions(there).getByRole("button", { name: "Deny", exact: false }).first().click();
  await here.getByText("denied by a browser window").waitFor();
  await expect.poll(() => questions(here).count()).toBe(0);
  await there.getByText("Nothing waits for you.").waitFor();
  await there.getByText("denied by you").waitFor();
});

test("arguments are edited; what the daemon refuses is said and can be mended", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  const question = questions(page);
  await question.focus();
  await page.keyboard.press("e");
  const editor = page.getByLabel("Run it with these arguments instead (JSON)");
  await editor.fill("{ not json");
  await question.getByRole("button", { name: "Allow edited" }).click();
  await question.getByText("not valid JSON").waitFor();
  await editor.fill('{"path": 7}');
  await question.getByRole("button", { name: "Allow edited" }).click();
  await question.getByRole("alert").getByText(/path/).waitFor();
  await editor.fill('{"path": "other.txt", "content": "by hand"}');
  await question.getByRole("button", { name: "Allow edited" }).click();
  await answers(page).getByText("is done").waitFor();
  expect(daemon.file("other.txt")).toBe("by hand");
});

test("a note goes to the agent with a denial", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  await questions(page).focus();
  await page.keyboard.press("n");
  await page.getByLabel(/Note to the agent/).fill("not in this directory");
  await questions(page).getByRole("button", { name: "Deny", exact: false }).first().click();
  await answers(page).getByText("not in this directory").first().waitFor();
});

test("“always” says what it covers, stores a rule, and is not asked again", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await say(page, "write one.txt");
  await questions(page)
    .getByText(/“Always” covers: write_file anywhere in/)
    .waitFor();
  await questions(page).focus();
  await page.keyboard.press("l");
  await answers(page).getByText("is done").waitFor();
  await say(page, "write two.txt");
  await answers(page).nth(1).getByText("is done").waitFor();
  expect(daemon.file("two.txt")).toContain("demo model");
});
