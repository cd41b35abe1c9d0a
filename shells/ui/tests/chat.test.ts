import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Locator } from "playwright-core";
import { expect, test } from "vitest";
import { provider, Spoken } from "../../client/tests/provider.js";
import { answers, desk, questions, say } from "./browser.js";
import { fill } from "./fill.js";

test("a first message opens a conversation, and its answer streams in", async () => {
  const model = new Spoken();
  const { open } = await desk(await provider(() => model));
  const page = await open();
  await say(page, "hello there");
  await answers(page).getByText("Starting", { exact: true }).waitFor();
  model.say("I am the ", "**double**.\n\n");
  await answers(page).getByText("I am the double.").waitFor();
  await answers(page).getByText("Writing", { exact: true }).waitFor();
  model.say("This comes later.");
  await answers(page).getByText("This comes later.").waitFor();
  model.end();
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  expect(await page.getByRole("heading", { level: 1 }).textContent()).toBe("hello there");
  expect(await answers(page).locator("strong").first().textContent()).toBe("double");
  expect(page.url()).toContain("#/s/ses_");
});

test("an earlier message is edited and sent again", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "first words");
  await answers(page).getByText("You said: “first words”").waitFor();
  await page.getByRole("article", { name: "You" }).hover();
  await page.getByRole("button", { name: "Edit" }).click();
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  await expect.poll(() => box.inputValue()).toBe("first words");
  await say(page, "better words");
  await answers(page).getByText("You said: “better words”").waitFor();
});

test("a draft outlives the edit of an earlier message", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "first words");
  await answers(page).getByText("You said: “first words”").waitFor();
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  await box.fill("a long draft");
  await page.getByRole("button", { name: "Edit" }).click();
  await expect.poll(() => box.inputValue()).toBe("first words");
  await page.getByRole("button", { name: "Edit" }).click(); // a second Edit does not replace the kept draft
  await page.reload();
  await expect.poll(() => box.inputValue()).toBe("first words");
  await page.getByRole("button", { name: "Cancel" }).click();
  expect(await box.inputValue()).toBe("a long draft");
  await page.getByRole("button", { name: "Edit" }).click();
  await say(page, "better words");
  await answers(page).getByText("You said: “better words”").waitFor();
  expect(await box.inputValue()).toBe("a long draft");
});

test("a stop says what became of messages that waited", async () => {
  const model = new Spoken(); // it never ends
  model.say("I have begun.");
  const { open } = await desk(await provider((said) => (said === "begin" ? model : [`You said: “${said}”`])));
  const page = await open();
  await say(page, "begin");
  await answers(page).getByText("I have begun.").waitFor();
  await say(page, "after that");
  await page.getByText("Queued", { exact: true }).waitFor();
  await page.getByText("Steer").click();
  await say(page, "mind this as well");
  await page.getByText("The agent reads this at its next step.").waitFor();
  await page.keyboard.press("Escape");
  await page
    .getByText(
      /Stopped\. 1 queued message was canceled\. What the agent has not read yet goes to it with your next message\./,
    )
    .waitFor();
  const unread = page.getByText("Not read yet. The agent reads this with your next message.");
  await unread.waitFor();
  const canceled = page.getByRole("article", { name: "You" }).filter({ hasText: "after that" });
  await canceled.getByText("Canceled").waitFor();
  await canceled.getByRole("button", { name: "Send again" }).click();
  await answers(page).getByText("mind this as well").waitFor();
  await expect.poll(() => unread.count()).toBe(0);
});

test("Escape stops the answer only where it is meant for it", async () => {
  const model = new Spoken();
  model.say("I have begun.");
  const { open } = await desk(await provider(() => model));
  const page = await open();
  await say(page, "begin");
  await answers(page).getByText("I have begun.").waitFor();
  const search = page.getByRole("searchbox", { name: "Search conversations" });
  await search.fill("words");
  for (let times = 0; times < 3; times += 1) await search.press("Escape");
  await page.getByRole("button", { name: "Conversation menu" }).focus();
  await page.keyboard.press("Escape");
  // The search also finds text of the answer that is still being written.
  await page.keyboard.press("Control+f");
  await page.keyboard.type("begun");
  const find = page.getByRole("search");
  await find.getByText("1 of 1").waitFor();
  await find.getByRole("button", { name: "Close" }).press("Escape");
  await find.waitFor({ state: "detached" });
  model.say(" And I go on.");
  await answers(page).getByText("And I go on.").waitFor();
  await page.getByRole("textbox", { name: "Message", exact: true }).press("Escape");
  await answers(page).getByText("Stopped by you.").waitFor();
});

test("keys of an input method are left to it, in every field", async () => {
  const { open, daemon } = await desk();
  await daemon.client().sessions.create({ title: "a title" });
  const page = await open();
  /** How Chromium and Firefox report a key during a composition, and how WebKit reports the Enter that ended it. */
  const compose = async (field: Locator, key: string): Promise<void> => {
    for (const how of [
      { key, isComposing: true },
      { key, keyCode: 229, isComposing: false },
    ]) {
      await field.dispatchEvent("compositionstart");
      await field.dispatchEvent("compositionend");
      await field.dispatchEvent("keydown", { ...how, bubbles: true, cancelable: true });
    }
  };
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  await box.fill("にほん");
  await compose(box, "Enter");
  expect(await box.inputValue()).toBe("にほん");
  await page.getByRole("link", { name: "a title" }).press("F2");
  const title = page.getByRole("textbox", { name: "Title" });
  await title.fill("日本");
  await compose(title, "Enter");
  await compose(title, "Escape");
  expect(await title.inputValue()).toBe("日本");
  await title.press("Enter");
  await page.getByRole("link", { name: "日本" }).waitFor();
  await page.keyboard.press("Control+k");
  const palette = page.getByRole("combobox", { name: "Search commands and conversations" });
  await palette.fill("inbox");
  await compose(palette, "Enter");
  expect(await palette.isVisible()).toBe(true);
  await palette.press("Enter");
  await page.getByRole("heading", { name: "Inbox" }).waitFor();
  expect((await daemon.client().sessions.list({})).sessions.map(({ title }) => title)).toEqual(["日本"]);
});

test("ArrowUp brings back what was said before", async () => {
  const { open } = await desk();
  const page = await open();
  for (const words of ["one", "two"]) {
    await say(page, words);
    await answers(page).getByText(`You said: “${words}”`).waitFor();
  }
  const box = page.getByRole("textbox", { name: "Message", exact: true });
  await box.press("ArrowUp");
  await expect.poll(() => box.inputValue()).toBe("two");
  await box.press("ArrowUp");
  await expect.poll(() => box.inputValue()).toBe("one");
  await box.press("ArrowDown");
  await expect.poll(() => box.inputValue()).toBe("two");
  await box.press("ArrowDown");
  await expect.poll(() => box.inputValue()).toBe("");
});

test("Escape stops an answer, and what was said stays", async () => {
  const { open } = await desk({ model: "demo" });
  const page = await open();
  await say(page, "long");
  await answers(page).getByText("This is paragraph 2").waitFor();
  await page.keyboard.press("Escape");
  await answers(page).getByText("Stopped by you.").waitFor();
  expect(await answers(page).textContent()).toContain("This is paragraph 1");
  await expect.poll(() => page.getByRole("button", { name: "Stop" }).count()).toBe(0);
  // The button is visible even without the pointer over it.
  await page.mouse.move(0, 0);
  const offered = answers(page).locator(".message-actions", { hasText: "Send again" });
  await expect.poll(() => offered.evaluate((actions) => getComputedStyle(actions).opacity)).toBe("1");
  await answers(page).getByRole("button", { name: "Send again" }).click();
  await answers(page).nth(1).getByText("This is paragraph 1").waitFor();
  await page.keyboard.press("Escape");
});

test("while the agent is busy, a message is queued, steers, or interrupts", async () => {
  const model = new Spoken(); // it never ends
  model.say("I have begun.");
  const { open } = await desk(await provider((said) => (said === "begin" ? model : [`You said: “${said}”`])));
  const page = await open();
  await say(page, "begin");
  await answers(page).getByText("I have begun.").waitFor();
  await say(page, "after that");
  await page.getByText("Queued").waitFor();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("Canceled").waitFor();
  await page.getByText("Steer").click();
  await say(page, "mind this as well");
  await page.getByRole("article", { name: "You" }).getByText("mind this as well").waitFor();
  await page.getByText("Interrupt", { exact: true }).click();
  await say(page, "now this");
  await answers(page).getByText("Stopped by you.").waitFor();
  // The steering message that was not read yet is answered together with the next one.
  await answers(page).getByText("You said: “mind this as well").waitFor();
  await answers(page).getByText("now this”").waitFor();
});

test("an error says what to do, and the message can be sent again", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "fail");
  await answers(page).getByText("the demo model failed because you asked it to").waitFor();
  await answers(page).getByText("nothing is broken: send another message").waitFor();
  await answers(page).getByRole("button", { name: "Send again" }).click();
  await answers(page).nth(1).getByText("the demo model failed").waitFor();
});

test("a model that is missing leads to where one is chosen", async () => {
  const { open } = await desk({ model: "openai:gpt-5.2" });
  const page = await open();
  await say(page, "hello");
  await answers(page).getByRole("button", { name: "Choose a model" }).click();
  await page.waitForURL(/#\/settings\/models/);
});

test("an answer that was cut off goes on", async () => {
  const cut = ["The three steps are: first", { finish_reason: "length" }];
  const { open } = await desk(await provider((said) => (said === "go on" ? ["second, and third."] : cut)));
  const page = await open();
  await say(page, "hello");
  await answers(page).getByText("the answer was cut off").waitFor();
  expect(await answers(page).locator(".note").getAttribute("class")).toContain("note-warning");
  await answers(page).getByRole("button", { name: "Continue" }).click();
  await answers(page).getByText("second, and third.").waitFor();
  // An answer that has continued offers no second Continue.
  await expect.poll(() => page.getByRole("button", { name: "Continue" }).count()).toBe(0);
});

test("a model that says nothing leads to where another is chosen", async () => {
  const { open } = await desk(await provider(() => []));
  const page = await open();
  await say(page, "hello");
  await answers(page).getByText("the model said nothing").waitFor();
  expect(await answers(page).locator(".note").getAttribute("class")).toContain("note-error");
  await answers(page).getByRole("button", { name: "Choose a model" }).click();
  await page.waitForURL(/#\/settings\/models/);
});

test("a tool shows its output while it runs, and its result when it is done", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  // The command waits until the test has seen its output.
  await say(page, "run `echo first; echo second; until [ -e seen ]; do sleep 0.1; done; echo third`");
  await questions(page).getByRole("button", { name: "Allow once" }).click();
  await page.getByText("Output").waitFor();
  await page.locator(".tool .output").getByText("second").waitFor();
  writeFileSync(join(daemon.home, "work", "seen"), "");
  await answers(page).getByText("is done").waitFor();
  const head = page.getByRole("button", { name: /run_command/ });
  expect(await head.textContent()).toMatch(/high risk.*done.*s/);
  await head.click();
  await page.locator(".tool .output").getByText("third").waitFor();
});

test("the daemon is killed in the middle of an answer: the page goes on, and nothing is lost", async () => {
  const { daemon, open } = await desk({ model: "demo", shell: true });
  const page = await open();
  await say(page, "long");
  await answers(page).getByText("This is paragraph 1").waitFor();
  await daemon.kill();
  await page.getByText(/Connection lost|Can’t reach Aster/).waitFor();
  expect(await answers(page).textContent()).toContain("This is paragraph 1");
  // No answer is being written any more, so there is nothing to stop.
  await expect.poll(() => answers(page).getByText("Writing", { exact: true }).count()).toBe(0);
  await expect.poll(() => page.getByRole("button", { name: "Stop" }).count()).toBe(0);
  await say(page, "written while it was away");
  await page.getByText("Can’t reach Aster.", { exact: true }).waitFor();
  await page.reload();
  await page.getByText("Can’t reach Aster").first().waitFor();
  await daemon.start();
  await answers(page).getByText("the daemon stopped").first().waitFor();
  await page.getByRole("article", { name: "Draft, not sent" }).waitFor();
  await page.getByRole("button", { name: "Send now" }).click();
  await answers(page).getByText("You said: “written while it was away”").waitFor();
  await expect.poll(() => page.getByRole("article", { name: "Draft, not sent" }).count()).toBe(0);
});

test("ten thousand messages scroll without blank screens", { timeout: 600_000 }, async () => {
  const { daemon, open } = await desk();
  const { session_id } = await daemon.client().sessions.create({ title: "very long" });
  await fill(daemon, session_id, 10_000);
  const page = await open(`#/s/${session_id}`);
  await page.getByText("answer 4999", { exact: true }).waitFor();
  const scroller = page.getByRole("region", { name: "Messages" });
  const seen = async (): Promise<number> => page.locator("[data-row]").count();
  // Scrolls up a few window heights at a time until the beginning: some rows are always in view.
  for (let step = 0; (await page.getByText("question 0", { exact: true }).count()) === 0; step += 1) {
    expect(step).toBeLessThan(400);
    await scroller.evaluate(async (box) => {
      const frame = (): Promise<unknown> => new Promise((resolve) => requestAnimationFrame(resolve));
      for (let turn = 0; turn < 8; turn += 1) {
        box.scrollTop -= box.clientHeight * 3;
        await frame();
        await frame();
      }
    });
    const inView = (): Promise<number> =>
      page.evaluate(() => {
        const box = document.querySelector(".scroller")?.getBoundingClientRect();
        return [...document.querySelectorAll("[data-row]")].filter((row) => {
          const { top, bottom } = row.getBoundingClientRect();
          return box !== undefined && bottom > box.top && top < box.bottom;
        }).length;
      });
    await expect.poll(inView).toBeGreaterThan(0);
    expect(await seen()).toBeLessThan(200);
  }
  // Then back to the end at once.
  await page.getByRole("button", { name: "Go to the latest message" }).click();
  await page.getByText("answer 4999", { exact: true }).waitFor();
  expect(await seen()).toBeLessThan(200);
});

test("a conversation is where it was when the person comes back to it", async () => {
  const { daemon, open } = await desk();
  const client = daemon.client();
  const { session_id } = await client.sessions.create({ title: "long" });
  await client.sessions.create({ title: "another" });
  await fill(daemon, session_id, 1000);
  const page = await open(`#/s/${session_id}`);
  const list = page.getByRole("region", { name: "Messages" });
  await page.getByText("question 499").waitFor();
  const top = () =>
    list.evaluate((box) => {
      const edge = box.getBoundingClientRect().top;
      const row = [...box.querySelectorAll<HTMLElement>("[data-row]")].find(
        (one) => one.getBoundingClientRect().bottom > edge,
      );
      return `${row?.dataset.row ?? ""} ${Math.round((row?.getBoundingClientRect().top ?? 0) - edge)}`;
    });
  for (let turns = 0; turns < 12; turns += 1) {
    await list.hover();
    await page.mouse.wheel(0, -2500);
    await page.waitForTimeout(100);
  }
  await expect.poll(async () => (await top()) === (await top())).toBe(true);
  const before = await top();
  await page.getByRole("link", { name: "another" }).click();
  await page.getByRole("heading", { name: "another" }).waitFor();
  await page.getByRole("link", { name: "long" }).click();
  await expect.poll(top).toBe(before);
});

test("words of a table stay whole on a phone", async () => {
  const wide = [
    "| setting | default | description |",
    "|---|---|---|",
    "| approval_timeout_s | 0 | How long a question waits |",
  ];
  const { open } = await desk({
    ...(await provider(() => [wide.join("\n")])),
    device: { viewport: { width: 390, height: 800 } },
  });
  const page = await open();
  await say(page, "a table");
  const cell = answers(page).getByRole("cell", { name: "approval_timeout_s" });
  await cell.waitFor();
  const lines = await cell.evaluate((one) => {
    const range = document.createRange();
    range.selectNodeContents(one);
    return range.getClientRects().length;
  });
  expect(lines).toBe(1);
});

test("a notice covers nothing, and a newer one takes its place", async () => {
  const { daemon, open } = await desk();
  const client = daemon.client();
  for (const title of ["one", "two"]) await client.sessions.create({ title });
  const page = await open();
  for (const title of ["one", "two"]) {
    await page.getByRole("button", { name: `Actions for ${title}` }).click();
    await page.getByRole("menuitem", { name: "Archive" }).click();
    await page.getByRole("link", { name: title, exact: true }).waitFor({ state: "detached" });
  }
  const notices = page.locator(".toast");
  await expect.poll(() => notices.count()).toBe(1);
  const covered = await notices.evaluate((notice) => {
    const { left, top, width, height } = notice.getBoundingClientRect();
    const beneath = document.elementsFromPoint(left + width / 2, top + height / 2);
    return beneath.some((one) => !one.contains(notice) && !notice.contains(one));
  });
  expect(covered).toBe(false);
});

test("a burst of five thousand tokens is shown whole, and the page stays at its end", async () => {
  const words = Array.from({ length: 5000 }, (_, place) => (place % 40 === 39 ? `w${place}\n\n` : `w${place} `));
  const { open } = await desk(await provider(() => words));
  const page = await open();
  await say(page, "go");
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  await page.getByText("w4999").waitFor();
  const text = await answers(page).locator(".prose").innerText();
  expect(text.split(/\s+/).filter(Boolean)).toEqual(words.map((word) => word.trim()));
  const left = (): Promise<number> =>
    page
      .getByRole("region", { name: "Messages" })
      .evaluate((box) => box.scrollHeight - box.scrollTop - box.clientHeight);
  await expect.poll(left).toBeLessThan(50);
});
