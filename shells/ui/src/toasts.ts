// Short notices at the edge of the page; one that offers something stays long enough to be taken up on it.
import { useSyncExternalStore } from "react";

export interface Toast {
  key: number;
  kind: "info" | "error";
  text: string;
  action: { label: string; act: () => void } | null;
}

const MOST = 4;
let toasts: readonly Toast[] = [];
let last = 0;
const listeners = new Set<() => void>();

function publish(next: readonly Toast[]): void {
  toasts = next;
  for (const listener of [...listeners]) listener();
}

export function toast(
  text: string,
  options: { kind?: Toast["kind"]; action?: Toast["action"]; seconds?: number } = {},
): number {
  const { kind = "info", action = null, seconds = kind === "error" ? 12 : 8 } = options;
  last += 1;
  const key = last;
  publish([...toasts, { key, kind, text, action }].slice(-MOST));
  setTimeout(() => {
    dismiss(key);
  }, seconds * 1000);
  return key;
}

export function dismiss(key: number): void {
  if (toasts.some((shown) => shown.key === key)) publish(toasts.filter((shown) => shown.key !== key));
}

export function useToasts(): readonly Toast[] {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => {
        listeners.delete(changed);
      };
    },
    () => toasts,
  );
}
