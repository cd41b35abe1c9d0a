import { existsSync } from "node:fs";
import { defineConfig } from "vitest/config";

const chromium = process.env.ASTER_CHROMIUM ?? "/usr/bin/chromium";
const found = existsSync(chromium);
if (!found) {
  const words = `the page's tests need Chromium: not at ${chromium} (ASTER_CHROMIUM says where it is)`;
  if (process.env.CI === "true") throw new Error(words);
  console.warn(`skipped: ${words}`);
}

export default defineConfig({
  test: {
    include: found ? ["tests/**/*.test.ts"] : [],
    passWithNoTests: !found,
    globalSetup: "../client/tests/forkserver.ts",
    // A second try beside all other steps of `make test`; the report marks such a test as retried.
    retry: process.env.CI === "true" ? 1 : 0,
    testTimeout: 240_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 60_000 } },
    // Each file has its own browser and daemons, so two cores run one file at a time.
    maxWorkers: 1,
    fileParallelism: false,
  },
});
