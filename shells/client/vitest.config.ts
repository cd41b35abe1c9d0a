import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/forkserver.ts",
    // A second try beside all other steps of `make test`; the report marks such a test as retried.
    retry: process.env["CI"] === "true" ? 1 : 0,
    testTimeout: 240_000,
    hookTimeout: 60_000,
    // Most test files start daemons: two at a time are enough for two cores.
    maxWorkers: 2,
    fileParallelism: true,
  },
});
