// Finds the daemon's binary: an override, the one in the app, or that of a development checkout. PATH is never
// searched.
import { accessSync, constants, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { EngineError, problem } from "./errors.js";

export const OVERRIDE = "ASTER_SIDECAR_BINARY";

export interface Binary {
  path: string;
  source: "override" | "bundled" | "development";
}

export interface Places {
  /** The value of `ASTER_SIDECAR_BINARY`; empty counts as not set. */
  override?: string | undefined;
  /** Directories that may hold a packaged daemon: the app's resources, and the directory of its executable. */
  bundled?: readonly string[];
  /** A checkout with a virtual environment; not set in a packaged app. */
  development?: string | undefined;
  platform?: NodeJS.Platform;
}

/**
 * The first binary that can be run. An override that can't be run is an error. Raises: EngineError `engine_not_found`.
 */
export function findBinary({ override, bundled = [], development, platform = process.platform }: Places): Binary {
  const windows = platform === "win32";
  if (override) {
    const why = !isAbsolute(override) ? "is not an absolute path" : unfit(override, windows);
    if (why) throw notFound(`${OVERRIDE} ${why}: ${override}`, `Correct or unset ${OVERRIDE}.`);
    return { path: override, source: "override" };
  }
  const name = windows ? "aster-desktop.exe" : "aster-desktop";
  const candidates: Binary[] = bundled
    .flatMap((folder) => [join(folder, "aster-desktop", name), join(folder, name)])
    .map((path) => ({ path, source: "bundled" }));
  if (development) {
    const venv = windows ? [".venv", "Scripts", "aster-sidecar.exe"] : [".venv", "bin", "aster-sidecar"];
    candidates.push({ path: join(development, ...venv), source: "development" });
  }
  const found = candidates.find(({ path }) => !unfit(path, windows));
  if (found) return found;
  const looked = candidates.map(({ path }) => path).join(", ") || "nowhere";
  throw notFound(`no daemon to start; looked at ${looked}`, `Reinstall the app, or name one in ${OVERRIDE}.`);
}

function unfit(path: string, windows: boolean): string | null {
  try {
    if (!statSync(path).isFile()) return "is not a file";
    if (!windows) accessSync(path, constants.X_OK);
    return null;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === "EACCES" ? "may not be executed" : "does not exist";
  }
}

function notFound(message: string, hint: string): EngineError {
  return new EngineError(problem("engine_not_found", message, hint));
}
