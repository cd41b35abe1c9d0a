// Short notices above the page. A new notice replaces the last one of its kind and all notices about the same
// conversation, so that no outdated notice is shown.
import { Cell, useCell } from "./cell.js";

export interface Toast {
  key: number;
  kind: "info" | "error";
  text: string;
  action: { label: string; act: () => void } | null;
  /** The conversation that the notice refers to; empty: none. */
  about: string;
}

const toasts = new Cell<readonly Toast[]>([]);
let last = 0;

export function toast(
  text: string,
  options: { kind?: Toast["kind"]; action?: Toast["action"]; about?: string; seconds?: number } = {},
): number {
  const { kind = "info", action = null, about = "", seconds = kind === "error" ? 12 : 8 } = options;
  last += 1;
  const key = last;
  const others = toasts.get().filter((shown) => shown.kind !== kind && (about === "" || shown.about !== about));
  toasts.set([...others, { key, kind, text, action, about }]);
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
