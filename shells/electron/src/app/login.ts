// Starting the app at login.
import { existsSync, mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { app } from "electron";
import { autostartEntry, autostartPath, HIDDEN, type LoginOptions } from "./login-entry.js";

export function setStartOnLogin(on: boolean, options: LoginOptions): void {
  if (process.platform !== "linux") {
    app.setLoginItemSettings({ openAtLogin: on, args: [HIDDEN] });
    return;
  }
  const path = autostartPath(options.app_id);
  if (!on) {
    if (existsSync(path)) unlinkSync(path);
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, autostartEntry(options));
}
