// Builds dist/: one minified ES module with its types. With --size it fails if the module is too large. The parser of
// the event stream is bundled, so the package has no dependencies.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

// Attachments and the context meter took what was left of 17 KiB, questions 800 bytes more.
const MOST_BYTES = 18_800;
const root = fileURLToPath(new URL("..", import.meta.url));
const sizeOnly = process.argv.includes("--size");

if (!sizeOnly) rmSync(`${root}/dist`, { recursive: true, force: true });
const { outputFiles } = await build({
  absWorkingDir: root,
  entryPoints: ["src/index.ts"],
  outfile: "dist/index.js",
  bundle: true,
  banner: { js: "/*! With eventsource-parser, MIT licence, copyright Espen Hovlandsdal <espen@hovlandsdal.com> */" },
  minify: true,
  format: "esm",
  target: "es2022",
  platform: "neutral",
  write: false,
});
const code = outputFiles.find((file) => file.path.endsWith(".js")).contents;
const bytes = gzipSync(code, { level: 9 }).length;
console.log(`dist/index.js: ${code.length} bytes, ${bytes} gzipped, at most ${MOST_BYTES}`);
if (bytes > MOST_BYTES) process.exit(1);

if (!sizeOnly) {
  mkdirSync(`${root}/dist`, { recursive: true });
  for (const file of outputFiles) writeFileSync(file.path, file.contents);
  execFileSync(
    process.execPath,
    [fileURLToPath(import.meta.resolve("typescript/lib/tsc.js")), "-p", "tsconfig.build.json"],
    {
      cwd: root,
      stdio: "inherit",
    },
  );
}
