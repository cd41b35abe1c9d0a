// A data directory that the person chose: checked before it is used, and filled with the existing data.
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, isAbsolute, join, normalize, relative, sep } from "node:path";

export class RootRefused extends Error {
  override name = "RootRefused";
}

export const STORE = "aster.db";

/** The data directory for a chosen `folder`. `bundle`: the app's own directories. Raises: RootRefused. */
export function chosenRoot(folder: string, bundle: readonly string[]): string {
  if (!isAbsolute(folder)) throw new RootRefused("The directory has to be an absolute path.");
  if (folder.split(/[\\/]/).includes("..")) throw new RootRefused("The path must not contain “..”.");
  const path = normalize(folder);
  if (bundle.some((own) => isBeneath(path, own)))
    throw new RootRefused("This is the app itself: an update would take the data away with it.");
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const probe = join(path, `.aster-probe-${process.pid}`);
    writeFileSync(probe, "");
    unlinkSync(probe);
    accessSync(path, constants.R_OK | constants.W_OK);
  } catch (cause) {
    throw new RootRefused(`Nothing can be written there: ${(cause as Error).message}`);
  }
  // Other files in the folder are not mixed with the data.
  return readdirSync(path).length === 0 || existsSync(join(path, STORE)) ? path : join(path, "aster");
}

/** Whether a daemon's data are there already: then they are used, and nothing is moved. */
export function holdsData(root: string): boolean {
  return existsSync(join(root, STORE));
}

/**
 * Moves all data; the daemon has to be stopped. After an error the old directory is complete. Raises: the system's
 * error.
 */
export function moveData(from: string, to: string): void {
  if (!existsSync(from) || from === to) return;
  if (isBeneath(to, from)) throw new RootRefused("The new directory is inside the old one.");
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  if (existsSync(to)) rmdirSync(to); // it is empty, as chosenRoot has checked
  try {
    renameSync(from, to);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EXDEV") throw cause;
    const half = `${to}.aster-half`;
    rmSync(half, { recursive: true, force: true });
    // Sockets are not copied: the next daemon creates its own.
    cpSync(from, half, { recursive: true, preserveTimestamps: true, filter: (path) => relative(from, path) !== "run" });
    renameSync(half, to);
    rmSync(from, { recursive: true });
  }
}

function isBeneath(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}
