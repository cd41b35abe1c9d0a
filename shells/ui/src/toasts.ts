// Short notices at the edge of the page; one that offers something stays long enough to be taken up on it.
import { Cell, useCell } from "./cell.js";

export interface Toast {
  key: number;
  kind: "info" | "error";
  text: string;
  action: { label: string; act: () => void } | null;
}

const MOST = 4;
const toasts = new Cell<readonly Toast[]>([]);
let last = 0;

export function toast(
  text: string,
  options: { kind?: Toast["kind"]; action?: Toast["action"]; seconds?: number } = {},
): number {
  const { kind = "info", action = null, seconds = kind === "error" ? 12 : 8 } = options;
  last += 1;
  const key = last;
  toasts.set([...toasts.get(), { key, kind, text, action }].slice(-MOST));
  setTimeout(() => {
    dismiss(key);
  }, seconds * 1000);
  return key;
}

export function dismiss(key: number): void {
  const shown = toasts.get();
  if (shown.some((one) => one.key === key)) toasts.set(shown.filter((one) => one.key !== key));
}

export function useToasts(): readonly Toast[] {
  return useCell(toasts);
}
