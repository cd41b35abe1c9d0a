// Errors in words for people.
import type { AsterError } from "@aster-sidecar/client";
import { texts } from "./messages.js";
import { capital, sentence } from "./words.js";

/** The error and the hint, in one line each. */
export function said(error: unknown): { message: string; hint: string | null } {
  if (typeof error === "object" && error !== null && "code" in error && "hint" in error) {
    const { code, message, hint, details } = error as AsterError;
    const deleted =
      code === "session_not_found" && typeof details === "object" && details !== null && "restorable_until" in details;
    const own = deleted ? texts.conversation.deleted : texts.problems[code];
    // A page that is refused because of its origin keeps the hint that explains how to allow it.
    if (own !== undefined) return { message: own, hint: hint?.includes("--allow-origin") === true ? hint : null };
    const problems = Array.isArray(details)
      ? details
          .map((detail: unknown) => {
            const { field, problem } = detail as { field?: unknown; problem?: unknown };
            return typeof problem === "string" ? `${typeof field === "string" ? `${field}: ` : ""}${problem}` : "";
          })
          // The message often contains the first one already.
          .filter((problem) => problem !== "" && !message.includes(problem))
          .join("; ")
      : "";
    return {
      message: sentence((problems ? `${message} (${problems})` : message).replace(/Value error, /g, "")),
      // A hint that refers to the protocol only helps the author of a client.
      hint: hint === null || hint.includes("docs/protocol.md") ? null : capital(hint),
    };
  }
  return { message: error instanceof Error ? error.message : String(error), hint: null };
}
