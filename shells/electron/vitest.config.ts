import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: {
    alias: { "@aster-sidecar/client": fileURLToPath(new URL("../client/src/index.ts", import.meta.url)) },
  },
  test: {
    include: ["tests/**/*.test.ts"],
    // A second try beside all other steps of `make test`; the report marks such a test as retried.
    retry: process.env["CI"] === "true" ? 1 : 0,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    // The tests start and kill many processes, so two cores run one file at a time.
    fileParallelism: false,
    maxConcurrency: 2,
  },
});
