// Paths and temporary directories for tests.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished, vi } from "vitest";

export const shells = fileURLToPath(new URL("../..", import.meta.url));
export const repository = fileURLToPath(new URL("../../..", import.meta.url)).replace(/[\\/]$/, "");
const venv = join(repository, ".venv", "bin", "python");
/** The Python that has the daemon installed. For scripts that need only the standard library, any Python works. */
export const python = process.env["ASTER_PYTHON"] ?? (existsSync(venv) ? venv : "python3");
export const dist = fileURLToPath(new URL("../dist", import.meta.url));

/** A temporary directory that is removed when the test ends. */
export function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "aster-shell-"));
  onTestFinished(() =>
    vi.waitFor(
      () => {
        rmSync(path, { recursive: true, force: true }); // retried: a last log line may arrive during the removal
      },
      { timeout: 60_000, interval: 50 },
    ),
  );
  return path;
}
