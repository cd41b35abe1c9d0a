// Starts the fork server of the Python tests for a test run: forking a daemon takes 30 ms, starting one half a second.
// Not for tests of the start itself. Where it is not available (only Linux has it), daemons start as usual.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { python, repository } from "../scripts/python.mjs";

export default async function setup(): Promise<(() => Promise<void>) | undefined> {
  if (process.platform !== "linux") return undefined;
  const folder = mkdtempSync(join(tmpdir(), "aster-fork-"));
  const path = join(folder, "socket");
  const server = spawn(python, ["-W", "error", "-m", "tests.support.forkserver", path], {
    cwd: repository,
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = once(server, "exit");
  const ready = once(createInterface({ input: server.stdout }), "line");
  await Promise.race([
    ready,
    gone.then(([code]) => {
      throw new Error(`the fork server ended with ${String(code)}`);
    }),
  ]);
  process.env["ASTER_FORKSERVER"] = path;
  return async () => {
    server.stdin.end();
    await gone;
    rmSync(folder, { recursive: true, force: true });
  };
}
