// What went wrong, in words for people.
import type { AsterError } from "@aster-sidecar/client";
import { texts } from "./messages.js";
import { capital, sentence } from "./words.js";

/** What went wrong, and what to do, in one line each. */
export function said(error: unknown): { message: string; hint: string | null } {
  if (typeof error === "object" && error !== null && "code" in error && "hint" in error) {
    const { code, message, hint, details } = error as AsterError;
    const deleted =
      code === "session_not_found" && typeof details === "object" && details !== null && "restorable_until" in details;
    const own = deleted ? texts.conversation.deleted : texts.problems[code];
    // A page of another origin that is kept out is told how to be let in.
    if (own !== undefined) return { message: own, hint: hint?.includes("--allow-origin") === true ? hint : null };
    const problems = Array.isArray(details)
      ? details
          .map((detail: unknown) => {
            const { field, problem } = detail as { field?: unknown; problem?: unknown };
            return typeof problem === "string" ? `${typeof field === "string" ? `${field}: ` : ""}${problem}` : "";
          })
          // The message often has the first one already.
          .filter((problem) => problem !== "" && !message.includes(problem))
          .join("; ")
      : "";
    return {
      message: sentence((problems ? `${message} (${problems})` : message).replace(/Value error, /g, "")),
      // Where the protocol is written helps who writes a client, and nobody else.
      hint: hint === null || hint.includes("docs/protocol.md") ? null : capital(hint),
    };
  }
  return { message: error instanceof Error ? error.message : String(error), hint: null };
}
