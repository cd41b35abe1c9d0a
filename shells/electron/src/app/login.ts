// Starting with the person's session.
import { existsSync, mkdirSync, unlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { app } from "electron";

/** Said to the app when the system started it: it comes without a window. */
export const HIDDEN = "--hidden";

export interface LoginOptions {
  name: string;
  app_id: string;
  /** The command line that starts this app. */
  command: readonly string[];
}

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
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, autostartEntry(options));
}

/** Electron has nothing for Linux; desktops there read these files. */
export function autostartPath(app_id: string, environment: NodeJS.ProcessEnv = process.env): string {
  const config = environment["XDG_CONFIG_HOME"];
  return join(config?.startsWith("/") ? config : join(homedir(), ".config"), "autostart", `${app_id}.desktop`);
}

export function autostartEntry({ name, command }: LoginOptions): string {
  const line = [...command, HIDDEN].map(quoted).join(" ");
  return `[Desktop Entry]\nType=Application\nName=${name}\nExec=${line}\nX-GNOME-Autostart-enabled=true\n`;
}

/** As the Desktop Entry Specification wants arguments quoted: twice, once for the value and once for the command. */
function quoted(argument: string): string {
  const inner = argument.replace(/(["`$\\])/g, "\\$1").replace(/%/g, "%%");
  return `"${inner.replace(/\\/g, "\\\\")}"`;
}
