// What goes wrong, in one shape: the daemon's own refusals, and `unreachable` where none of it came through.
import type { Failure } from "./types.js";

/** Codes of this client's own; every other code is the daemon's (docs/protocol.md, section 12). */
export const UNREACHABLE = "unreachable";
export const BAD_ANSWER = "bad_answer";

/**
 * A call that did not succeed. Decide by `code`; `message` and `hint` are for people. `status` is that of HTTP, and 0
 * where there was no answer: then `code` is `unreachable`, and nobody knows whether the daemon got the request.
 */
export class AsterError extends Error {
  override readonly name = "AsterError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null = null,
    readonly details: unknown = null,
    /** The request's id, also in the daemon's log. */
    readonly id: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether the daemon could not be asked, or is about to stop: trying again may help, and nothing was refused. */
  get unreachable(): boolean {
    return this.code === UNREACHABLE || this.code === "stopping";
  }
}

/** The error for an answer that could not be had. */
export function unreachable(words: string, cause?: unknown, hint = "is the daemon running?"): AsterError {
  return new AsterError(0, UNREACHABLE, words, hint, null, null, cause === undefined ? undefined : { cause });
}

/** An envelope as it came: its `data`, or the error that it stands for. */
export function open(status: number, body: string): unknown {
  let envelope: unknown;
  try {
    envelope = JSON.parse(body);
  } catch (cause) {
    // A host that has no daemon answers for it; what it says is no envelope.
    if (status === 0 || status === 502 || status === 504) throw unreachable(`no answer from the daemon`, cause);
    throw new AsterError(status, BAD_ANSWER, `the answer (${status}) is not JSON`, null, null, null, { cause });
  }
  if (isObject(envelope)) {
    if (envelope["success"] === true) return envelope["data"];
    if (envelope["success"] === false) throw refusal(status, envelope as unknown as Failure);
  }
  throw new AsterError(status, BAD_ANSWER, `the answer (${status}) has no envelope: is this Aster Sidecar?`);
}

/** A refusal in an envelope as an error. */
export function refusal(status: number, { id, error, code, hint, details }: Failure): AsterError {
  return new AsterError(status, code, error, hint ?? null, details ?? null, id);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Let an error of a listener be seen as a listener's: uncaught, without harm to what called it. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
