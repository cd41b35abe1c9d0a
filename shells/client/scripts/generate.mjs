// Makes src/wire.ts from the daemon's OpenAPI document.
//
//   npm run generate                      the daemon of this repository describes itself (ASTER_PYTHON, or ../../.venv)
//   npm run generate -- --url http://…    a running daemon (its token in ASTER_SIDECAR_TOKEN)
//   npm run generate -- --file some.json
//   npm run generate -- --check           writes nothing; fails when src/wire.ts is stale, or when redocly finds a fault
//                                         in the document
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import openapiTS, { astToString } from "openapi-typescript";
import { format, resolveConfig } from "prettier";
import { python, repository } from "./python.mjs";

const { values } = parseArgs({
  options: { url: { type: "string" }, file: { type: "string" }, check: { type: "boolean", default: false } },
});
const target = fileURLToPath(new URL("../src/wire.ts", import.meta.url));

const DESCRIBE = `
import json
from aster_sidecar.http.openapi import describe
from aster_sidecar.http.routes.all import ROUTES
print(json.dumps(describe(ROUTES)))
`;

async function document() {
  if (values.file !== undefined) return JSON.parse(readFileSync(values.file, "utf8"));
  if (values.url !== undefined) {
    const token = process.env.ASTER_SIDECAR_TOKEN;
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const answer = await fetch(new URL("/openapi.json", values.url), { headers });
    if (!answer.ok) throw new Error(`${values.url} answered ${answer.status}`);
    return answer.json();
  }
  const environment = { ...process.env, PYTHONPATH: repository };
  return JSON.parse(execFileSync(python, ["-c", DESCRIBE], { cwd: repository, env: environment, encoding: "utf8" }));
}

/** Sets the exit code if redocly reports a problem. Unused models are allowed: the WebSocket's are in no operation. */
function lint(described) {
  const folder = mkdtempSync(join(tmpdir(), "aster-openapi-"));
  try {
    const file = join(folder, "openapi.json");
    writeFileSync(file, JSON.stringify(described));
    const program = fileURLToPath(new URL("bin/cli.js", import.meta.resolve("@redocly/cli/package.json")));
    const env = { ...process.env, REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
    const words = ["lint", "--skip-rule", "no-unused-components", "--max-problems", "20", file];
    const told = spawnSync(process.execPath, [program, ...words], { env, encoding: "utf8" });
    if (told.status !== 0 || /\d+ warning/.test(told.stderr)) {
      console.error(told.stdout, told.stderr);
      process.exitCode = 1;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const described = await document();
if (values.check) lint(described);
for (const operations of Object.values(described.paths)) {
  for (const { responses } of Object.values(operations)) {
    // Every refusal has one shape, Failure, so it is left out of each operation's statuses.
    for (const status of Object.keys(responses)) if (status !== "200") delete responses[status];
  }
}
const types = Object.keys(described.components.schemas.Event.discriminator.mapping);
const ast = await openapiTS(described, { alphabetize: false, defaultNonNullable: false });
const source = `// Made by \`npm run generate\` from the daemon's OpenAPI document. Don't edit it.
/* eslint-disable */

${astToString(ast)}

/** Every type of event there is. */
export const EVENT_TYPES = ${JSON.stringify(types)} as const;
`;
const fresh = await format(source, { ...(await resolveConfig(target)), parser: "typescript" });

if (!values.check) {
  writeFileSync(target, fresh);
} else if (readFileSync(target, "utf8") !== fresh) {
  console.error("src/wire.ts is stale: run `npm run generate`");
  process.exit(1);
}
