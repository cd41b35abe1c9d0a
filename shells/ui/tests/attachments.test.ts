// Files of messages: attached by paste, drop and picker, uploaded at once, kept with the draft, sent, shown and saved.
import { readFileSync } from "node:fs";
import { deflateSync } from "node:zlib";
import type { Locator, Page } from "playwright-core";
import { expect, test } from "vitest";
import { accessible, answers, desk, fits, focused, say } from "./browser.js";

// -- files -----------------------------------------------------------------------------------------------------------------

function crc(bytes: Buffer): number {
  let sum = 0xffffffff;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit += 1) sum = sum & 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  }
  return (sum ^ 0xffffffff) >>> 0;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)];
  length.writeUInt32BE(data.length);
  check.writeUInt32BE(crc(body));
  return Buffer.concat([length, body, check]);
}

/** A PNG with one colour per row. */
function png(width: number, height: number): Buffer {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const rows = Array.from({ length: height }, (_, y) => {
    const colour = [70 + (y * 120) / height, 90, 200 - (y * 120) / height];
    return Buffer.from([0, ...Array.from({ length: width }, () => colour).flat()]);
  });
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(Buffer.concat(rows))),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

const PHOTO = { name: "photo.png", mimeType: "image/png", buffer: png(400, 200) };
/** Every byte, so that nothing that reads it as text gets it back unchanged. */
const DATA = {
  name: "data.bin",
  mimeType: "application/octet-stream",
  buffer: Buffer.from(Array.from({ length: 3000 }, (_, place) => place % 256)),
};
const SVG = {
  name: "drawing.svg",
  mimeType: "image/svg+xml",
  buffer: Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg"><script>document.title = "run"</script></svg>`),
};

// -- what a person does ------------------------------------------------------------------------------------------------------

interface Given {
  name: string;
  mimeType: string;
  buffer: Buffer;
}

const tray = (page: Page): Locator => page.locator(".composer .chip");
const uploaded = (page: Page): Locator => tray(page).filter({ hasNot: page.locator("progress") });
const send = (page: Page): Locator => page.getByRole("button", { name: "Send", exact: true });
const said = (page: Page): Locator => page.getByRole("article", { name: "You", exact: true });
const field = (page: Page): Locator => page.getByRole("textbox", { name: "Message", exact: true });

async function pick(page: Page, ...files: Given[]): Promise<void> {
  const choosing = page.waitForEvent("filechooser");
  await page.getByRole("button", { name: "Attach files" }).click();
  await (await choosing).setFiles(files);
}

/** Dispatches an event with files, as the browser does for a paste or for a drag from another window. */
async function bring(on: Locator, type: string, files: readonly Given[], more: Record<string, string> = {}) {
  const given = files.map(({ buffer, ...file }) => ({ ...file, base64: buffer.toString("base64") }));
  return on.evaluate(
    (element, { type, given, more }) => {
      const transfer = new DataTransfer();
      for (const { name, mimeType, base64 } of given) {
        const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
        transfer.items.add(new File([bytes], name, { type: mimeType }));
      }
      for (const [kind, text] of Object.entries(more)) transfer.setData(kind, text);
      const how = { bubbles: true, cancelable: true };
      const event =
        type === "paste"
          ? new ClipboardEvent(type, { ...how, clipboardData: transfer })
          : new DragEvent(type, { ...how, dataTransfer: transfer });
      return !element.dispatchEvent(event);
    },
    { type, given, more },
  );
}

/** Whether the picture in this element is decoded, and how wide it is. */
const widthOf = (picture: Locator): Promise<number> =>
  picture.locator("img").evaluate((one) => (one as HTMLImageElement).naturalWidth);

async function conversation(page: Page): Promise<string> {
  await say(page, "hello");
  await answers(page).getByText("You said: “hello”").waitFor();
  return new URL(page.url()).hash;
}

// -- attaching -----------------------------------------------------------------------------------------------------------------

test("files are pasted, dropped and picked, uploaded at once, and removed", async () => {
  const { open } = await desk();
  const page = await open();
  expect(await bring(field(page), "paste", [PHOTO])).toBe(true);
  await uploaded(page).filter({ hasText: "photo.png" }).waitFor();
  await expect.poll(() => widthOf(tray(page).first())).toBe(400);

  const zone = page.getByText("Drop files here to attach them.");
  await bring(page.locator("h1"), "dragover", [DATA]);
  await zone.waitFor();
  await bring(page.locator("h1"), "drop", [DATA, SVG]);
  await zone.waitFor({ state: "detached" });
  await uploaded(page).nth(2).waitFor();
  // Only the picture is shown as one.
  expect(await tray(page).locator("img").count()).toBe(1);
  expect(await tray(page).filter({ hasText: "data.bin" }).innerText()).toContain("2.9 KiB");

  await pick(page, { ...DATA, name: "picked.bin" }, { ...PHOTO, name: "second.png" });
  await uploaded(page).nth(4).waitFor();
  await accessible(page, "a composer with files");
  await page.getByRole("button", { name: "Remove data.bin" }).click();
  await focused(page.getByRole("button", { name: "Remove drawing.svg" }));
  await expect.poll(() => tray(page).count()).toBe(4);
});

test("files that are dropped elsewhere do nothing, and text is still pasted and dragged as text", async () => {
  const { open } = await desk();
  const page = await open();
  const { href } = new URL(page.url());
  for (const type of ["dragover", "drop"]) expect(await bring(page.locator(".side"), type, [DATA])).toBe(true);
  await page.goto(`${href.split("#")[0] ?? ""}#/agents`);
  await page.getByRole("heading", { name: "Agents" }).waitFor();
  expect(await bring(page.locator("h1"), "drop", [DATA])).toBe(true);
  expect(await page.locator(".drop-zone").count()).toBe(0);
  await page.goto(href);
  await field(page).waitFor();
  // Office programs put a picture of the text beside it.
  const office = { "text/plain": "a table", "text/html": "<table></table>" };
  expect(await bring(field(page), "paste", [PHOTO], office)).toBe(false);
  expect(await bring(field(page), "dragover", [], { "text/plain": "words" })).toBe(false);
  expect(await tray(page).count()).toBe(0);
});

test("a file that is too large is named before it is uploaded, and the others are attached", async () => {
  const { open } = await desk();
  const page = await open();
  const uploads: string[] = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/api/attachments")) uploads.push(request.url());
  });
  await page.evaluate(() => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(25 * 1024 * 1024 + 1)], "film.mp4", { type: "video/mp4" }));
    transfer.items.add(new File(["small"], "small.txt", { type: "text/plain" }));
    const target = document.querySelector(".composer textarea");
    target?.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }));
  });
  await page
    .getByRole("alert")
    .getByText("“film.mp4” is too large (25.0 MiB). A file can have at most 25 MiB.")
    .waitFor();
  await uploaded(page).filter({ hasText: "small.txt" }).waitFor();
  expect([await tray(page).count(), uploads.length]).toEqual([1, 1]);
  await page.getByRole("alert").getByRole("button", { name: "Dismiss" }).click();
  expect(await page.getByText("is too large").count()).toBe(0);
});

test("a refused file keeps the message back, says why, and can be removed; a lost upload is repeated", async () => {
  const { open } = await desk();
  const page = await open();
  await field(page).fill("with a file");
  await pick(page, { name: "empty.txt", mimeType: "text/plain", buffer: Buffer.alloc(0) });
  await tray(page).getByText("The file is empty.").waitFor();
  expect(await tray(page).getByRole("button", { name: "Try again" }).count()).toBe(0);
  expect(await send(page).isDisabled()).toBe(true);
  await page.getByRole("button", { name: "Remove empty.txt" }).click();
  await focused(field(page));
  expect(await send(page).isDisabled()).toBe(false);

  let lost = true;
  await page.route("**/api/attachments", (route) => (lost ? route.abort() : route.continue()));
  await pick(page, DATA);
  await tray(page).getByText("Aster can’t be reached.").waitFor();
  lost = false;
  await tray(page).getByRole("button", { name: "Try again" }).click();
  await uploaded(page).getByText("2.9 KiB").waitFor();
  expect(await send(page).isDisabled()).toBe(false);
});

test("a message waits for its uploads, and the button says so", async () => {
  const { open } = await desk();
  const page = await open();
  let go: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => (go = resolve));
  await page.route("**/api/attachments", async (route) => {
    await gone;
    await route.continue();
  });
  await pick(page, DATA);
  await page.getByRole("progressbar", { name: "Upload of data.bin" }).waitFor();
  const waiting = page.getByRole("button", { name: "Wait until the files are uploaded." });
  expect(await waiting.isDisabled()).toBe(true);
  await field(page).press("Enter");
  await page.locator("[data-announcer]").getByText("Wait until the files are uploaded.").waitFor();
  go();
  await expect.poll(() => send(page).isDisabled()).toBe(false);
});

test("a reload keeps the text and the uploaded files of each draft", async () => {
  const { open } = await desk();
  const page = await open();
  await field(page).fill("the draft");
  await pick(page, PHOTO, DATA);
  await uploaded(page).nth(1).waitFor();
  await page.reload();
  await uploaded(page).nth(1).waitFor();
  await expect.poll(() => widthOf(tray(page).first())).toBe(400);
  expect(await field(page).inputValue()).toBe("the draft");
  await page.getByRole("button", { name: "Remove photo.png" }).click();
  await page.reload();
  await uploaded(page).filter({ hasText: "data.bin" }).waitFor();
  expect(await tray(page).count()).toBe(1);
});

// -- sending -------------------------------------------------------------------------------------------------------------------

test("a picture alone is a message: in both windows, after a reload, large, and at its size before it is loaded", async () => {
  const { open, context } = await desk();
  const page = await open();
  const hash = await conversation(page);
  const other = await open(hash);
  await pick(page, PHOTO);
  await expect.poll(() => send(page).isDisabled()).toBe(false);
  await send(page).click();
  await expect.poll(() => tray(page).count()).toBe(0);
  for (const window of [page, other]) {
    const picture = said(window).getByRole("button", { name: "Show photo.png" });
    await picture.waitFor();
    await expect.poll(() => widthOf(picture)).toBe(400);
  }
  let go: () => void = () => undefined;
  const gone = new Promise<void>((resolve) => (go = resolve));
  await context.route("**/api/attachments/*", async (route) => {
    await gone;
    await route.continue();
  });
  await other.reload();
  const picture = said(other).getByRole("button", { name: "Show photo.png" });
  await picture.waitFor();
  const before = await picture.boundingBox();
  await picture.click();
  const dialog = other.getByRole("dialog", { name: "photo.png" });
  const empty = await dialog.boundingBox();
  expect(await other.locator(".picture img, .viewer img").count()).toBe(0);
  await other.keyboard.press("Escape");
  go();
  await expect.poll(() => widthOf(picture)).toBe(400);
  expect(await picture.boundingBox()).toEqual(before);

  await picture.click();
  const large = dialog.getByRole("img", { name: "photo.png" });
  await expect.poll(() => widthOf(dialog)).toBe(400);
  expect(await dialog.boundingBox()).toEqual(empty);
  expect(await large.boundingBox()).toMatchObject({ width: 400, height: 200 });
  await accessible(other, "a large picture");
  await other.keyboard.press("Escape");
  await dialog.waitFor({ state: "detached" });
  await focused(picture);
});

test("images of a tool's result are below its call", async () => {
  const { open, context, daemon } = await desk();
  const picture = await daemon.client().upload("screen.png", PHOTO.buffer);
  // As if the tool had returned a picture.
  await context.routeWebSocket(/\/ws$/, (page) => {
    const connection = page.connectToServer();
    connection.onMessage((text) => {
      const event = JSON.parse(String(text)) as { type?: string; data?: object };
      if (event.type === "tool_end") Object.assign(event.data ?? {}, { attachments: [picture] });
      page.send(JSON.stringify(event));
    });
  });
  const page = await open();
  await conversation(page);
  await say(page, "list");
  const shown = page.locator(".tool").getByRole("button", { name: "Show screen.png" });
  await expect.poll(() => widthOf(shown)).toBe(400);
  await accessible(page, "a tool with a picture");
});

test("a file is saved byte for byte; an SVG and a page are files, never shown", async () => {
  const { open } = await desk();
  const page = await open();
  const html = { name: "page.html", mimeType: "text/html", buffer: Buffer.from("<script>alert(1)</script>") };
  await pick(page, DATA, SVG, html);
  await uploaded(page).nth(2).waitFor();
  await say(page, "three files");
  await said(page).getByText("page.html").waitFor();
  for (const given of [DATA, SVG, html]) {
    const saving = page.waitForEvent("download");
    await said(page)
      .getByRole("button", { name: `Save ${given.name}` })
      .click();
    const download = await saving;
    expect(download.suggestedFilename()).toBe(given.name);
    expect(readFileSync(await download.path()).equals(given.buffer)).toBe(true);
  }
  expect(await said(page).locator("img").count()).toBe(0);
  await said(page).getByText("three files").waitFor();
});

test("by keyboard only, and at the width of a phone", async () => {
  const { open } = await desk({ device: { viewport: { width: 390, height: 740 } } });
  const page = await open();
  await conversation(page);
  await bring(field(page), "paste", [PHOTO, { ...DATA, name: `${"long".repeat(40)}.bin` }]);
  await uploaded(page).nth(1).waitFor();
  await fits(page);
  const choosing = page.waitForEvent("filechooser");
  await field(page).focus();
  await page.keyboard.press("Shift+Tab");
  await focused(page.getByRole("button", { name: "Attach files" }));
  await page.keyboard.press("Enter");
  await (await choosing).setFiles([SVG]);
  await uploaded(page).nth(2).waitFor();
  await focused(field(page));
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await focused(page.getByRole("button", { name: "Remove drawing.svg" }));
  await page.keyboard.press("Enter");
  await expect.poll(() => tray(page).count()).toBe(2);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Tab");
  await page.keyboard.type("two files");
  await page.keyboard.press("Enter");
  const picture = said(page).getByRole("button", { name: "Show photo.png" });
  await picture.waitFor();
  await fits(page);
  await picture.focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog", { name: "photo.png" }).waitFor();
  await fits(page);
  await page.keyboard.press("Escape");
  await focused(picture);
});

test("editing an earlier message brings its files, and the draft comes back with its own", async () => {
  const { open, daemon } = await desk();
  const page = await open();
  await pick(page, PHOTO);
  await uploaded(page).waitFor();
  await say(page, "first");
  await said(page).getByRole("button", { name: "Show photo.png" }).waitFor();
  await answers(page).getByText("I have received 1 attached file").waitFor();
  await field(page).fill("my draft");
  await pick(page, DATA);
  await uploaded(page).getByText("data.bin").waitFor();
  await said(page).getByRole("button", { name: "Edit" }).click();
  await uploaded(page).getByText("photo.png").waitFor();
  expect(await tray(page).count()).toBe(1);
  await say(page, "second");
  await said(page).getByText("second", { exact: true }).waitFor();
  await said(page).getByRole("button", { name: "Show photo.png" }).waitFor();
  await uploaded(page).getByText("data.bin").waitFor();
  expect(await field(page).inputValue()).toBe("my draft");
  const { messages } = await daemon.client().history("default", new URL(page.url()).hash.split("/").at(-1));
  const files = messages.filter(({ role }) => role === "user").map(({ parts }) => parts.map(({ type }) => type));
  expect(files).toEqual([["text", "image"]]);
});

test("a file that the daemon no longer has is marked and can be removed; the rest is sent", async () => {
  const { open } = await desk();
  const page = await open();
  await conversation(page);
  await pick(page, PHOTO, DATA);
  await uploaded(page).nth(1).waitFor();
  // As if more than a day had passed: the kept draft names a file that is not there.
  await page.evaluate(() => {
    for (const key of Object.keys(localStorage).filter((one) => one.includes("files.")))
      localStorage.setItem(key, (localStorage.getItem(key) ?? "").replace(/"att_\w+"/, '"att_gone"'));
  });
  await page.reload();
  await uploaded(page).nth(1).waitFor();
  await say(page, "both files");
  const unsent = page.locator(".outgoing-refused");
  await unsent.getByText("Attachment not found").waitFor();
  await unsent.getByText("No longer available. Attach it again.").waitFor();
  await accessible(page, "a message with a file that is gone");
  await unsent.getByRole("button", { name: "Remove photo.png" }).click();
  await unsent.getByRole("button", { name: "Send now" }).click();
  const message = said(page).filter({ hasText: "both files" });
  await message.getByText("data.bin").waitFor();
  expect(await message.locator(".picture").count()).toBe(0);
});

test("a message with a file that is written while the daemon is away is sent later, with the file", async () => {
  const { daemon, open } = await desk({ shell: true });
  const page = await open();
  await conversation(page);
  await pick(page, DATA);
  await uploaded(page).waitFor();
  await daemon.kill();
  await page.getByText("Can’t reach Aster").first().waitFor();
  await say(page, "later");
  const draft = page.getByRole("article", { name: "Draft, not sent" });
  await draft.getByText("data.bin").waitFor();
  await page.reload();
  await daemon.start();
  await draft.getByText("data.bin").waitFor();
  await draft.getByRole("button", { name: "Send now" }).click();
  await said(page).filter({ hasText: "later" }).getByText("data.bin").waitFor();
});
