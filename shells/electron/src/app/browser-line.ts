// What the tray says about the agents' browser.
import type { Browser } from "../host/attention.js";
import type { Status } from "../supervisor/index.js";

const WORDS: Record<NonNullable<Browser["state"]>, string> = {
  disabled: "off",
  idle: "not started",
  starting: "starting",
  ready: "ready",
  backoff: "failed",
  crashed: "failed",
};
/** The largest number of characters of the reason in the line about the browser. */
const REASON_MOST = 80;

/** The line about the agents' browser. Null: it is off, or the engine does not run. */
export function browserLine(status: Status, browser: Browser | null): string | null {
  if (status !== "ready" || browser === null) return null;
  const { state, error } = browser;
  const failed = state === "backoff" || state === "crashed";
  const reason = failed && error !== null ? ` – ${short(error)}` : "";
  return `Browser: ${state === null ? "not available" : WORDS[state]}${reason}`;
}

/** The first part of an error, in one line; the page shows all of it. */
function short(error: string): string {
  const [first = ""] = error
    .replace(/[\s\p{C}]+/gu, " ")
    .trim()
    .split("; ");
  const letters = Array.from(first);
  return letters.length > REASON_MOST ? `${letters.slice(0, REASON_MOST).join("")}…` : first;
}
