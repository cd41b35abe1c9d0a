// Figures and states as words for people.
import type { AsterError, ToolPart } from "@aster-sidecar/client";

const number = new Intl.NumberFormat();
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export const count = (value: number): string => number.format(value);

export function times(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

export function when(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return daysAgo(date) === 0 ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export function exactly(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : whole.format(date);
}

/** Whole days between that day and today; 0: today. */
export function daysAgo(date: Date): number {
  const midnight = (of: Date): number => new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  return Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
}

export function ageOf(time: string): string {
  const days = daysAgo(new Date(time));
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  if (days < 7) return "Last 7 days";
  if (days < 31) return "Last 31 days";
  return "Older";
}

export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1024 * 1024) return `${(value / 1024).toFixed(1)} KiB`;
  return `${(value / 1024 / 1024).toFixed(1)} MiB`;
}

export const RISK = { low: "low risk", medium: "medium risk", high: "high risk" } as const;

export const TOOL_STATE: Record<ToolPart["state"], string> = {
  pending: "waiting for you",
  running: "running",
  done: "done",
  failed: "failed",
  denied: "denied",
  cancelled: "canceled",
  unknown: "outcome unknown",
};

export const DECISION: Record<string, string> = {
  allow: "allowed",
  deny: "denied",
  allow_always: "always allowed",
  deny_always: "always denied",
  expired: "expired",
  cancelled: "canceled",
};

/** What went wrong, and what to do, in one line each. */
export function said(error: unknown): { message: string; hint: string | null } {
  if (typeof error === "object" && error !== null && "code" in error && "hint" in error) {
    const { message, hint, details } = error as AsterError;
    const problems = Array.isArray(details)
      ? details
          .map((detail: unknown) => {
            const { field, problem } = detail as { field?: unknown; problem?: unknown };
            return typeof problem === "string" ? `${typeof field === "string" ? `${field}: ` : ""}${problem}` : "";
          })
          .filter(Boolean)
          .join("; ")
      : "";
    return { message: problems ? `${message} (${problems})` : message, hint };
  }
  return { message: error instanceof Error ? error.message : String(error), hint: null };
}

/** What the daemon says in passing, as a sentence of its own. */
export function sentence(text: string): string {
  const [first = ""] = text;
  return text === "" ? "" : `${first.toUpperCase()}${text.slice(first.length)}${/[.!?…]$/.test(text) ? "" : "."}`;
}

export function pretty(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}
