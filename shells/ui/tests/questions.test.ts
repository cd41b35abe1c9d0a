// Questions of agents, as forms, against the real daemon.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, answers, beforeCall, desk, fits, focused, fromDaemon, questions, say } from "./browser.js";

const COLOUR = { id: "colour", text: "Which colour?", kind: "choice", options: ["red", "blue"] };
const NAME = { id: "name", text: "Whose name?", kind: "text" };

const asking = (fields: object[], reason = "It decides what comes next."): string =>
  `call ask_user ${JSON.stringify({ questions: fields, reason })}`;

async function ask(page: Page, ...fields: object[]): Promise<void> {
  await say(page, asking(fields));
  await questions(page).waitFor();
}

const button = (page: Page, name: string) => questions(page).getByRole("button", { name, exact: true });
/** The card of the call that asked, once it is answered. */
const card = (page: Page) => page.locator(".tool", { hasText: "ask_user" });

/** The pairs of questions and answers that a card shows. */
const told = (page: Page): Promise<string[][]> =>
  card(page)
    .locator("dl > div")
    .evaluateAll((rows) =>
      rows.map((row) => [row.querySelector("dt")?.textContent ?? "", row.querySelector("dd")?.textContent ?? ""]),
    );

test("a form with all kinds of fields is answered, and the history tells the answers in words", async () => {
  const { open, daemon } = await desk();
  mkdirSync(join(daemon.home, "work", "inner"));
  const page = await open();
  await ask(
    page,
    COLOUR,
    { id: "sides", text: "Which sides?", kind: "multi", options: ["left", "right", "top"], default: ["top"] },
    NAME,
    { id: "age", text: "Which age?", kind: "number" },
    { id: "sure", text: "Are you sure?", kind: "boolean" },
    { id: "place", text: "Which folder?", kind: "folder" },
    { id: "file", text: "Which file?", kind: "file", required: false },
  );
  const form = questions(page);
  await form.getByRole("heading", { name: "A question for you" }).waitFor();
  await form.getByText("It decides what comes next.").waitFor();
  await accessible(page, "a form");
  await fits(page);
  await form.getByRole("radiogroup", { name: "Which colour? (required)" }).getByRole("radio", { name: "blue" }).check();
  const sides = form.getByRole("group", { name: "Which sides?" });
  expect(await sides.getByRole("checkbox", { name: "top" }).isChecked()).toBe(true);
  await sides.getByRole("checkbox", { name: "left" }).check();
  await form.getByRole("textbox", { name: "Whose name?" }).fill("Ada");
  await form.getByRole("textbox", { name: "Which age?" }).fill("36.5");
  await form.getByRole("radio", { name: "No", exact: true }).check();
  await form.getByRole("button", { name: "Browse…" }).click();
  await form.getByRole("button", { name: "inner" }).click();
  await form.locator(".folders-path", { hasText: /inner$/ }).waitFor();
  await form.getByRole("button", { name: "Use this folder" }).click();
  const place = await form.getByRole("textbox", { name: "Which folder?" }).inputValue();
  expect(place).toBe(join(daemon.home, "work", "inner"));
  await button(page, "Answer").click();
  await answers(page).getByText("is done").waitFor();
  await expect.poll(() => told(page)).toHaveLength(7);
  expect(await told(page)).toEqual([
    ["Which colour?", "blue"],
    ["Which sides?", "left, top"],
    ["Whose name?", "Ada"],
    ["Which age?", "36.5"],
    ["Are you sure?", "No"],
    ["Which folder?", place],
    ["Which file?", "No answer"],
  ]);
  expect(await card(page).getByText('"answers"').count()).toBe(0);
  await accessible(page, "answers");
  await page.reload();
  await expect.poll(() => told(page)).toHaveLength(7);
});

test("another answer than the options is one", async () => {
  const { open } = await desk();
  const page = await open();
  await ask(page, COLOUR);
  await questions(page).getByRole("radio", { name: "red" }).check();
  await questions(page).getByRole("textbox", { name: "Another answer" }).fill("a dark green");
  expect(await questions(page).getByRole("radio", { name: "Another answer" }).isChecked()).toBe(true);
  await button(page, "Answer").click();
  await expect.poll(() => told(page)).toEqual([["Which colour?", "a dark green"]]);
});

test("Enter sends nothing that is incomplete, and sends what is complete", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  const more = { id: "more", text: "Anything else?", kind: "text", required: false };
  await ask(page, NAME, COLOUR, more);
  const [name, other] = ["Whose name?", "Anything else?"].map((label) =>
    questions(page).getByRole("textbox", { name: label }),
  );
  await name?.fill("Ada");
  await name?.press("Enter");
  await focused(questions(page).getByRole("radio", { name: "red" }));
  expect(await daemon.client().questions()).toHaveLength(1);
  await page.keyboard.press("ArrowDown"); // chooses blue
  await other?.fill("first");
  await other?.press("Shift+Enter");
  await other?.pressSequentially("second");
  expect(await other?.inputValue()).toBe("first\nsecond");
  await name?.press("Enter");
  await expect
    .poll(() => told(page))
    .toEqual([
      ["Whose name?", "Ada"],
      ["Which colour?", "blue"],
      ["Anything else?", "first\nsecond"],
    ]);
});

test("Ctrl+Enter sends from anywhere in the card, also from the note; what is missing is told and focused", async () => {
  const { open } = await desk();
  const page = await open();
  await ask(page, { ...COLOUR, default: "red" }, NAME, { id: "place", text: "Which place?", kind: "text" });
  await page.keyboard.press("Alt+q");
  await focused(questions(page));
  await page.keyboard.press("Control+Enter");
  await questions(page).getByRole("alert").getByText("Some answers are missing").waitFor();
  const name = questions(page).getByRole("textbox", { name: "Whose name?" });
  await focused(name);
  expect(await name.getAttribute("aria-invalid")).toBe("true");
  await accessible(page, "a missing answer");
  expect(await questions(page).getByText("An answer is needed.").count()).toBe(2);
  await name.focus();
  await page.keyboard.type("Ada"); // the focus stays, although one answer fewer is missing
  expect(await name.inputValue()).toBe("Ada");
  await questions(page).getByRole("textbox", { name: "Which place?" }).fill("London");
  await expect.poll(() => questions(page).getByText("An answer is needed.").count()).toBe(0);
  await button(page, "Note").click();
  const note = questions(page).getByRole("textbox", { name: "Note to the agent" });
  await focused(note);
  await note.pressSequentially("in a");
  await note.press("Enter");
  await note.pressSequentially("hurry");
  await note.press("Control+Enter");
  await expect
    .poll(() => told(page))
    .toEqual([
      ["Which colour?", "red"],
      ["Whose name?", "Ada"],
      ["Which place?", "London"],
      ["Note to the agent", "in a\nhurry"],
    ]);
});

test("a form is declined with a note, and that is said in words", async () => {
  const { open } = await desk();
  const page = await open();
  await ask(page, NAME);
  await button(page, "Note").click();
  await questions(page).getByRole("textbox", { name: "Note to the agent" }).fill("ask later");
  await button(page, "Decline").click();
  await answers(page).getByText("ask later").first().waitFor();
  await card(page).getByText("declined", { exact: true }).waitFor();
  await card(page)
    .getByRole("button", { name: /ask_user/ })
    .click();
  await card(page).getByText("You declined to answer.").waitFor();
  await page.locator("[data-announcer]", { hasText: /./ }).waitFor({ state: "attached" });
});

test("what the daemon refuses is told at its field, and nothing that was typed is lost", async () => {
  const { open } = await desk();
  const page = await open();
  await ask(page, NAME, { id: "place", text: "Which folder?", kind: "folder" }, COLOUR);
  await questions(page).getByRole("textbox", { name: "Whose name?" }).fill("Ada");
  await questions(page).getByRole("radio", { name: "red" }).check();
  const place = questions(page).getByRole("textbox", { name: "Which folder?" });
  await place.fill("somewhere");
  await button(page, "Answer").click();
  await questions(page).getByRole("alert").getByText("Some answers don’t fit.").waitFor();
  await questions(page).getByText("It has to be an absolute path.").waitFor();
  await focused(place);
  expect(await place.inputValue()).toBe("somewhere");
  expect(await questions(page).getByRole("textbox", { name: "Whose name?" }).inputValue()).toBe("Ada");
  await accessible(page, "a refused answer");
  await place.fill("/");
  await button(page, "Answer").click();
  await expect
    .poll(() => told(page))
    .toEqual([
      ["Whose name?", "Ada"],
      ["Which folder?", "/"],
      ["Which colour?", "red"],
    ]);
});

test("what was typed outlives other pages, a reload, a lost answer, and a daemon that is killed", async () => {
  const { open, daemon, context } = await desk({ shell: true });
  let lose = true;
  await beforeCall(context, "/api/answer", () => Promise.resolve(!lose));
  const page = await open();
  await ask(page, NAME, { ...COLOUR, required: false });
  const { hash } = new URL(page.url());
  const name = questions(page).getByRole("textbox", { name: "Whose name?" });
  await name.fill("Ada");
  await questions(page).getByRole("radio", { name: "blue" }).check();
  await button(page, "Note").click();
  await questions(page).getByRole("textbox", { name: "Note to the agent" }).fill("why");
  const kept = async (): Promise<void> => {
    await expect.poll(() => name.inputValue()).toBe("Ada");
    expect(await questions(page).getByRole("radio", { name: "blue" }).isChecked()).toBe(true);
    expect(await questions(page).getByRole("textbox", { name: "Note to the agent" }).inputValue()).toBe("why");
  };
  await page.goto(`${page.url().split("#")[0] ?? ""}#/inbox`);
  await page.getByText("1 question for you, oldest first.").waitFor();
  await kept();
  await page.goto(`${page.url().split("#")[0] ?? ""}${hash}`);
  await kept();
  await page.reload();
  await kept();
  await button(page, "Answer").click();
  await questions(page).getByRole("alert").waitFor();
  await kept();
  lose = false;
  await daemon.kill();
  await page.getByText("Can’t reach Aster").first().waitFor();
  await kept();
  await daemon.start();
  await page.locator(".link-connected").waitFor();
  await kept();
  await questions(page).getByRole("radio", { name: "No answer" }).check();
  await button(page, "Answer").click();
  await expect
    .poll(() => told(page))
    .toEqual([
      ["Whose name?", "Ada"],
      ["Which colour?", "No answer"],
      ["Note to the agent", "why"],
    ]);
  expect(await page.evaluate(() => localStorage.getItem("aster.forms"))).toBeNull();
});

test("two windows: one answers, the other says by whom and closes", async () => {
  const { open } = await desk();
  const here = await open();
  await ask(here, NAME);
  await questions(here).getByRole("textbox", { name: "Whose name?" }).fill("Grace");
  const there = await open("#/inbox");
  await focused(questions(there));
  await questions(there).getByRole("textbox", { name: "Whose name?" }).fill("Ada");
  await button(there, "Answer").click();
  await here.getByText("answered by a browser window").waitFor();
  await expect.poll(() => questions(here).count()).toBe(0);
  await expect.poll(() => told(here)).toEqual([["Whose name?", "Ada"]]);
  await there.getByText("No questions.").waitFor();
  await there.getByText("“Whose name?” answered by you").waitFor();
});

test("the inbox has questions and approval requests together, oldest first, and one count", async () => {
  const { open, daemon } = await desk();
  const client = daemon.client();
  const page = await open("#/inbox");
  for (const message of [asking([COLOUR]), "write a.txt", asking([NAME])]) {
    const { session_id } = await client.sessions.create();
    const before = (await client.inbox()).length;
    await client.send({ agent_id: "default", session_id, message });
    await expect.poll(async () => (await client.inbox()).length).toBe(before + 1);
  }
  await page.getByText("3 questions for you, oldest first.").waitFor();
  const kinds = questions(page).evaluateAll((all) => all.map((one) => one.classList.contains("question")));
  expect(await kinds).toEqual([true, false, true]);
  await expect.poll(() => page.title()).toBe("(3) Aster");
  await page.getByRole("link", { name: /Inbox/ }).getByText("3").first().waitFor();
  // A question is not listed a second time as news.
  expect(await page.locator(".attention").count()).toBe(0);
  await accessible(page, "an inbox with both kinds");
  const [first] = await client.questions();
  await client.answer({ question_id: first?.question_id ?? "", decline: true });
  await page.getByText("2 questions for you, oldest first.").waitFor();
  await page.getByText(/“Which colour\?” declined by/).waitFor();
});

test("a message that is typed answers the lone question, as the field says, and is shown once", async () => {
  const { open } = await desk();
  const page = await open();
  await ask(page, COLOUR);
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  expect(await box.getAttribute("placeholder")).toBe("Write a message, or the answer to the question");
  await page.getByText("Your message answers the question, if it fits.").waitFor();
  await say(page, "Blue");
  await expect.poll(() => told(page)).toEqual([["Which colour?", "blue"]]);
  await expect.poll(() => page.locator(".said", { hasText: /^Blue/ }).count()).toBe(1);
  expect(await page.locator(".outgoing").count()).toBe(0);
  expect(await box.getAttribute("placeholder")).toBe("Write a message");
  await ask(page, COLOUR, NAME);
  expect(await box.getAttribute("placeholder")).toBe("Write a message");
});

test("a question that expires or is stopped says so", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await daemon.client().config.set({ approval_timeout_s: 600 });
  await ask(page, NAME);
  await questions(page)
    .getByText(/^Answer by .*, or the agent goes on without an answer\.$/)
    .waitFor();
  await page.getByRole("button", { name: "Stop" }).click();
  await card(page).getByText("canceled", { exact: true }).waitFor();
  await card(page)
    .getByRole("button", { name: /ask_user/ })
    .click();
  await card(page).getByText("Canceled before it was answered.").waitFor();
});

/** What an MCP server would ask, in the place of what the agent asks. */
function asServer(text: string, url: string | null): string {
  return text.replaceAll(
    /"question_id":\s?"(\w+)"/g,
    (found) => `${found},"server":"notes"${url === null ? "" : `,"url":${JSON.stringify(url)}`}`,
  );
}

test("a question of a server names it, and asks for no secrets", async () => {
  const { open, context } = await desk();
  await fromDaemon(context, (text) => asServer(text.replaceAll('"server":null,', ""), null));
  const page = await open();
  await ask(page, NAME);
  await questions(page).getByRole("heading", { name: "A question from the MCP server notes" }).waitFor();
  await questions(page).getByText("Don’t enter passwords or keys.").waitFor();
});

test("a page that a server asks to visit shows its address, opens on a click only, and is confirmed", async () => {
  const { open, context } = await desk();
  const address = "https://example.invalid/login?next=%2F";
  await context.route("https://example.invalid/**", (route) => route.fulfill({ body: "a page", status: 200 }));
  await fromDaemon(context, (text) =>
    asServer(
      text.replaceAll(/"server":null,|"url":null,/g, "").replaceAll(/"fields":\[\{.*?\}\]/g, '"fields":[]'),
      address,
    ),
  );
  const page = await open();
  await ask(page, { ...NAME, required: false });
  await questions(page).getByRole("heading", { name: "The MCP server notes asks you to open a page" }).waitFor();
  await questions(page).getByText(address, { exact: true }).waitFor();
  await questions(page).getByText("It opens in your browser, at example.invalid.").waitFor();
  await accessible(page, "a page to visit");
  expect(await button(page, "I have done it").count()).toBe(0);
  expect(context.pages()).toHaveLength(1);
  const [opened] = await Promise.all([
    context.waitForEvent("page"),
    questions(page).getByRole("link", { name: "Open the page" }).click(),
  ]);
  expect(opened.url()).toBe(address);
  expect(await opened.evaluate(() => window.opener === null)).toBe(true);
  await opened.close();
  await button(page, "I have done it").click();
  await expect.poll(() => questions(page).count()).toBe(0);
});

test.each(["light", "dark"] as const)("a form can be read in a narrow window, %s", async (colorScheme) => {
  const { open } = await desk({ device: { viewport: { width: 360, height: 740 }, colorScheme } });
  const page = await open();
  await ask(page, COLOUR, NAME, { id: "place", text: "Which folder?", kind: "folder", required: false });
  await accessible(page, "a narrow form");
  await fits(page);
});
