import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    // Each file has a browser and daemons of its own: one at a time is enough for two cores.
    maxWorkers: 1,
    fileParallelism: false,
  },
});
