// The seed's own main.js and preload.js, unmodified, in a real Electron against the real daemon.
// They are read when the test runs; this repository has no copy of them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { python, repository } from "../places.js";
import { App, closeScreen, WAIT } from "./app.js";
import { missing, version } from "./runtime.js";

const isolated = fileURLToPath(new URL("old/isolated.cjs", import.meta.url));
const seeds = process.env["ASTER_SEEDS_DIR"] ?? join(dirname(repository), "shared", "seeds");
const seed = existsSync(seeds) ? readdirSync(seeds).find((name) => /^000_.*\.txt$/.test(name)) : undefined;
const why = missing() ?? (seed === undefined ? `no seed in ${seeds} (ASTER_SEEDS_DIR says where seeds are)` : null);
if (why !== null && process.env["CI"] === "true") throw new Error(`${why}, and CI=true`);
if (why !== null) console.warn(`skipped: ${why}`);

/** The seed's lines from the only line `first` up to, but not including, the next line `after`. */
function cut(first: string, after: string): string {
  const lines = readFileSync(join(seeds, seed ?? ""), "utf8").split("\n");
  const begin = lines.indexOf(first);
  const end = lines.indexOf(after, begin);
  expect(begin, `${first} is in the seed`).toBeGreaterThan(-1);
  expect(lines.indexOf(first, begin + 1), `${first} is there once`).toBe(-1);
  expect(end, `${after} follows`).toBeGreaterThan(begin);
  return lines.slice(begin, end).join("\n") + "\n";
}

/** The seed uses a fixed port, so only one test on this machine may run the seed at a time. */
async function lock(): Promise<void> {
  const holder = spawn("flock", ["-x", join(seeds, seed ?? ""), "-c", "echo held; cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  await once(holder.stdout, "data");
  onTestFinished(() => {
    holder.stdin.end();
  });
}

describe.skipIf(why !== null)(`Electron ${version()}`, () => {
  afterAll(closeScreen);
  test("the seed's main.js and preload.js chat, ask, approve and leave nothing behind", async () => {
    await lock();
    const folder = mkdtempSync(join(tmpdir(), "aster-seed-"));
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true });
    });
    const main = cut("// main.js", "// preload.js");
    expect(main).toContain("spawn(asterPath, ['--framework', 'electron', '--port', '9527'])");
    writeFileSync(join(folder, "main.js"), main);
    writeFileSync(join(folder, "preload.js"), cut("// preload.js", "API Reference"));
    writeFileSync(join(folder, "index.html"), "<!doctype html><title>seed</title>");
    writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "seed", main: "main.js" }));
    const daemon = join(folder, "aster-desktop");
    writeFileSync(daemon, `#!/bin/sh\nPYTHONPATH="${repository}" exec "${python}" -m aster_sidecar "$@"\n`);
    chmodSync(daemon, 0o755);

    const old = Number(version().split(".")[0]) < 12;
    const app = await App.launch({ main: [...(old ? ["-r", isolated] : []), folder] });
    const page = await app.page("index.html");
    await page.until("window.aster");
    expect(await page.evaluate("typeof require")).toBe("undefined"); // contextIsolation is on
    await vi.waitFor(async () => {
      expect((await fetch("http://127.0.0.1:9527/health")).status).toBe(200); // the seed's page does not show this
    }, WAIT);
    await page.evaluate(`(window.seen = [], window.off = window.aster.subscribeEvents((type, event) => {
      if (event.data) window.seen.push({ type, ...event.data }); }), 0)`);
    const started = await vi.waitFor(async () => {
      const answer = await page.evaluate<{ success: boolean }>(`window.aster.chat("default", "write seed.txt")`);
      expect(answer).toMatchObject({ success: true });
      return answer;
    }, WAIT);
    expect(started).toMatchObject({ data: { status: "started" } });
    await page.until(`window.seen.some(({ type }) => type === "approval_required")`);
    const file = join(app.home, "work", "seed.txt");
    expect(existsSync(file)).toBe(false);
    const answered = await page.evaluate(`window.aster.approve("default",
      window.seen.find(({ type }) => type === "approval_required").call_id, "allow", "from the seed")`);
    expect(answered).toMatchObject({ success: true });
    await page.until(`window.seen.some(({ type }) => type === "done")`);
    expect(existsSync(file)).toBe(true);
    const kinds = await page.evaluate<string[]>("[...new Set(window.seen.map(({ type }) => type))]");
    expect(kinds).toEqual(
      expect.arrayContaining(["text_chunk", "tool_start", "tool_end", "approval_required", "done"]),
    );
    expect(await page.evaluate(`window.aster.cancel("default")`)).toMatchObject({ success: true });
    expect(await app.quit()).toBe(0);
    await app.nothingLeft();
  });
});
