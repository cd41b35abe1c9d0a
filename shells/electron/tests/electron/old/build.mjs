// Builds the app for Electron 9 (Node 12, Chrome 83) into build/: the same sources, compiled down, with polyfills.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, transform } from "esbuild";
import { copyPage, options } from "../../../scripts/build.mjs";

const path = (/** @type {string} */ relative) => fileURLToPath(new URL(relative, import.meta.url));
export const folder = path("../../../build");

/** @type {import("esbuild").Plugin} */
const old = {
  name: "electron 9",
  setup({ onResolve, onLoad }) {
    // Node 12 knows its modules only by their plain names.
    onResolve({ filter: /^node:/ }, ({ path: name }) => ({ path: name.slice("node:".length), external: true }));
    onResolve({ filter: /^electron$/ }, ({ importer }) =>
      importer.endsWith("main.ts") || importer.includes("/src/app/") ? { path: path("electron.ts") } : null,
    );
    onLoad({ filter: /src\/main\.ts$/ }, ({ path: file }) => ({
      contents: `import "core-js/stable";\n${readFileSync(file, "utf8")}`,
      loader: "ts",
    }));
  },
};

export async function buildOld(into = folder) {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { recursive: true });
  const { driver: _, ...entryPoints } = options.entryPoints;
  await build({ ...options, entryPoints, outdir: into, target: "node12", plugins: [old] });
  if (!copyPage(into)) throw new Error("no page");
  const assets = `${into}/ui/assets`;
  for (const name of readdirSync(assets)) {
    const loader = name.endsWith(".css") ? "css" : name.endsWith(".js") ? "js" : null;
    if (loader === null) continue;
    const source = readFileSync(`${assets}/${name}`, "utf8");
    const { code } = await transform(name.startsWith("index-") && loader === "js" ? wrapped(source) : source, {
      loader,
      target: "chrome83",
    });
    writeFileSync(`${assets}/${name}`, loader === "css" ? olderStyle(code) : code);
  }
  await build({
    stdin: {
      contents: `import "core-js/stable";
        crypto.randomUUID = crypto.randomUUID || (() => [8, 4, 4, 4, 12].map((length) => Array.from(
          crypto.getRandomValues(new Uint8Array(length)), (byte) => (byte % 16).toString(16)).join("")).join("-"));`,
      resolveDir: path("."),
    },
    bundle: true,
    minify: true,
    target: "chrome83",
    outfile: `${assets}/not-there-yet.js`,
  });
  const index = `${into}/ui/index.html`;
  const html = readFileSync(index, "utf8").replace("<head>", `<head><script src="./assets/not-there-yet.js"></script>`);
  writeFileSync(index, html);
  const { name, productName, version } = JSON.parse(readFileSync(path("../../../package.json"), "utf8"));
  writeFileSync(`${into}/package.json`, JSON.stringify({ name, productName, version, main: "main.cjs" }));
}

/**
 * Replaces units and shorthands that are newer than Chrome 83. Gaps between flex items are lost: they have no
 * substitute.
 */
function olderStyle(/** @type {string} */ css) {
  return css
    .replace(/\b(\d+)[ds]v([hw])\b/g, "$1v$2")
    .replace(/\b(padding|margin)-inline:\s*([^;}]+)/g, (_, name, value) => {
      const [start, end = start] = value.trim().split(/\s+(?![^(]*\))/);
      return `${name}-left: ${start}; ${name}-right: ${end}`;
    })
    .replace(/\b(padding|margin)-block:\s*([^;}]+)/g, (_, name, value) => {
      const [start, end = start] = value.trim().split(/\s+(?![^(]*\))/);
      return `${name}-top: ${start}; ${name}-bottom: ${end}`;
    });
}

/** Wraps the page's first module, which no other module imports, so that it has no top-level `await`. */
function wrapped(source) {
  const statement = /\bimport(?:[\w$*{},\s]+from)?\s*"\.\/[^"]+";/g;
  const imports = source.match(statement)?.join("") ?? "";
  return `${imports}(async () => {${source.replace(statement, "")}\n})();`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildOld();
