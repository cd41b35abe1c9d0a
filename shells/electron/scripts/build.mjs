// Builds the app into dist/: main and preload process, the shared page, and the driver of the conformance kit.
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;
const source = `${root}src`;

/** @type {import("esbuild").BuildOptions} */
const options = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node22",
  external: ["electron", "bufferutil", "utf-8-validate"],
  // From its source, so that the app can be built before the package is.
  alias: { "@aster-sidecar/client": fileURLToPath(new URL("../../client/src/index.ts", import.meta.url)) },
  sourcemap: true,
  logLevel: "warning",
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist, { recursive: true });
const entries = { driver: `${source}/driver.ts`, main: `${source}/main.ts`, preload: `${source}/preload.ts` };
await build({
  ...options,
  entryPoints: Object.fromEntries(Object.entries(entries).filter(([, path]) => existsSync(path))),
  outdir: dist,
  outExtension: { ".js": ".cjs" },
});
