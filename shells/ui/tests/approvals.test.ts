import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { answers, beforeCall, desk, fits, focused, questions, say } from "./browser.js";

test("a question is shown with what will run, and answered with a key", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  const question = questions(page);
  await question.getByText(/^write .*hello.txt \(44 bytes, a new file\)/).waitFor();
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
  await there.getByText("No questions.").waitFor();
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

test("what edited arguments would do is shown before they are allowed", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  const question = questions(page);
  await question.focus();
  await page.keyboard.press("e");
  const editor = page.getByLabel("Run it with these arguments instead (JSON)");
  await editor.fill('{"path": "../outside.txt", "content": "by hand"}');
  await question
    .getByText(/outside the work folder/i)
    .first()
    .waitFor();
  await question.getByText(/^write .*\/outside\.txt/).waitFor();
  await question.getByText("high risk", { exact: true }).waitFor();
  await question.getByRole("button", { name: "Allow edited" }).click();
  await answers(page).getByText("is done").waitFor();
  expect(daemon.file("../outside.txt")).toBe("by hand");
});

test("a risk that was not seen is shown first", async () => {
  const { open, daemon, context } = await desk();
  await beforeCall(context, "/api/permissions/check", () => Promise.resolve(false));
  const page = await open();
  await say(page, "write hello.txt");
  const question = questions(page);
  await question.focus();
  await page.keyboard.press("e");
  await page
    .getByLabel("Run it with these arguments instead (JSON)")
    .fill('{"path": "../outside.txt", "content": "by hand"}');
  await question.getByRole("button", { name: "Allow edited" }).click();
  await question.getByRole("alert").getByText("Check what would run now").waitFor();
  await question.getByText(/^write .*\/outside\.txt/).waitFor();
  await question.getByRole("button", { name: "Allow edited" }).click();
  await answers(page).getByText("is done").waitFor();
  expect(daemon.file("../outside.txt")).toBe("by hand");
});

test("a question is shown whole, and its arguments in their order", async () => {
  const { open } = await desk();
  const page = await open();
  const lines = Array.from({ length: 3000 }, (_, number) => `line ${number}`).join("\\n");
  await say(page, `call write_file {"path": "long.txt", "content": "${lines}"}`);
  await questions(page).getByText("line 2999").first().waitFor();
  await questions(page).getByRole("button", { name: "Deny", exact: false }).first().click();
  await say(page, 'call run_command {"command": "cp \u05d0\u05d1\u05d2 \u05d3\u05d4\u05d5"}');
  const words = questions(page).locator(".display bdi");
  await words.nth(1).waitFor();
  const [from, to] = await Promise.all([words.nth(0).boundingBox(), words.nth(1).boundingBox()]);
  expect(from?.x).toBeLessThan(to?.x ?? 0);
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
    .getByText(/“Always allow” would cover: write_file anywhere in/)
    .waitFor();
  await questions(page).focus();
  await page.keyboard.press("l");
  // A single key never decides permanently.
  const sure = page.getByRole("group", { name: "Always allow" });
  await sure.getByText(/write_file anywhere in/).waitFor();
  expect(existsSync(join(daemon.home, "work", "one.txt"))).toBe(false);
  await page.keyboard.press("Escape");
  await expect.poll(() => sure.count()).toBe(0);
  await page.keyboard.press("l");
  await focused(sure.getByRole("button", { name: "Always allow" }));
  await page.keyboard.press("Enter");
  await answers(page).getByText("is done").waitFor();
  await say(page, "write two.txt");
  await answers(page).nth(1).getByText("is done").waitFor();
  expect(daemon.file("two.txt")).toContain("demo model");
});

test("Escape in a question throws nothing away, and what was begun outlives the page", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  await questions(page).focus();
  await page.keyboard.press("n");
  const note = page.getByLabel(/Note to the agent/);
  await focused(note);
  await note.fill("rather in notes/");
  for (let times = 0; times < 3; times += 1) await page.keyboard.press("Escape");
  await page.keyboard.press("n"); // the note is still there, and the key focuses it
  await focused(note);
  expect(await note.inputValue()).toBe("rather in notes/");
  await page.reload();
  await expect.poll(() => page.getByLabel(/Note to the agent/).inputValue()).toBe("rather in notes/");
  await page.getByRole("link", { name: /^Inbox/ }).click();
  await expect.poll(() => page.getByLabel(/Note to the agent/).inputValue()).toBe("rather in notes/");
  await questions(page).getByRole("button", { name: "Deny", exact: false }).first().click();
  await expect.poll(() => questions(page).count()).toBe(0);
});

test("letters are offered where they answer, and nowhere else", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  const letters = questions(page).locator("kbd");
  await letters.first().waitFor({ state: "attached" });
  const seen = () => letters.first().evaluate((key) => getComputedStyle(key).visibility);
  await page.getByRole("textbox", { name: "Message", exact: true }).focus();
  expect(await seen()).toBe("hidden");
  await questions(page).focus();
  expect(await seen()).toBe("visible");
  await page.keyboard.press("n");
  await focused(page.getByLabel(/Note to the agent/));
  expect(await seen()).toBe("hidden");
});

test("a question about a long path or command stays in its card, on a phone, too", async () => {
  const { open, daemon } = await desk({ device: { viewport: { width: 390, height: 800 } } });
  const client = daemon.client();
  const asked = [
    ["write_file", { path: `${"folder/".repeat(40)}x.txt`, content: "hello" }],
    ["run_command", { command: `touch ${"x".repeat(400)}` }],
  ] as const;
  for (const [tool, given] of asked) {
    const title = `${tool} ${"nospaces".repeat(15)}`;
    const { session_id } = await client.sessions.create({ title });
    await client.chat({ agent_id: "default", session_id, message: `call ${tool} ${JSON.stringify(given)}` });
  }
  const page = await open("#/inbox");
  await expect.poll(() => questions(page).count()).toBe(2);
  await fits(page);
  const inside = (): Promise<boolean> =>
    questions(page).evaluateAll((cards) =>
      cards.every((card) => {
        const { left, right } = card.getBoundingClientRect();
        const inner = [...card.querySelectorAll("h2, .badge, button, pre")].map((one) => one.getBoundingClientRect());
        return inner.every((one) => one.left >= left && one.right <= right);
      }),
    );
  expect(await inside()).toBe(true);
  await page.getByRole("link", { name: "run_command" }).click();
  await questions(page).waitFor();
  await expect.poll(() => questions(page).count()).toBe(1);
  await fits(page);
  expect(await inside()).toBe(true);
});
