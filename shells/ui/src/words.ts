// Formats numbers, dates, times and sizes for people.

const number = new Intl.NumberFormat();
const percentage = new Intl.NumberFormat(undefined, { style: "percent" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short" });
const fullClock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

export const count = (value: number): string => number.format(value);

/** `share`: 0 to 100. */
export const percent = (share: number): string => percentage.format(share / 100);

export function when(time: string): string {
  const date = new Date(time);
  if (Number.isNaN(date.getTime())) return time;
  return daysAgo(date) === 0 ? clock.format(date) : `${day.format(date)}, ${clock.format(date)}`;
}

export function exactly(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : whole.format(date);
}

/** The time of day, for a moment that is seconds away. */
export function toTheSecond(time: string): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? time : fullClock.format(date);
}

/** The number of days between that date and today; 0: today. */
export function daysAgo(date: Date): number {
  const midnight = (of: Date): number => new Date(of.getFullYear(), of.getMonth(), of.getDate()).getTime();
  return Math.round((midnight(new Date()) - midnight(date)) / 86_400_000);
}

export type Age = "today" | "yesterday" | "week" | "month" | "older";

export function ageOf(time: string): Age {
  const days = daysAgo(new Date(time));
  if (days <= 0) return "today";
  if (days === 1) return "yesterday";
  if (days < 7) return "week";
  if (days < 31) return "month";
  return "older";
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

/** Makes a separate sentence of a short text of the daemon. */
export function sentence(text: string): string {
  return text === "" ? "" : `${capital(text)}${/[.!?…]$/.test(text) ? "" : "."}`;
}

/** Capitalizes a text that begins with a plain word; a name, a path or a command at its beginning is not changed. */
export function capital(text: string): string {
  return /^\p{Ll}[\p{L}’']*(?:[\s,;]|$)/u.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text;
}

export function pretty(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2);
}

/** A text in the form for comparison: differences of case and composition are removed. */
export function folded(text: string): string {
  return text.normalize("NFKD").toLowerCase();
}
