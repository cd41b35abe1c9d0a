// Edit, regenerate, rewind and fork, with the real daemon and the demo model.
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { provider, Spoken } from "../../client/tests/provider.js";
import { accessible, answers, beforeCall, desk, fits, focused, say } from "./browser.js";

const mine = (page: Page): Locator => page.getByRole("article", { name: "You", exact: true });
const field = (page: Page): Locator => page.getByRole("textbox", { name: "Message", exact: true });
const bar = (page: Page): Locator => page.locator(".rewind-bar");
const title = (page: Page): Locator => page.getByRole("heading", { level: 1 });

/** Sends messages one after another, and waits for each answer of the demo model. */
async function talk(page: Page, ...messages: string[]): Promise<void> {
  for (const text of messages) {
    await say(page, text);
    await answers(page).getByText(`You said: “${text}”`).waitFor();
    await ended(page);
  }
}

/** Waits until no turn runs. */
async function ended(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Stop", exact: true }).waitFor({ state: "detached" });
}

const said = async (page: Page): Promise<string[]> =>
  (await page.locator(".said-text").allTextContents()).map((text) => text.trim());

/** Waits until the person's messages are these, and as many answers follow them. */
async function shows(page: Page, ...messages: string[]): Promise<void> {
  await expect.poll(() => said(page)).toEqual(messages);
  await expect.poll(() => answers(page).count()).toBe(messages.length);
}

async function choose(message: Locator, item: string): Promise<void> {
  await message.hover();
  await message.getByRole("button", { name: "Message menu" }).click();
  await message.getByRole("menuitem", { name: item }).click();
}

test("an edited first message replaces the conversation, and the title follows", async () => {
  const { open } = await desk();
  const page = await open();
  await talk(page, "first words", "second words");
  expect(await title(page).textContent()).toBe("first words");
  await field(page).fill("a draft");
  await mine(page).first().getByRole("button", { name: "Edit" }).click();
  await focused(field(page));
  expect(await field(page).inputValue()).toBe("first words");
  await page.getByText("it replaces this message and everything after it. Your draft comes back").waitFor();
  await field(page).fill("better words");
  await field(page).press("Enter");
  await answers(page).getByText("You said: “better words”").waitFor();
  await shows(page, "better words");
  await expect.poll(() => title(page).textContent()).toBe("better words");
  expect(await field(page).inputValue()).toBe("a draft");
  expect(await bar(page).count()).toBe(0);
});

test("an edit in the middle keeps what was said before", async () => {
  const { open } = await desk();
  const page = await open();
  await talk(page, "one", "two", "three");
  await mine(page).nth(1).getByRole("button", { name: "Edit" }).click();
  await field(page).fill("two, but better");
  await field(page).press("Enter");
  await answers(page).getByText("You said: “two, but better”").waitFor();
  await shows(page, "one", "two, but better");
  await page.reload();
  await shows(page, "one", "two, but better");
  expect(await title(page).textContent()).toBe("one");
});

test("a canceled edit changes nothing", async () => {
  const { open } = await desk();
  const page = await open();
  await talk(page, "one", "two");
  await field(page).fill("a draft");
  await mine(page).first().getByRole("button", { name: "Edit" }).click();
  await page.reload(); // the edit goes on
  await page.getByText("it replaces this message").waitFor();
  expect(await field(page).inputValue()).toBe("one");
  await page.getByRole("button", { name: "Cancel" }).click();
  expect(await field(page).inputValue()).toBe("a draft");
  await shows(page, "one", "two");
});

test("an answer is regenerated from the same message", async () => {
  let asked = 0;
  const { open } = await desk(await provider((text) => [`Answer ${(asked += 1)} to “${text}”`]));
  const page = await open();
  await say(page, "tell me");
  await answers(page).getByText("Answer 1 to “tell me”").waitFor();
  await ended(page);
  await say(page, "more");
  await answers(page).getByText("Answer 2 to “more”").waitFor();
  await ended(page);
  await answers(page).last().getByRole("button", { name: "Regenerate" }).click();
  await answers(page).getByText("Answer 3 to “more”").waitFor();
  await shows(page, "tell me", "more");
  await ended(page);
  await answers(page).first().getByRole("button", { name: "Regenerate" }).click();
  await answers(page).getByText("Answer 4 to “tell me”").waitFor();
  await shows(page, "tell me");
});

test("a fork continues on its own, and links to where it comes from", async () => {
  const { open } = await desk();
  const page = await open();
  await talk(page, "one", "two");
  const origin = page.url();
  await choose(answers(page).first(), "Fork from here");
  await page.getByText("Forked from one").waitFor();
  await shows(page, "one");
  await talk(page, "the other way");
  await shows(page, "one", "the other way");
  await accessible(page, "a fork");
  await page.getByRole("banner").getByRole("link", { name: "one" }).or(page.locator(".head-fork a")).first().click();
  await expect.poll(() => page.url()).toBe(origin);
  await shows(page, "one", "two");
  await talk(page, "three");
  await shows(page, "one", "two", "three");

  await page.getByRole("button", { name: "Conversation menu" }).click();
  await page.getByRole("menuitem", { name: "Fork" }).click();
  await expect.poll(() => page.url()).not.toBe(origin);
  await page.getByText("Forked from one").waitFor();
  await shows(page, "one", "two", "three");
});

test("a rewind can be undone, also after a reload, until the next message", async () => {
  const { open } = await desk();
  const page = await open();
  await talk(page, "one", "two", "three");
  await choose(mine(page).nth(1), "Rewind to here");
  await bar(page).getByText("4 messages were taken out.").waitFor();
  await shows(page, "one");
  await accessible(page, "after a rewind");
  await page.reload();
  await bar(page).getByText("4 messages were taken out.").waitFor();
  await shows(page, "one");
  await bar(page).getByRole("button", { name: "Undo" }).click();
  await shows(page, "one", "two", "three");
  await expect.poll(() => bar(page).count()).toBe(0);

  await choose(mine(page).nth(2), "Rewind to here");
  await bar(page).getByText("2 messages were taken out.").waitFor();
  await talk(page, "another three");
  await shows(page, "one", "two", "another three");
  expect(await bar(page).count()).toBe(0);
});

test("another window follows a rewind, its undo and an edit without a reload", async () => {
  const { open } = await desk();
  const page = await open();
  await talk(page, "one", "two");
  const other = await open(new URL(page.url()).hash);
  await shows(other, "one", "two");
  await choose(mine(page).nth(1), "Rewind to here");
  await shows(other, "one");
  await bar(other).getByText("2 messages were taken out.").waitFor();
  await bar(other).getByRole("button", { name: "Undo" }).click();
  await shows(page, "one", "two");
  await expect.poll(() => bar(page).count()).toBe(0);
  await mine(page).first().getByRole("button", { name: "Edit" }).click();
  await field(page).fill("one, again");
  await field(page).press("Enter");
  await shows(other, "one, again");
  await expect.poll(() => title(other).textContent()).toBe("one, again");
});

test("a window that was offline during a rewind ends with the same picture", async () => {
  const { open, daemon, context } = await desk();
  const page = await open();
  await talk(page, "one", "two", "three");
  const session_id = decodeURIComponent(new URL(page.url()).hash.slice(4));
  const second = await open(new URL(page.url()).hash);
  await shows(second, "one", "two", "three");
  await context.setOffline(true);
  const client = daemon.client();
  const { messages } = await client.history("default", session_id);
  const begin = messages.filter(({ role }) => role === "user")[1];
  await client.sessions.rewind(session_id, { message_id: begin?.message_id ?? "", files: "keep" });
  await client.send({ agent_id: "default", session_id, message: "said elsewhere" });
  await context.setOffline(false);
  await shows(page, "one", "said elsewhere");
  await shows(second, "one", "said elsewhere");
  expect(await bar(page).count()).toBe(0);
});

test("files stay with an edited message and a regenerated answer", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  const text = { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("tomatoes\n") };
  const more = { name: "more.txt", mimeType: "text/plain", buffer: Buffer.from("and basil\n") };
  await page.locator(".composer input[type=file]").setInputFiles([text, more]);
  await expect.poll(() => page.locator(".composer .chip progress").count()).toBe(0);
  await say(page, "look at these");
  const names = (): Promise<string[]> => mine(page).last().locator(".file-name").allTextContents();
  await answers(page).first().getByRole("button", { name: "Regenerate" }).click({ timeout: 20_000 });
  await expect.poll(() => answers(page).count()).toBe(1);
  await ended(page);
  await expect.poll(names).toEqual(["notes.txt", "more.txt"]);
  await mine(page).getByRole("button", { name: "Edit" }).click();
  await expect.poll(() => page.locator(".composer .chip").count()).toBe(2);
  await page.getByRole("button", { name: "Remove more.txt" }).click();
  await field(page).fill("look at this");
  await field(page).press("Enter");
  await shows(page, "look at this");
  await ended(page);
  expect(await names()).toEqual(["notes.txt"]);
  expect(await page.locator(".composer .chip").count()).toBe(0);
  const client = daemon.client();
  const session_id = decodeURIComponent(new URL(page.url()).hash.slice(4));
  const { messages } = await client.history("default", session_id);
  expect(messages[0]?.parts.map(({ type }) => type)).toEqual(["text", "file"]);
});

test("while an answer is written, nothing is taken out, and the page says why", async () => {
  const model = new Spoken();
  model.say("I have begun.");
  const { open, daemon } = await desk(await provider((text) => (text === "begin" ? model : [`To “${text}”`])));
  const page = await open();
  await say(page, "hello");
  await answers(page).getByText("To “hello”").waitFor();
  await ended(page);
  await mine(page).first().getByRole("button", { name: "Edit" }).click();
  const session_id = decodeURIComponent(new URL(page.url()).hash.slice(4));
  const client = daemon.client();
  await client.send({ agent_id: "default", session_id, message: "begin" });
  await answers(page).getByText("I have begun.").waitFor();
  // An edit that has begun waits.
  await page.locator(".composer-editing").getByText("Wait until the answer is finished, or stop it.").waitFor();
  await field(page).press("Enter");
  await shows(page, "hello", "begin");
  await page.getByRole("button", { name: "Cancel" }).click();
  for (const act of [
    () => mine(page).first().getByRole("button", { name: "Edit" }).click({ force: true }),
    () => answers(page).first().getByRole("button", { name: "Regenerate" }).click({ force: true }),
  ]) {
    await act();
    await page.getByRole("status", { name: "Notices" }).getByText("Wait until the answer is finished").waitFor();
    await page.getByRole("button", { name: "Dismiss" }).click();
  }
  expect(await field(page).inputValue()).toBe("");
  await page.mouse.move(0, 0);
  await field(page).focus();
  await page.waitForFunction(() => document.getAnimations().every((one) => one.effect?.getTiming().iterations !== 1));
  await accessible(page, "while an answer is written");
  model.end();
  await ended(page);
  await mine(page).first().getByRole("button", { name: "Edit" }).click();
  expect(await field(page).inputValue()).toBe("hello");
});

test("a refusal of the daemon is said in words, and the text stays", async () => {
  const { open, context } = await desk();
  let path = "";

  await beforeCall(context, "/api/chat", () => Promise.resolve(path !== "lost"));
  const page = await open();
  await talk(page, "one", "two");
  await mine(page).nth(1).getByRole("button", { name: "Edit" }).click();
  await field(page).fill("two, but lost");
  path = "lost";
  await field(page).press("Enter");
  await page.getByText(/^Not sent: /).waitFor();
  expect(await field(page).inputValue()).toBe("two, but lost");
  await bar(page).getByText("2 messages were taken out.").waitFor();
  await expect.poll(() => said(page)).toEqual(["one"]);
  path = "";
  await field(page).press("Enter"); // it was taken out already
  await answers(page).getByText("You said: “two, but lost”").waitFor();
  await shows(page, "one", "two, but lost");

  await mine(page).nth(1).getByRole("button", { name: "Edit" }).click();
  path = "lost";
  await field(page).fill("not this");
  await field(page).press("Enter");
  await bar(page).getByRole("button", { name: "Undo" }).click();
  await shows(page, "one", "two, but lost");
  await page.getByRole("button", { name: "Cancel" }).click();
  expect(await field(page).inputValue()).toBe("");
});

test("the keyboard reaches the menu of a message, and a screen reader hears what was taken out", async () => {
  const { open } = await desk({ device: { viewport: { width: 390, height: 780 } } });
  const page = await open();
  await talk(page, "one", "two");
  const menu = mine(page).nth(1).getByRole("button", { name: "Message menu" });
  await menu.focus();
  await page.keyboard.press("Enter");
  await focused(page.getByRole("menuitem", { name: "Rewind to here" }));
  await fits(page);
  await page.keyboard.press("Escape");
  await focused(menu);
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.locator("[aria-live]").getByText("2 messages were taken out.").waitFor({ state: "attached" });
  await fits(page);
  await bar(page).getByRole("button", { name: "Undo" }).press("Enter");
  await page.locator("[aria-live]").getByText("2 messages are back.").waitFor({ state: "attached" });
});
