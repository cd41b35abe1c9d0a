// A zip for support: the daemon's own bundle, if it can make one, and what only the app knows.
import { promises as files } from "node:fs";
import { join } from "node:path";
import { strToU8, unzipSync, zipSync, type Zippable } from "fflate";
import { wordsOf, type Supervisor } from "./supervisor/index.js";

export interface Facts {
  app_version: string;
  versions: Record<string, string | undefined>;
  platform: string;
  /** The app's state file, without the person's places. */
  state: Record<string, unknown>;
}

const KEPT = 5;
const MOST_BYTES = 5 * 1024 * 1024;
const TIMEOUT_MS = 10_000;
const NAME = /^aster-diagnostics-[0-9TZ-]+\.zip$/;

/** Writes the bundle and returns its path. It holds no conversations and no secrets. */
export async function exportDiagnostics(supervisor: Supervisor, folder: string, facts: Facts): Promise<string> {
  const { binary, ...engine } = supervisor.info;
  const content: Zippable = {};
  let daemon: string | null = null;
  try {
    Object.assign(content, await ofDaemon(supervisor));
  } catch (cause) {
    daemon = wordsOf(cause);
  }
  const log = supervisor.log.entries().map((entry) => JSON.stringify(entry) + "\n");
  const shell = { ...facts, engine: { ...engine, binary: binary?.source }, daemon_bundle: daemon ?? "included" };
  content["shell.json"] = strToU8(supervisor.redaction.clean(JSON.stringify(shell, null, 2)) + "\n");
  content["engine.log"] = strToU8(log.join(""));
  const bytes = zipSync(content);
  if (bytes.length > MOST_BYTES) throw new Error(`the bundle would have ${bytes.length} bytes`);
  await files.mkdir(folder, { recursive: true, mode: 0o700 });
  const time = new Date().toISOString().replace(/[:.]/g, "-");
  const path = join(folder, `aster-diagnostics-${time}.zip`);
  await files.writeFile(path, bytes, { mode: 0o600 });
  const older = (await files.readdir(folder))
    .filter((name) => NAME.test(name))
    .sort()
    .reverse();
  for (const name of older.slice(KEPT)) await files.unlink(join(folder, name));
  return path;
}

async function ofDaemon(supervisor: Supervisor): Promise<Zippable> {
  const { status, body } = await supervisor.call({
    method: "POST",
    path: "/api/diagnostics",
    body: "{}",
    timeout_ms: TIMEOUT_MS,
  });
  if (status !== 200) throw new Error(`the daemon answered ${status}`);
  const { data } = JSON.parse(body) as { data: { path: string } };
  return unzipSync(await files.readFile(data.path));
}
