// Screenshots of every page, light and dark, at the width of a phone and of a desktop: `npm run screenshots` writes
// them to docs/screenshots, for people to look at. SCREENSHOTS names another folder, FORMAT another image format.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import { test } from "vitest";
import { answers, desk, questions, say } from "../tests/browser.js";
import { provider } from "../../client/tests/provider.js";

const folder = process.env.SCREENSHOTS ?? fileURLToPath(new URL("../../../docs/screenshots", import.meta.url));
const format = process.env.FORMAT === "png" ? "png" : "webp";
const SIZES = [
  [1280, 800],
  [360, 740],
] as const;

const FILES = {
  "agents/writer.yaml": "name: The writer\ndescription: Writes files and nothing else.\ntools: [write_file]\n",
  "agents/odd.yaml": "name: Odd\ncolour: red\n",
  "config.toml":
    `[services.index]\ndescription = "Keeps the search index."\ncommand = ["sh", "-c", "echo 1,204 files read; exec sleep 600"]\nautostart = true\n\n` +
    `[services.browser]\ndescription = "Gives the agent a browser."\ncommand = ["sh", "-c", "echo no display >&2; exit 3"]\nautostart = true\nbackoff_s = 0.05\n`,
};

const ANSWER = `A balcony that faces **north** has four good hours of light in June.

| plant | light | water |
|---|---|---|
| mint | 3 h | often |
| parsley | 4 h | when dry |
| chives | 4 h | when dry |

1. Begin with mint: it forgives.
2. Put the pots where the wind does not reach.

\`\`\`python
def liters(pots: int, days: int) -> float:
    """How much water that takes."""
    return pots * days * 0.25
\`\`\`

More in [the almanac](https://example.com/almanac).`;

/** One screenshot per theme and width. */
async function shoot(page: Page, name: string): Promise<void> {
  const eye = await page.context().newCDPSession(page);
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.evaluate(() => document.fonts.ready);
      await page.waitForTimeout(150);
      const { data } = await eye.send("Page.captureScreenshot", { format, ...(format === "webp" && { quality: 85 }) });
      writeFileSync(`${folder}/${name}-${width}-${colorScheme}.${format}`, Buffer.from(data, "base64"));
    }
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

async function go(page: Page, hash: string): Promise<void> {
  await page.evaluate((hash) => (window.location.hash = hash), hash);
  await page.locator("main h1").waitFor();
  await page.waitForTimeout(400);
}

test("pictures", async () => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const first = await desk({ first: true, model: "demo", files: FILES });
  const welcome = await first.open("#/welcome");
  await welcome.locator(".step-current").waitFor();
  await shoot(welcome, "welcome");
  await welcome.context().addInitScript(() => localStorage.setItem("aster.welcomed", "yes"));
  const page = await first.open("#/new");
  await shoot(page, "new");
  for (const words of ["Plan the balcony for June", "Rename the photos of the trip", "What changed in the lease?"]) {
    await first.daemon.client().sessions.create({ title: words });
  }
  await say(page, "write notes.md and run");
  await questions(page).nth(1).waitFor();
  await questions(page).first().focus();
  await shoot(page, "question");
  await go(page, "#/inbox");
  await shoot(page, "inbox");
  await page.locator(".approval").first().getByRole("button", { name: "Edit" }).click();
  await page.locator(".approval").first().getByRole("button", { name: "Note" }).click();
  await shoot(page, "inbox-edit");
  for (const name of ["agents", "archive"]) {
    await go(page, `#/${name}`);
    await shoot(page, name);
  }
  const sections = [
    "models",
    "permissions",
    "config",
    "appearance",
    "services",
    "flags",
    "browsers",
    "diagnostics",
    "about",
  ];
  for (const name of sections) {
    await go(page, `#/settings/${name}`);
    await shoot(page, `settings-${name}`);
  }
  await go(page, "#/new");
  await page.keyboard.press("Control+k");
  await page.getByRole("combobox", { name: "Search commands and conversations" }).waitFor();
  await shoot(page, "commands");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Alt+m");
  await page.getByRole("main").focus();
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await shoot(page, "keyboard");

  const real = await desk({
    ...(await provider(() => ANSWER.match(/[^]{1,40}/g) ?? [])),
    shell: true,
  });
  const chat = await real.open();
  await say(chat, "What grows on a balcony that faces north?");
  await answers(chat)
    .getByText(/tokens$/)
    .waitFor();
  await chat.locator(".hljs-keyword").first().waitFor();
  await shoot(chat, "chat");
  await real.daemon.kill();
  await chat.getByText("Can’t reach Aster").first().waitFor();
  await say(chat, "And in winter?");
  await chat.getByRole("article", { name: "Draft, not sent" }).waitFor();
  await shoot(chat, "offline");

  const closed = await desk({ token: "a-token-for-a-picture" });
  const door = await closed.open();
  await door.getByLabel("Token").waitFor();
  await shoot(door, "sign-in");
});
