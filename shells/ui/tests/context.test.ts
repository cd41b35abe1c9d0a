// How much of the model's context window a conversation fills, in its header.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { provider } from "../../client/tests/provider.js";
import { accessible, answers, desk, fits, say, type Desk } from "./browser.js";

/** The double adds this many tokens for its answer. */
const ANSWER_TOKENS = 34;

/** A model with this context window, of which a turn fills as many tokens as the message says. The daemon believes only
 * counts that are near its own estimate, which is about 2,000 for a short conversation. */
async function counted(window_tokens: number): Promise<Desk> {
  const { model, environment } = await provider((said) => [
    "Fine.",
    { prompt_tokens: Number(/\d+/.exec(said)?.[0]) - ANSWER_TOKENS },
  ]);
  return desk({ model, environment: { ...environment, ASTER_CONTEXT_WINDOW: String(window_tokens) } });
}

const meter = (page: Page) => page.locator(".head").getByRole("meter", { name: "Context window" });

test("both windows show the same after a turn and after a reload, and nothing once the history is cleared", async () => {
  const { daemon, open } = await counted(25_000);
  const page = await open();
  await say(page, "3000");
  await answers(page).getByText("Fine.").waitFor();
  await meter(page).waitFor();
  const { hash } = new URL(page.url());
  const other = await open(hash);
  const used = "3,000 of 25,000 tokens used; when it is nearly full, the conversation is summarised.";
  for (const window of [page, other]) {
    await expect.poll(() => meter(window).innerText()).toBe("12% of the context window");
    expect(await meter(window).getAttribute("aria-valuetext")).toBe(used);
    expect(await meter(window).getAttribute("title")).toBe(used);
  }
  await accessible(page, "a conversation with its meter");

  await say(other, "3999");
  for (const window of [page, other]) await expect.poll(() => meter(window).getAttribute("aria-valuenow")).toBe("15");
  await page.reload();
  await expect.poll(() => meter(page).innerText()).toBe("15% of the context window");
  // The same words are where a finger and the keyboard reach them.
  await page.locator(".head-settings").click();
  await page.getByRole("dialog").getByText("3,999 of 25,000 tokens used").waitFor();
  await page.keyboard.press("Escape");

  await daemon.client().clearHistory("default", hash.split("/").at(-1));
  for (const window of [page, other]) await meter(window).waitFor({ state: "detached" });
  await page.reload();
  await page.getByText("No messages yet.").waitFor();
  expect(await meter(page).count()).toBe(0);
});

test("a window that is nearly full is named so, and a phone shows the number alone", async () => {
  const { open } = await counted(5000);
  const calm = await open();
  expect(await calm.getByRole("meter").count()).toBe(0);
  await say(calm, "3999");
  await expect.poll(() => meter(calm).innerText()).toBe("79% of the context window");
  expect(await meter(calm).getAttribute("aria-valuetext")).toMatch(/^3,999 of/);
  const page = await open();
  await say(page, "4000");
  await expect.poll(() => meter(page).innerText()).toBe("80% of the context window");
  const words = "Nearly full: 4,000 of 5,000 tokens used; the conversation is summarised soon.";
  expect(await meter(page).getAttribute("aria-valuetext")).toBe(words);
  const colourOf = (window: Page) => meter(window).evaluate((one) => getComputedStyle(one).color);
  expect(await colourOf(page)).not.toBe(await colourOf(calm));
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    await accessible(page, `a window that is nearly full, ${colorScheme}`);
  }
  await page.setViewportSize({ width: 390, height: 740 });
  expect(await meter(page).innerText()).toBe("80%");
  await fits(page);
  await accessible(page, "the meter on a phone");
});

test("without a known window the tokens are shown alone", async () => {
  const { open } = await desk(); // nobody says how large the demo model's window is
  const page = await open();
  await say(page, "hello");
  await page
    .locator(".head")
    .getByText(/^\d[\d,]* tokens$/)
    .waitFor();
  expect(await page.getByRole("meter").count()).toBe(0);
  await accessible(page, "a window whose size is not known");
});
