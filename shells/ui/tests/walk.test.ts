// A newcomer's walk through the page, as docs/walk.md describes it.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { answers, desk, questions, say, type Desk } from "./browser.js";

const TOLD = readFileSync(new URL("../../../docs/walk.md", import.meta.url), "utf8");

/** The numbered steps of the page, each on one line. */
const steps = (text: string): string[] =>
  [...text.matchAll(/^(\d+)\. ([^]*?)(?=\n\n|\n\d+\. |$(?![^]))/gm)].map(([, number, words]) => {
    return `${number}. ${(words ?? "").replace(/\s+/g, " ")}`;
  });

interface Walk extends Desk {
  page: Page;
}

const current = (page: Page) => page.locator(".step-current");
const changes = (page: Page) => page.getByRole("dialog", { name: "Changes to files" });
const list = (page: Page) => page.getByRole("navigation", { name: "Conversations" });

/** The actions and checks of each step, in order. */
const WALK: ((walk: Walk) => Promise<void>)[] = [
  async ({ page }) => {
    await page.getByRole("heading", { name: "Set up Aster" }).waitFor();
    await page.getByText(/^\d steps left\./).waitFor();
    await page.getByRole("link", { name: "Start a conversation" }).waitFor();
    await current(page).getByRole("button", { name: "Continue" }).click();
  },
  async ({ page, daemon }) => {
    await current(page).getByRole("heading", { name: "Where your data is kept" }).waitFor();
    await current(page).getByText(daemon.home).first().waitFor();
    await current(page).getByRole("button", { name: "Continue" }).click();
  },
  async ({ page }) => {
    await current(page).getByRole("heading", { name: "Choose a model" }).waitFor();
    for (const name of ["On this computer", "Online, with your key", "For a first look"])
      await current(page).getByRole("group", { name }).waitFor();
    await current(page).getByRole("button", { name: "Look again" }).click();
  },
  async ({ page }) => {
    const model = current(page).locator(".choice-frame", { hasText: "anthropic:" });
    await model.getByText("needs a key").waitFor();
    await model.getByRole("radio").check();
    await model.getByText("This model can’t answer without a key.").waitFor();
    await model.getByLabel("API key for anthropic").waitFor();
  },
  async ({ page }) => {
    await current(page)
      .getByRole("group", { name: "For a first look" })
      .getByRole("radio", { name: /^demo ready/ })
      .click();
    await current(page).getByRole("heading", { name: "Choose a model" }).waitFor({ state: "detached" });
  },
  async ({ page }) => {
    await current(page).getByRole("heading", { name: "When to ask you" }).waitFor();
    expect(
      await current(page)
        .getByRole("radio", { name: /^Ask before changes/ })
        .isChecked(),
    ).toBe(true);
    await current(page).getByRole("button", { name: "Continue" }).click();
  },
  async ({ page }) => {
    await current(page).getByRole("button", { name: "Start a conversation" }).click();
    await page.getByRole("heading", { name: "New conversation" }).waitFor();
    await page.getByText("This is the demo model.").waitFor();
    await page.getByRole("button", { name: "write hello.txt" }).waitFor();
  },
  async ({ page }) => {
    await say(page, "write hello.txt");
    const question = questions(page);
    await question.getByText("Create hello.txt (1 line)").waitFor();
    await question.getByText("medium risk").waitFor();
    await question.getByText(/changes files in/).waitFor();
  },
  async ({ page }) => {
    await questions(page).getByRole("button", { name: "Edit" }).click();
    const arguments_ = page.getByLabel("Run it with these arguments instead (JSON)");
    await arguments_.fill('{"path": "hello.txt", "content": "written by me\\n"}');
    await questions(page).getByText("written by me").first().waitFor();
    await questions(page).getByText("Create hello.txt (1 line)").waitFor();
  },
  async ({ page, daemon }) => {
    await questions(page).getByRole("button", { name: "Allow edited" }).click();
    await answers(page).getByText("is done").waitFor();
    expect(daemon.file("hello.txt")).toBe("written by me\n");
  },
  async ({ page }) => {
    await say(page, "write hello.txt");
    await questions(page)
      .getByText(/^Replace hello.txt/)
      .waitFor();
    await questions(page)
      .getByRole("table", { name: "Changed lines" })
      .or(questions(page).locator(".diff"))
      .first()
      .waitFor();
  },
  async ({ page, daemon }) => {
    await questions(page).focus();
    await page.keyboard.press("d");
    await questions(page).waitFor({ state: "detached" });
    expect(daemon.file("hello.txt")).toBe("written by me\n");
  },
  async ({ page }) => {
    await answers(page).first().getByRole("button", { name: "1 file changed" }).click();
    await changes(page).getByRole("button", { name: "hello.txt", exact: true }).click();
    await changes(page).locator(".diff-new").getByText("written by me").waitFor();
  },
  async ({ page, daemon }) => {
    await changes(page).getByRole("button", { name: "Undo the changes to hello.txt" }).click();
    await changes(page).getByText("1 file was written.").waitFor();
    expect(() => daemon.file("hello.txt")).toThrow();
    await changes(page).getByRole("button", { name: "Undo this" }).click();
    await changes(page).getByText("Undone.", { exact: true }).waitFor({ state: "detached" });
    expect(daemon.file("hello.txt")).toBe("written by me\n");
    await page.keyboard.press("Escape");
    await changes(page).waitFor({ state: "detached" });
  },
  async ({ page }) => {
    const field = page.getByRole("textbox", { name: "Message", exact: true });
    await field.fill("half a thought");
    await page.getByRole("article", { name: "You" }).last().getByRole("button", { name: "Edit" }).click();
    expect(await field.inputValue()).toBe("write hello.txt");
    await page.getByText("Your draft comes back when you send or cancel.").waitFor();
  },
  async ({ page }) => {
    const field = page.getByRole("textbox", { name: "Message", exact: true });
    await field.fill("about tomatoes");
    await field.press("Enter");
    await answers(page).getByText("You said: “about tomatoes”").waitFor();
    await expect.poll(() => page.getByRole("article", { name: "You" }).count()).toBe(2);
    await expect.poll(() => field.inputValue()).toBe("half a thought");
    await field.fill("");
  },
  async ({ page }) => {
    const answer = answers(page).last();
    const before = await answer.getByText(/tokens?$/).elementHandle();
    await answer.getByRole("button", { name: "Regenerate" }).click();
    await before.waitForElementState("hidden");
    await answers(page).getByText("You said: “about tomatoes”").waitFor();
    expect(await page.getByRole("article", { name: "You" }).count()).toBe(2);
  },
  async ({ page }) => {
    await answers(page)
      .last()
      .getByText(/tokens?$/)
      .waitFor();
    await page.getByRole("button", { name: "Conversation menu" }).click();
    await page.getByRole("menuitem", { name: "Delete" }).click();
    await list(page).getByText("No conversations yet.").waitFor();
    await page.getByRole("button", { name: "Undo" }).waitFor();
  },
  async ({ page }) => {
    await page.getByRole("button", { name: "Undo" }).click();
    await answers(page).getByText("You said: “about tomatoes”").waitFor();
    await list(page).getByRole("link", { name: "write hello.txt" }).waitFor();
  },
  async ({ page }) => {
    await list(page).getByRole("link", { name: "write hello.txt" }).press("Delete");
    await page.getByRole("link", { name: "Archive" }).click();
    const trash = page.getByRole("region", { name: "Recently deleted" });
    await trash.getByText(/kept until/).waitFor();
  },
  async ({ page }) => {
    await page.getByRole("button", { name: "Restore: write hello.txt" }).click();
    await page.getByText("Deleted.", { exact: true }).waitFor({ state: "detached", timeout: 5000 });
    await list(page).getByRole("link", { name: "write hello.txt" }).waitFor();
  },
  async ({ page }) => {
    await page.getByRole("searchbox", { name: "Search conversations" }).fill("tomatoes");
    await list(page).locator("mark", { hasText: "tomatoes" }).waitFor();
  },
  async ({ page }) => {
    await list(page).getByRole("link", { name: "write hello.txt" }).click();
    await page.getByRole("search").getByText("2 of 2").waitFor();
    await expect.poll(() => page.evaluate(() => CSS.highlights.get("found-here")?.size)).toBe(1);
  },
  async ({ page }) => {
    await page.keyboard.press("Escape");
    await page.getByRole("search").waitFor({ state: "detached" });
    await page.keyboard.press("Control+f");
    await page.getByRole("searchbox", { name: "Find in this conversation" }).waitFor();
    await page.keyboard.press("Escape");
  },
  async ({ page }) => {
    const said = page.getByRole("article", { name: "You" }).last();
    await said.getByRole("button", { name: "Message menu" }).click();
    await said.getByRole("menuitem", { name: "Rewind to here" }).click();
    await page.getByText("2 messages were taken out.").first().waitFor();
    await page.reload();
    await page.locator(".rewind-bar").getByRole("button", { name: "Undo" }).waitFor();
    await expect.poll(() => page.getByRole("article", { name: "You" }).count()).toBe(1);
  },
  async ({ page }) => {
    await page.locator(".rewind-bar").getByRole("button", { name: "Undo" }).click();
    await answers(page).getByText("You said: “about tomatoes”").waitFor();
  },
  async ({ page }) => {
    await page.getByRole("button", { name: "Conversation menu" }).click();
    await page.getByRole("menuitem", { name: "Fork" }).click();
    await page.getByText("Forked from write hello.txt").waitFor();
    await answers(page).getByText("You said: “about tomatoes”").waitFor();
  },
  async ({ page, daemon }) => {
    await daemon.kill();
    await page.getByText("Can’t reach Aster. Messages are saved as drafts.").waitFor();
  },
  async ({ page }) => {
    await say(page, "said meanwhile");
    await page.getByRole("article", { name: "Draft, not sent" }).waitFor();
    await page.reload();
    await page
      .getByRole("article", { name: "Draft, not sent" })
      .or(page.getByText("Can’t reach Aster").first())
      .first()
      .waitFor();
  },
  async ({ page, daemon }) => {
    await daemon.start();
    await page.getByText("Connected", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Send now" }).click();
    await answers(page).getByText("You said: “said meanwhile”").waitFor();
  },
];

/** The directory for screenshots of the steps, in both widths and themes; none without `ASTER_SHOTS`. */
const SHOTS = process.env.ASTER_SHOTS;

async function shoot(page: Page, step: number): Promise<void> {
  if (SHOTS === undefined) return;
  mkdirSync(SHOTS, { recursive: true });
  for (const colorScheme of ["light", "dark"] as const) {
    for (const width of [1280, 390]) {
      await page.emulateMedia({ colorScheme });
      await page.setViewportSize({ width, height: 800 });
      await page.waitForTimeout(200);
      await page.screenshot({ path: join(SHOTS, `${String(step).padStart(2, "0")}-${width}-${colorScheme}.png`) });
    }
  }
  await page.emulateMedia({ colorScheme: null });
  await page.setViewportSize({ width: 1280, height: 800 });
}

test("a newcomer walks through the page as it is told", async () => {
  const told = steps(TOLD);
  expect(told.map((step) => parseInt(step, 10))).toEqual(WALK.map((_, place) => place + 1));
  const here = await desk({ first: true, shell: true, model: "demo:instant" });
  const page = await here.open();
  for (const [place, step] of WALK.entries()) {
    await step({ ...here, page }).catch((cause: unknown) => {
      throw new Error(`at ${told[place]}`, { cause });
    });
    await shoot(page, place + 1);
  }
});

test("what the walk calls by name is on the page", () => {
  const texts = readFileSync(new URL("../src/messages.tsx", import.meta.url), "utf8");
  const named = [...TOLD.matchAll(/“([^”]+)”/g)].map(([, words]) => words ?? "");
  expect(named.length).toBeGreaterThan(20);
  const said = new Set([
    "1 of 2",
    "1 file changed",
    "Forked from write hello.txt",
    "Create hello.txt (1 line)",
    "Replace hello.txt",
  ]); // daemon texts, or with a value
  expect(named.filter((words) => !said.has(words) && !texts.includes(words))).toEqual([]);
});
