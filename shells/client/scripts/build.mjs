// Builds dist/: two minified ES modules, one for each entry point, and their types. With --size it only fails if a module
// is too large. With --out FOLDER it writes the modules there, without types. The parser of the event stream is bundled,
// so the package has no dependencies.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

/** The most bytes of each module, gzipped. */
const MOST_BYTES = {
  index: 18_800, // attachments and the context meter took what was left of 17 KiB, questions 800 bytes more
  tools: 4_200,
};
const BANNER = "/*! With eventsource-parser, MIT licence, copyright Espen Hovlandsdal <espen@hovlandsdal.com> */";
const root = fileURLToPath(new URL("..", import.meta.url));
const sizeOnly = process.argv.includes("--size");
const out = process.argv.includes("--out") ? process.argv[process.argv.indexOf("--out") + 1] : null;
const folder = out ?? `${root}/dist`;

if (!sizeOnly) rmSync(folder, { recursive: true, force: true });
for (const [name, most] of Object.entries(MOST_BYTES)) {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [`src/${name}.ts`],
    outfile: `dist/${name}.js`,
    bundle: true,
    ...(name === "index" && { banner: { js: BANNER } }),
    minify: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    write: false,
  });
  const [{ contents }] = outputFiles;
  const bytes = gzipSync(contents, { level: 9 }).length;
  console.log(`dist/${name}.js: ${contents.length} bytes, ${bytes} gzipped, at most ${most}`);
  if (bytes > most) process.exit(1);
  if (sizeOnly) continue;
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${name}.js`, contents);
}

if (!sizeOnly && out === null) {
  const tsc = fileURLToPath(import.meta.resolve("typescript/lib/tsc.js"));
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.build.json"], { cwd: root, stdio: "inherit" });
}
