// Another place for the data, chosen by the person: checked before it is used, and filled by moving what there is.
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

/** Where data go when a person chose `folder`. Raises: RootRefused. `bundle`: the app's own directories. */
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
  // What is there is not mixed with ours, unless it is ours.
  return readdirSync(path).length === 0 || existsSync(join(path, STORE)) ? path : join(path, "aster");
}

/** Whether data of a daemon are there already; then they are used, and nothing is moved. */
export function holdsData(root: string): boolean {
  return existsSync(join(root, STORE));
}

/** Moves all data; the daemon has to be stopped. What fails leaves the old place whole. Raises: the system's error. */
export function moveData(from: string, to: string): void {
  if (!existsSync(from) || from === to) return;
  if (isBeneath(to, from)) throw new RootRefused("The new directory is inside the old one.");
  mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
  if (existsSync(to)) rmdirSync(to); // it is empty: chosenRoot saw to that
  try {
    renameSync(from, to);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "EXDEV") throw cause;
    const half = `${to}.aster-half`;
    rmSync(half, { recursive: true, force: true });
    // A socket is nothing to copy, and the next daemon makes its own.
    cpSync(from, half, { recursive: true, preserveTimestamps: true, filter: (path) => relative(from, path) !== "run" });
    renameSync(half, to);
    rmSync(from, { recursive: true });
  }
}

function isBeneath(path: string, folder: string): boolean {
  const way = relative(folder, path);
  return way === "" || (way !== ".." && !way.startsWith(`..${sep}`) && !isAbsolute(way));
}
