import { expect, test } from "vitest";
import { answers, desk, questions, say } from "./browser.js";

test("a first message opens a conversation, and its answer streams in", async () => {
  const { open } = await desk({ model: "demo" });
  const page = await open();
  await say(page, "hello there");
  await answers(page).getByText("Writing").waitFor();
  await answers(page).getByText("You said: “hello there”").waitFor();
  await answers(page).getByText("calls any tool that this agent has").waitFor();
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("hello there");
  expect(await answers(page).locator("strong").first().textContent()).toBe("demo model");
  expect(page.url()).toContain("#/s/ses_");
});

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
