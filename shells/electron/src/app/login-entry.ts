// Starts the app at login on Linux desktops: with a file of the Desktop Entry Specification.
import { homedir } from "node:os";
import { join } from "node:path";

/** The argument with which the system starts the app at login: the window stays hidden. */
export const HIDDEN = "--hidden";

export interface LoginOptions {
  name: string;
  app_id: string;
  /** The command line that starts this app. */
  command: readonly string[];
}

export function autostartPath(app_id: string, environment: NodeJS.ProcessEnv = process.env): string {
  const config = environment["XDG_CONFIG_HOME"];
  return join(config?.startsWith("/") ? config : join(homedir(), ".config"), "autostart", `${app_id}.desktop`);
}

export function autostartEntry({ name, command }: LoginOptions): string {
  const line = [...command, HIDDEN].map(quoted).join(" ");
  return `[Desktop Entry]\nType=Application\nName=${name}\nExec=${line}\nX-GNOME-Autostart-enabled=true\n`;
}

/** Quotes an argument as the Desktop Entry Specification requires: once for the value and once for the command. */
function quoted(argument: string): string {
  const inner = argument.replace(/(["`$\\])/g, "\\$1").replace(/%/g, "%%");
  return `"${inner.replace(/\\/g, "\\\\")}"`;
}
