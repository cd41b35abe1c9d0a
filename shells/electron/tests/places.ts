// Where things are, for tests.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished, vi } from "vitest";

export const shells = fileURLToPath(new URL("../..", import.meta.url));
export const repository = fileURLToPath(new URL("../../..", import.meta.url)).replace(/[\\/]$/, "");
const venv = join(repository, ".venv", "bin", "python");
/** The Python that has the daemon; for what needs only the standard library any will do. */
export const python = process.env["ASTER_PYTHON"] ?? (existsSync(venv) ? venv : "python3");
export const dist = fileURLToPath(new URL("../dist", import.meta.url));

/** A directory that is gone when the test is. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "aster-shell-"));
  onTestFinished(() =>
    vi.waitFor(
      () => {
        rmSync(path, { recursive: true, force: true }); // again, should the last line of a log have come in between
      },
      { timeout: 60_000, interval: 50 },
    ),
  );
  return path;
}
