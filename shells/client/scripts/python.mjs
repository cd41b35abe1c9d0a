// Where the daemon of this repository is, for scripts and tests.
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../..", import.meta.url)).replace(/[\\/]$/, "");
const venv = process.platform === "win32" ? ".venv/Scripts/python.exe" : ".venv/bin/python";
export const python = process.env.ASTER_PYTHON ?? `${repository}/${venv}`;
