import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    globalSetup: "tests/forkserver.ts",
    testTimeout: 240_000,
    hookTimeout: 60_000,
    // Most test files start daemons: two at a time are enough for two cores.
    maxWorkers: 2,
    fileParallelism: true,
  },
});
