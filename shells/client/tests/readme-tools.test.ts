// The README's example of lent tools is a program that works, also if the daemon is killed in mid-call.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { idle, launch, watch } from "./daemon.js";

const root = fileURLToPath(new URL("..", import.meta.url));

test("the example runs as it stands, and a call is answered once over kill -9 of the daemon", async () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  const example = /## Lending tools.*?```js\n(.*?)```/s.exec(readme)?.[1] ?? "";
  expect(example.trim().split("\n").length).toBeLessThanOrEqual(15);
  const folder = mkdtempSync(join(tmpdir(), "aster-lend-"));
  onTestFinished(() => {
    rmSync(folder, { recursive: true, force: true });
  });
  const installed = join(folder, "node_modules", "@aster-sidecar", "client");
  mkdirSync(installed, { recursive: true });
  copyFileSync(join(root, "package.json"), join(installed, "package.json"));
  execFileSync(process.execPath, [join(root, "scripts/build.mjs"), "--out", join(installed, "dist")]);
  writeFileSync(join(folder, "lend.mjs"), example);

  const daemon = await launch();
  const program = spawn(process.execPath, ["lend.mjs", daemon.url, daemon.token ?? ""], { cwd: folder });
  let written = "";
  program.stdout.setEncoding("utf8").on("data", (text: string) => (written += text));
  program.stderr.setEncoding("utf8").on("data", (text: string) => (written += text));
  const gone = once(program, "exit");
  onTestFinished(async () => {
    program.kill("SIGKILL");
    await gone;
  });
  const client = daemon.client();
  const offered = async (): Promise<void> => {
    expect((await client.tools()).map(({ name }) => name)).toContain("open_tab");
  };
  await vi.waitFor(offered, { timeout: 30_000, interval: 50 });

  const { session_id } = await client.sessions.create();
  const ends: string[] = [];
  const feed = client.follow({
    session_id,
    types: ["tool_end"],
    onEvent({ type }) {
      if (type === "tool_end") ends.push(type);
    },
  });
  onTestFinished(() => {
    feed.close();
  });
  const message = 'call open_tab {"url": "https://example.com"}';
  const { turn_id } = await client.send({ agent_id: "default", session_id, message });
  await vi.waitFor(() => {
    expect(written).toContain("opening https://example.com\n");
  }, 20_000);
  await daemon.restart(); // kill -9, and the same port and data directory
  const store = await watch(client, [session_id]);
  const state = await idle(store, session_id, turn_id);
  const parts = state.sessions[session_id]?.history?.messages.flatMap((one) => one.parts) ?? [];
  expect(parts.filter(({ type }) => type === "tool")).toMatchObject([
    { state: "done", result: { from: "browser", result: { opened: "https://example.com", ready: true } } },
  ]);
  expect(ends).toEqual(["tool_end"]);
  expect(written).toBe("opening https://example.com\n"); // it ran once, and there were no errors
  expect(program.exitCode).toBeNull();
});
