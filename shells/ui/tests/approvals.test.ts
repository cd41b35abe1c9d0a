import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, answers, beforeCall, desk, fits, focused, fromDaemon, questions, say } from "./browser.js";

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

const confirmation = (page: Page, name = "Always allow") => page.getByRole("group", { name });

test("“always” says what it covers, the narrowest first, stores a rule, and is not asked again", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await say(page, "write one.txt");
  await questions(page).getByText("“Always allow” lets you choose what it covers.").waitFor();
  await questions(page).focus();
  await page.keyboard.press("l");
  // A single key never decides permanently.
  const sure = confirmation(page);
  const scopes = sure.getByRole("radiogroup", { name: "What the rule covers" }).getByRole("radio");
  await focused(sure.getByRole("radio", { name: /^write_file on .*one\.txt only$/, checked: true }));
  expect(await scopes.count()).toBe(2);
  expect(existsSync(join(daemon.home, "work", "one.txt"))).toBe(false);
  await accessible(page, "the confirmation");
  await page.keyboard.press("Escape");
  await expect.poll(() => sure.count()).toBe(0);
  await focused(questions(page));
  await page.keyboard.press("l");
  await focused(scopes.first());
  await page.keyboard.press("ArrowDown");
  await focused(sure.getByRole("radio", { name: /^write_file anywhere in/, checked: true }));
  await page.keyboard.press("Tab");
  await focused(sure.getByLabel("For how long"));
  await page.keyboard.press("Tab");
  await focused(sure.getByRole("button", { name: "Always allow" }));
  await page.keyboard.press("Enter");
  await answers(page).getByText("is done").waitFor();
  await say(page, "write two.txt");
  await answers(page).nth(1).getByText("is done").waitFor();
  expect(daemon.file("two.txt")).toContain("demo model");
  expect(await daemon.client().rules.list()).toMatchObject([{ kind: "beneath", session_id: null, expires_at: null }]);
});

test("without a choice, “always” takes two keys", async () => {
  const { open, daemon } = await desk();
  writeFileSync(join(daemon.home, "work", "old.txt"), "here");
  const page = await open();
  await say(page, 'call move_file {"source": "old.txt", "destination": "new.txt"}');
  await questions(page)
    .getByText(/“Always allow” would cover: move_file anywhere in/)
    .waitFor();
  await questions(page).focus();
  await page.keyboard.press("l");
  await confirmation(page)
    .getByText(/^move_file anywhere in/)
    .waitFor();
  expect(await confirmation(page).getByRole("radio").count()).toBe(0);
  await focused(confirmation(page).getByRole("button", { name: "Always allow" }));
  await page.keyboard.press("Enter");
  await answers(page).getByText("is done").waitFor();
  expect(daemon.file("new.txt")).toBe("here");
  expect(await daemon.client().rules.list()).toMatchObject([{ kind: "beneath", session_id: null, expires_at: null }]);
});

test("a rule can be for one conversation, or end after a chosen day", async () => {
  const { open, daemon } = await desk({ device: { timezoneId: "America/New_York" } });
  const page = await open();
  const confirm = async (key: "l" | "x", lasting: string, also?: () => Promise<void>): Promise<void> => {
    await questions(page).focus();
    await page.keyboard.press(key);
    const sure = confirmation(page, key === "l" ? "Always allow" : "Always deny");
    await sure.getByLabel("For how long").selectOption({ label: lasting });
    await also?.();
    await sure.getByRole("button", { name: /^Always/ }).click();
    await expect.poll(() => questions(page).count()).toBe(0);
  };
  await say(page, "write one.txt");
  await confirm("l", "In this conversation only");
  await say(page, "write two.txt");
  await confirm("x", "For 30 days");
  await say(page, "write three.txt");
  const [year, day] = [new Date().getFullYear() + (new Date().getMonth() > 5 ? 1 : 0), "01-31"];
  await confirm("l", "Until a date", async () => {
    const date = confirmation(page).getByLabel("The last day of the rule");
    const problem = confirmation(page).getByRole("alert");
    for (const wrong of ["", "2020-01-01", `${year + 2}-01-01`]) {
      await date.fill(wrong);
      await date.press("Enter");
      await problem.getByText("Choose a date from today on").waitFor();
      await focused(date);
    }
    expect(await date.getAttribute("aria-invalid")).toBe("true");
    await accessible(page, "a date that is over");
    await date.fill(`${year}-${day}`);
    await expect.poll(() => problem.count()).toBe(0);
  });
  const rules = await daemon.client().rules.list();
  expect(rules).toMatchObject([
    { decision: "allow", kind: "exact", session_id: expect.stringMatching(/./) as string, expires_at: null },
    { decision: "deny", kind: "exact", session_id: null },
    { decision: "allow", kind: "exact", session_id: null },
  ]);
  const ends = rules.map(({ expires_at }) => new Date(expires_at ?? 0).getTime());
  expect(Math.abs((ends[1] ?? 0) - Date.now() - 30 * 86_400_000)).toBeLessThan(600_000);
  expect(Math.abs((ends[2] ?? 0) - Date.parse(`${year}-02-01T00:00:00-05:00`))).toBeLessThan(600_000);
});

test("letters that choose in a field do not answer", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "write hello.txt");
  await questions(page).focus();
  await page.keyboard.press("x");
  const sure = confirmation(page, "Always deny");
  for (const field of [sure.getByRole("radio").first(), sure.getByLabel("For how long")]) {
    await field.focus();
    await page.keyboard.press("a");
    await page.keyboard.press("d");
  }
  await sure.getByLabel("For how long").selectOption("date");
  await sure.getByLabel("The last day of the rule").focus();
  await page.keyboard.press("a");
  expect(await questions(page).locator("kbd").first().isVisible()).toBe(false);
  expect(await questions(page).count()).toBe(1);
  expect(await sure.count()).toBe(1);
});

test("“always” can need a choice, and a denial without one is of exactly this call", async () => {
  const { open, context, daemon } = await desk();
  await fromDaemon(context, (text) => text.replace(/"remember":"[^"]*"/g, '"remember":null'));
  const page = await open();
  await say(page, "write hello.txt");
  await questions(page).focus();
  await page.keyboard.press("l");
  await confirmation(page)
    .getByRole("radio", { name: /hello\.txt only$/ })
    .press("Enter");
  await answers(page).getByText("is done").waitFor();
  expect(await daemon.client().rules.list()).toMatchObject([{ decision: "allow", kind: "exact" }]);
  await say(page, 'call run_command {"command": "touch $(date)"}');
  await questions(page)
    .getByText(/can.t be always allowed/)
    .first()
    .waitFor();
  await questions(page).focus();
  await page.keyboard.press("l");
  expect(await confirmation(page).count()).toBe(0);
});

test("a rule covers only arguments for which that was shown", async () => {
  const { open, context, daemon } = await desk();
  let lost = true;
  await beforeCall(context, "/api/permissions/check", () => Promise.resolve(!lost));
  const page = await open();
  await say(page, "write hello.txt");
  await questions(page).focus();
  await page.keyboard.press("e");
  await page
    .getByLabel("Run it with these arguments instead (JSON)")
    .fill('{"path": "other.txt", "content": "by hand"}');
  await questions(page)
    .getByRole("button", { name: /^Always allow…/ })
    .click();
  const sure = confirmation(page);
  await sure.getByRole("radio", { name: /hello\.txt only$/ }).waitFor();
  await sure.getByRole("button", { name: "Always allow" }).click();
  await questions(page).getByRole("alert").getByText("lost").waitFor();
  lost = false;
  await sure.getByRole("button", { name: "Always allow" }).click();
  await questions(page)
    .getByRole("alert")
    .getByText(/was not shown for these arguments/)
    .waitFor();
  await sure.getByRole("radio", { name: /other\.txt only$/, checked: true }).waitFor();
  await sure.getByRole("button", { name: "Always allow" }).click();
  await answers(page).getByText("is done").waitFor();
  const [rule] = await daemon.client().rules.list();
  expect(rule?.value).toMatch(/other\.txt$/);
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
