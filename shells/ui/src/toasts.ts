// Short notices above the page. A new one takes the place of the last one of its kind, so that none says what is not so any more.
import { Cell, useCell } from "./cell.js";

export interface Toast {
  key: number;
  kind: "info" | "error";
  text: string;
  action: { label: string; act: () => void } | null;
}

const toasts = new Cell<readonly Toast[]>([]);
let last = 0;

export function toast(
  text: string,
  options: { kind?: Toast["kind"]; action?: Toast["action"]; seconds?: number } = {},
): number {
  const { kind = "info", action = null, seconds = kind === "error" ? 12 : 8 } = options;
  last += 1;
  const key = last;
  toasts.set([...toasts.get().filter((shown) => shown.kind !== kind), { key, kind, text, action }]);
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
