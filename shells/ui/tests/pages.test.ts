import { expect, test } from "vitest";
import { accessible, answers, desk, fits, focused, noticesStay, questions, say } from "./browser.js";

const PAGES = [
  "new",
  "inbox",
  "agents",
  "archive",
  "welcome",
  "settings/models",
  "settings/permissions",
  "settings/config",
  "settings/appearance",
  "settings/services",
  "settings/flags",
  "settings/browsers",
  "settings/diagnostics",
  "settings/about",
];

test("every page, light and dark, narrow and wide: axe finds nothing, and nothing scrolls sideways", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "call read_file {}");
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  await say(page, "what can you do");
  await answers(page)
    .nth(1)
    .getByText(/tokens$/)
    .waitFor();
  await say(page, "write and run");
  await questions(page).nth(1).waitFor();
  const chat = page.url().split("#/")[1] ?? "";
  for (const name of [chat, ...PAGES]) {
    await page.evaluate(async (hash) => {
      if (window.location.hash === hash) return;
      // Waits until the new page is drawn: the old one has a heading, too.
      const changed = new Promise((resolve) => window.addEventListener("hashchange", resolve, { once: true }));
      window.location.hash = hash;
      await changed;
      for (let frames = 0; frames < 2; frames += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    }, `#/${name}`);
    await page.locator("main h1").waitFor();
    await expect.poll(() => page.getByText(/^(Loading|Looking).*…$/).count()).toBe(0);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await accessible(page, `${name}, ${colorScheme}`);
    }
    for (const width of [360, 2560]) {
      await page.setViewportSize({ width, height: 800 });
      await fits(page);
    }
    await page.setViewportSize({ width: 1280, height: 800 });
  }
});

test("the drawer and the dialogs are accessible", async () => {
  const { open } = await desk({ device: { viewport: { width: 360, height: 740 }, reducedMotion: "reduce" } });
  const page = await open();
  await page.getByRole("button", { name: "Open the menu" }).click();
  await page.getByRole("link", { name: "Inbox" }).waitFor();
  await accessible(page, "drawer");
  await page.getByRole("link", { name: "Agents" }).click();
  await page.getByRole("heading", { name: "Agents" }).waitFor();
  await expect.poll(() => page.getByRole("link", { name: "Inbox" }).isVisible()).toBe(false);
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await accessible(page, "shortcuts");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search commands and conversations" }).waitFor();
  await accessible(page, "commands");
});

test("the commands find a conversation however its letters are composed", async () => {
  const { daemon, open } = await desk();
  await daemon.client().sessions.create({ title: "ＣＡＦÉ plans" });
  const page = await open();
  await page.locator(".link-connected").waitFor();
  for (const words of ["cafe", "Café", "cafe\u0301 PLANS"]) {
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").fill(words);
    await page.getByRole("option", { name: "ＣＡＦÉ plans" }).waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("combobox").waitFor({ state: "hidden" });
  }
});

test("a dialog that is opened again before its close is told stays open", async () => {
  const { open } = await desk();
  const page = await open("#/agents");
  await page.locator(".link-connected").waitFor();
  for (const [key, field] of [
    ["k", page.getByRole("combobox")],
    ["?", page.getByRole("dialog", { name: "Keyboard shortcuts" })],
  ] as const) {
    await page.keyboard.press(key === "k" ? "Control+k" : key);
    await field.waitFor();
    await page.evaluate(async (again) => {
      const dialog = document.querySelector("dialog");
      if (!dialog) throw new Error("no dialog is open");
      const told = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
      dialog.close();
      window.dispatchEvent(new KeyboardEvent("keydown", { key: again, ctrlKey: again === "k", cancelable: true }));
      await told;
      for (let frames = 0; frames < 2; frames += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    }, key);
    expect(await field.isVisible()).toBe(true);
    await page.keyboard.press("Escape");
    await field.waitFor({ state: "hidden" });
  }
});

test("a key counts that comes before the focus has left a closed dialog", async () => {
  const { open } = await desk();
  const page = await open("#/agents");
  await page.locator(".link-connected").waitFor();
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox").waitFor();
  await page.evaluate(() => {
    const field = document.querySelector<HTMLInputElement>("dialog input");
    if (!field) throw new Error("no dialog is open");
    field.closest("dialog")?.close();
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "?", bubbles: true, cancelable: true }));
  });
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
});

test("a whole chat by keyboard alone", async () => {
  const { open, daemon, context } = await desk();
  await noticesStay(context);
  const page = await open("#/agents");
  await page.locator(".link-connected").waitFor();
  await page.keyboard.press("Alt+n");
  await page.getByRole("heading", { name: "New conversation" }).waitFor();
  await focused(page.getByRole("textbox", { name: "Message", exact: true }));
  await page.keyboard.type("write by-keys.txt");
  await page.keyboard.press("Enter");
  await questions(page).waitFor();
  await page.keyboard.press("Alt+q");
  await focused(questions(page));
  await page.keyboard.press("n");
  await focused(page.getByLabel(/Note to the agent/));
  await page.keyboard.type("looks fine");
  await page.keyboard.press("Escape");
  await focused(questions(page));
  await page.keyboard.press("a");
  await answers(page).getByText("is done").waitFor();
  expect(daemon.file("by-keys.txt")).toContain("demo");
  await page.keyboard.press("Control+k");
  await focused(page.getByRole("combobox"));
  await page.keyboard.type("appearance dark");
  await page.keyboard.press("Enter");
  await page.locator("html[data-theme=dark]").waitFor();
  await page.keyboard.press("Control+k");
  await focused(page.getByRole("combobox"));
  await page.keyboard.type("archive this");
  await page.keyboard.press("Enter");
  await page.getByText("Archived.").waitFor();
  await page.getByText("No conversations yet.").waitFor();
});

test("streamed text is told to a screen reader once, when it is whole", async () => {
  const { open } = await desk({ model: "demo" });
  const page = await open();
  const told: string[] = [];
  await page.exposeFunction("told", (text: string) => told.push(text));
  await page.evaluate(() => {
    const region = document.querySelector("[data-announcer]");
    if (!region) throw new Error("nobody announces anything");
    new MutationObserver(() => {
      (window as unknown as { told(text: string): void }).told(region.textContent);
    }).observe(region, { childList: true, characterData: true, subtree: true });
  });
  await say(page, "hello");
  await answers(page)
    .getByText(/tokens$/)
    .waitFor();
  await expect.poll(() => told.at(-1) ?? "").toMatch(/^Answer: You said: “hello”/);
  expect(told.length).toBeLessThan(4);
});
