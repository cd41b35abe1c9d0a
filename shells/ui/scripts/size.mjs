// Fails if the files for the first paint are too large: the page, its script with everything that this imports at once,
// and its style sheets, gzipped. Files that are loaded later are listed but do not count.
import { readdirSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const MOST_BYTES = 250 * 1024;
const dist = new URL("../../../aster_sidecar/webui/", import.meta.url);
const zipped = (name) => gzipSync(readFileSync(new URL(name, dist)), { level: 9 }).length;

const page = readFileSync(new URL("index.html", dist), "utf8");
const first = new Set(["index.html"]);
const queue = [...page.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]);
while (queue.length > 0) {
  const name = queue.pop();
  if (first.has(name)) continue;
  first.add(name);
  if (!name.endsWith(".js")) continue;
  const code = readFileSync(new URL(name, dist), "utf8");
  for (const match of code.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) queue.push(`assets/${match[1]}`);
}
const later = readdirSync(new URL("assets/", dist))
  .map((name) => `assets/${name}`)
  .filter((name) => !first.has(name) && /\.(js|css)$/.test(name));

let bytes = 0;
for (const name of first) bytes += zipped(name);
for (const name of first) console.log(`first  ${String(zipped(name)).padStart(7)}  ${name}`);
for (const name of later) console.log(`later  ${String(zipped(name)).padStart(7)}  ${name}`);
console.log(`first paint: ${bytes} bytes gzipped, at most ${MOST_BYTES}`);
if (bytes > MOST_BYTES) process.exit(1);
