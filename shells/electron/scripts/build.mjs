// Builds the app into dist/: main and preload process, the shared page, and the driver for the conformance kit.
import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const path = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url));

export const dist = path("../dist");
/** The folder of the built page. */
export const ui = process.env.ASTER_UI_DIST ?? path("../../../aster_sidecar/webui");

/** @type {import("esbuild").BuildOptions} */
export const options = {
  entryPoints: { driver: path("../src/driver.ts"), main: path("../src/main.ts"), preload: path("../src/preload.ts") },
  outdir: dist,
  outExtension: { ".js": ".cjs" },
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node22",
  // The last two are optional parts of ws, which works without them.
  external: ["electron", "bufferutil", "utf-8-validate"],
  // From its source, so that the app can be built before the package.
  alias: { "@aster-sidecar/client": path("../../client/src/index.ts") },
  sourcemap: true,
  logLevel: "warning",
};

/** Copies the built page. */
export function copyPage(folder = dist) {
  if (!existsSync(`${ui}/index.html`)) {
    console.error(`no page in ${ui}: build it first (make ui), or name one in ASTER_UI_DIST`);
    return false;
  }
  cpSync(ui, `${folder}/ui`, { recursive: true });
  return true;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(dist, { recursive: true });
  await build(options);
  // The driver and the tests without a window need no page; the app needs it.
  if (!copyPage() && process.argv.includes("--app")) process.exitCode = 1;
}
