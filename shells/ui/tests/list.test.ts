// The list of messages: the visible rows stay in place, and the list follows the end as long as the person is there.
import type { Page } from "playwright-core";
import { expect, test } from "vitest";
import { provider, Spoken } from "../../client/tests/provider.js";
import { answers, beforeCall, desk, say } from "./browser.js";
import { fill } from "./fill.js";

const list = (page: Page) => page.getByRole("region", { name: "Messages" });

/** The number of pixels below the view. */
const left = (page: Page): Promise<number> =>
  list(page).evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);

/** The topmost visible row, and how far below the upper edge it begins. */
const top = (page: Page): Promise<string> =>
  list(page).evaluate((box) => {
    const edge = box.getBoundingClientRect().top;
    const rows = [...box.querySelectorAll<HTMLElement>("[data-row]")];
    const row = rows.find((one) => one.getBoundingClientRect().bottom > edge);
    return `${row?.dataset.row ?? ""} ${Math.round((row?.getBoundingClientRect().top ?? 0) - edge)}`;
  });

/** Waits until nothing has moved for ten frames. */
async function settled(page: Page): Promise<string> {
  let before = await top(page);
  for (let same = 0; same < 10; same += 1) {
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    const now = await top(page);
    if (now !== before) same = 0;
    before = now;
  }
  return before;
}

/** Makes the last row above the view, or the last row of the list, higher by this much. */
const grow = (page: Page, which: "above" | "last", px: number): Promise<void> =>
  list(page).evaluate(
    (box, [which, px]) => {
      const edge = box.getBoundingClientRect().top;
      const rows = [...box.querySelectorAll<HTMLElement>("[data-row]")];
      const row =
        which === "last" ? rows.at(-1) : rows.filter((one) => one.getBoundingClientRect().bottom < edge).at(-1);
      if (!row) throw new Error("no such row");
      const more = row.querySelector<HTMLElement>(":scope > .more") ?? row.appendChild(document.createElement("div"));
      more.className = "more";
      more.style.height = `${px}px`;
    },
    [which, px] as const,
  );

test("what is read stays where it is, whatever changes around it", async () => {
  const { daemon, open } = await desk();
  const client = daemon.client();
  const { session_id } = await client.sessions.create({ title: "long" });
  await fill(daemon, session_id, 400);
  const page = await open(`#/s/${session_id}`);
  await answers(page).getByText("answer 199", { exact: true }).waitFor();
  await list(page).hover();
  for (let turns = 0; turns < 5; turns += 1) {
    await page.mouse.wheel(0, -700);
    await settled(page);
  }
  const before = await settled(page);
  await grow(page, "above", 300);
  expect(await settled(page)).toBe(before);
  await grow(page, "above", 20);
  expect(await settled(page)).toBe(before);
  // Also while the person scrolls up.
  await list(page).evaluate(async (box) => {
    box.scrollTop -= 30;
    for (let frames = 0; frames < 2; frames += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
  });
  const higher = await top(page);
  await grow(page, "above", 400);
  expect(await settled(page)).toBe(higher);
  await list(page).evaluate((box) => {
    box.scrollTop += 30;
  });
  expect(await settled(page)).toBe(before);
  await client.chat({ agent_id: "default", session_id, message: "long" });
  await expect.poll(async () => (await client.status("default", session_id)).state).toBe("idle");
  expect(await settled(page)).toBe(before);
  await page.setViewportSize({ width: 1280, height: 500 });
  expect(await settled(page)).toBe(before);
  await page.setViewportSize({ width: 600, height: 500 });
  expect((await settled(page)).split(" ")[0]).toBe(before.split(" ")[0]);
});

test("older messages come without moving what is read", async () => {
  const { daemon, open, context } = await desk();
  const { session_id } = await daemon.client().sessions.create({ title: "long" });
  await fill(daemon, session_id, 400);
  let release = (): void => undefined;
  let asked = 0;
  await beforeCall(context, "/api/history", async () => {
    asked += 1;
    if (asked > 1) await new Promise<void>((resolve) => (release = resolve));
    return true;
  });
  const page = await open(`#/s/${session_id}`);
  await answers(page).getByText("answer 199", { exact: true }).waitFor();
  await list(page).evaluate((box) => {
    box.scrollTop = 500;
  });
  await expect.poll(() => asked).toBe(2);
  const before = await settled(page);
  const height = await list(page).evaluate((box) => box.scrollHeight);
  release();
  await expect.poll(() => list(page).evaluate((box) => box.scrollHeight)).toBeGreaterThan(height + 2000);
  expect(await settled(page)).toBe(before);
});

test("the end is followed until the person scrolls up, even a little", async () => {
  const model = new Spoken();
  const { open } = await desk(await provider(() => model));
  const page = await open();
  await say(page, "go");
  const paragraphs = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, place) => `paragraph ${from + place}\n\n`).join("");
  model.say(paragraphs(0, 60));
  await answers(page).getByText("paragraph 59").waitFor();
  await expect.poll(() => left(page)).toBeLessThan(2);
  await grow(page, "last", 200);
  await expect.poll(() => left(page)).toBeLessThan(2);
  await page.setViewportSize({ width: 900, height: 500 });
  await settled(page);
  expect(await left(page)).toBeLessThan(2);

  await list(page).hover();
  await page.mouse.wheel(0, -20);
  await page.getByRole("button", { name: "Go to the latest message" }).waitFor();
  const before = await settled(page);
  await grow(page, "above", 300);
  expect(await settled(page)).toBe(before);
  model.say(paragraphs(60, 90));
  await answers(page).getByText("paragraph 89").waitFor();
  expect(await settled(page)).toBe(before);

  await page.getByRole("button", { name: "Go to the latest message" }).click();
  await expect.poll(() => left(page)).toBeLessThan(2);
  model.say(paragraphs(90, 120));
  await answers(page).getByText("paragraph 119").waitFor();
  await expect.poll(() => left(page)).toBeLessThan(2);
  model.end();
});
