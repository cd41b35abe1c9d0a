// Light or dark: the system's setting, or the person's choice on this device.
import { Cell, useCell } from "./cell.js";
import { kept, keep } from "./keep.js";

export type Theme = "system" | "light" | "dark";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const theme = new Cell<Theme>(readTheme());

function readTheme(): Theme {
  const said = kept("theme");
  return said === "light" || said === "dark" ? said : "system";
}

function apply(): void {
  const chosen = theme.get();
  document.documentElement.dataset.theme = chosen === "system" ? (dark.matches ? "dark" : "light") : chosen;
}

export function setTheme(next: Theme): void {
  keep("theme", next);
  theme.set(next);
}

export function useTheme(): Theme {
  return useCell(theme);
}

theme.subscribe(apply);
dark.addEventListener("change", apply);
apply();
