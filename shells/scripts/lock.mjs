// Keeps package-lock.json free of addresses, so that it works with every registry that npm is configured for. Without
// arguments it removes them; with --check it fails if there are any.
import { readFileSync, writeFileSync } from "node:fs";

const path = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(path, "utf8"));

for (const entry of Object.values(lock.packages)) {
  if (!entry.link) delete entry.resolved; // for a workspace, `resolved` is its folder
  delete entry.funding;
}
const clean = JSON.stringify(lock, null, 2) + "\n";

if (!process.argv.includes("--check")) {
  writeFileSync(path, clean);
} else if (readFileSync(path, "utf8") !== clean || /https?:\/\//.test(clean)) {
  console.error("package-lock.json holds addresses: run `npm run lock`");
  process.exit(1);
}
