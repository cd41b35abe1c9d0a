// Services, diagnostics, the test of the model and the work directory: how the settings affect the real daemon.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { answers, desk, questions, say } from "./browser.js";
import { provider } from "../../client/tests/provider.js";

test("a service is started, restarted and stopped, and its output is shown", async () => {
  const { open } = await desk({
    files: {
      "config.toml": `[services.clock]\ndescription = "Says the time."\ncommand = ["sh", "-c", "echo it begins; echo a complaint >&2; exec cat >/dev/null"]\nautostart = false\n`,
    },
  });
  const page = await open("#/settings/services");
  const row = page.getByRole("listitem").filter({ hasText: "clock" });
  await row.getByText("stopped", { exact: true }).waitFor();
  await row.getByRole("button", { name: "Start", exact: true }).click();
  await row.getByText("running", { exact: true }).waitFor();
  await row.getByRole("button", { name: "Output" }).click();
  await row.getByText("it begins").waitFor();
  await row.getByText("a complaint").waitFor();
  const [, pid] = /Process (\d+)/.exec((await row.textContent()) ?? "") ?? [];
  await row.getByRole("button", { name: "Restart" }).click();
  await expect.poll(async () => /Process (\d+)/.exec((await row.textContent()) ?? "")?.[1] ?? pid).not.toBe(pid);
  await row.getByText("running", { exact: true }).waitFor();
  await row.getByRole("button", { name: "Stop" }).click();
  await row.getByText("stopped", { exact: true }).waitFor();
});

test("a service that crashes again and again is given up, and the attention list says so", async () => {
  const { open } = await desk({
    files: {
      "config.toml": `[services.broken]\ncommand = ["sh", "-c", "echo no use >&2; exit 3"]\nautostart = true\nbackoff_s = 0.05\n`,
    },
  });
  const page = await open("#/settings/services");
  const row = page.getByRole("listitem").filter({ hasText: "broken" });
  await row.getByText("crashed", { exact: true }).waitFor();
  await row.getByText(/code 3/).waitFor();
  await page.getByRole("link", { name: /^Inbox/ }).click();
  await page.locator(".attention").filter({ hasText: "broken" }).click();
  await page.waitForURL(/#\/settings\/services/);
});

test("the model is asked for one word, and what it answers or why it does not is said", async () => {
  const { open } = await desk(await provider(() => ["ok"]));
  const page = await open("#/settings/models");
  await page.getByRole("button", { name: "Test the model" }).click();
  await page.getByText(/openai-chat:double answered in/).waitFor();
  await page.getByLabel("Another model, as provider:name").fill("anthropic:claude-sonnet-4-5");
  await page.getByRole("button", { name: "Use" }).click();
  await page.getByText("Messages go to anthropic:claude-sonnet-4-5").waitFor();
  await page.getByRole("button", { name: "Test the model" }).click();
  await page
    .getByRole("alert")
    .getByText(/ANTHROPIC_API_KEY/)
    .first()
    .waitFor();
});

test("another work directory is where the next file goes", async () => {
  const { open, daemon } = await desk();
  const elsewhere = join(daemon.home, "elsewhere");
  mkdirSync(elsewhere);
  const page = await open("#/settings/config");
  const field = page.getByLabel(/^Work folder/);
  await field.fill("not/absolute");
  await field.press("Enter");
  await page
    .getByRole("alert")
    .getByText(/work_dir/)
    .waitFor();
  await field.fill(elsewhere);
  await field.press("Enter");
  await page.getByRole("button", { name: "Reset to default" }).waitFor();
  await page.getByRole("button", { name: "New conversation" }).click();
  await say(page, "write there.txt");
  await questions(page).getByRole("button", { name: "Allow once" }).click();
  await answers(page).getByText("is done").waitFor();
  expect(readFileSync(join(elsewhere, "there.txt"), "utf8")).toContain("demo");
});

test("diagnostics are made and downloaded, without what was said", async () => {
  const { open } = await desk();
  const page = await open();
  await say(page, "a-secret-matter");
  await answers(page).getByText("You said").waitFor();
  await page.goto(page.url().replace(/#.*/, "#/settings/diagnostics"));
  await page.getByRole("button", { name: "Create file" }).click();
  const arrives = page.waitForEvent("download");
  await page.getByRole("button", { name: "Download" }).click();
  const path = await (await arrives).path();
  expect(readFileSync(path).subarray(0, 2).toString("latin1")).toBe("PK");
  expect(readFileSync(path).includes("a-secret-matter")).toBe(false);
});

/** Starts a provider that rejects every key, and returns its address. */
async function refusal(): Promise<string> {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(401, { "Content-Type": "application/json" }).end(`{"error": {"message": "no such key"}}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
}

test("a name is given, a key is checked with a real request, and one that is refused is not kept", async () => {
  const { open } = await desk({ environment: { OPENAI_BASE_URL: await refusal() }, model: "openai:gpt-5.2" });
  const page = await open("#/settings/models");
  const row = page.getByRole("listitem").filter({ hasText: "openai" }).first();
  await row.getByRole("button", { name: "Add a key" }).click();
  await row.getByLabel(/^API key for openai/).fill("sk-will-not-be-kept");
  expect(await row.getByLabel("Test the key before saving").isChecked()).toBe(true);
  await row.getByRole("button", { name: "Save", exact: true }).click();
  await row.getByRole("alert").waitFor();
  await row.getByText("no key").waitFor();
});
