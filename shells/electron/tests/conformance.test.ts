// Runs this shell's supervisor through the scenarios that every shell has to pass.
import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { dist, python, shells } from "./places.js";

const run = promisify(execFile);
const kit = join(shells, "conformance", "run.py");
const listed = execFileSync(python, [kit, "--list"], { encoding: "utf8" }).trim().split("\n");
const scenarios = listed.map((line) => line.split("\t") as [string, string]);

// The kit enforces its own time limits, so this one is generous.
test.concurrent.each(scenarios)("%s: %s", { timeout: 600_000 }, async (name) => {
  const said = await run(python, [kit, "--only", name, "--", process.execPath, join(dist, "driver.cjs")], {
    env: { ...process.env, ASTER_PYTHON: python },
  }).catch((failed: unknown) => failed as { stdout: string; stderr: string });
  expect(said.stdout + said.stderr).toContain("1 of 1 scenarios as they should be");
});

test("the kit has at least 25 scenarios, and those at its end are with the real daemon", () => {
  expect(scenarios.length).toBeGreaterThanOrEqual(25);
  expect(scenarios.slice(-5).map(([name]) => name.includes("-real-"))).toEqual(Array(5).fill(true));
});

test("a driver that does not do what a scenario says fails it", async () => {
  const silent = ["-e", "process.stdin.on('data', () => {}); process.stdin.on('end', () => process.exit(0))"];
  const failed = await run(python, [kit, "--only", "40-not-there", "--wait-s", "1", "--", process.execPath, ...silent])
    .then(() => null)
    .catch((cause: unknown) => (cause as { stdout: string }).stdout);
  expect(failed).toContain("FAILED  40-not-there");
});
