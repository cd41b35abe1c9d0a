// Light or dark: as the system has it, or as the person chose it on this device.
import { useSyncExternalStore } from "react";
import { kept, keep } from "./keep.js";

export type Theme = "system" | "light" | "dark";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
let theme: Theme = readTheme();

function readTheme(): Theme {
  const said = kept("theme");
  return said === "light" || said === "dark" ? said : "system";
}

function apply(): void {
  document.documentElement.dataset.theme = theme === "system" ? (dark.matches ? "dark" : "light") : theme;
}

export function setTheme(next: Theme): void {
  theme = next;
  keep("theme", next);
  apply();
  for (const listener of [...listeners]) listener();
}

export function useTheme(): Theme {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => {
        listeners.delete(changed);
      };
    },
    () => theme,
  );
}

dark.addEventListener("change", apply);
apply();
