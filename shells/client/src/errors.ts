// All errors in one form: the daemon's refusals, and `unreachable` if there was no answer from it.
import type { Failure } from "./types.js";

/** The client's own codes. All other codes are the daemon's (docs/protocol.md, section 12). */
export const UNREACHABLE = "unreachable";
export const BAD_ANSWER = "bad_answer";

/**
 * A call that did not succeed. Programs decide by `code`; `message` and `hint` are for people. `status` is the HTTP
 * status. It is 0 if there was no answer: then `code` is `unreachable`, and the daemon may or may not have received the
 * request.
 */
export class AsterError extends Error {
  override readonly name = "AsterError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string | null = null,
    readonly details: unknown = null,
    /** The request's id, which is also in the daemon's log. */
    readonly id: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Whether the daemon could not be reached or is about to stop: nothing was refused, and another try may help. */
  get unreachable(): boolean {
    return this.code === UNREACHABLE || this.code === "stopping";
  }
}

/** The error for a request without an answer. */
export function unreachable(words: string, cause?: unknown, hint = "is the daemon running?"): AsterError {
  return new AsterError(0, UNREACHABLE, words, hint, null, null, cause === undefined ? undefined : { cause });
}

/** Opens an envelope: returns its `data`, or throws its error. */
export function open(status: number, body: string): unknown {
  let envelope: unknown;
  try {
    envelope = JSON.parse(body);
  } catch (cause) {
    // A host without a daemon answers itself, and its answer is not an envelope.
    if (status === 0 || status === 502 || status === 504) throw unreachable(`no answer from the daemon`, cause);
    throw new AsterError(status, BAD_ANSWER, `the answer (${status}) is not JSON`, null, null, null, { cause });
  }
  if (isObject(envelope)) {
    if (envelope["success"] === true) return envelope["data"];
    if (envelope["success"] === false) throw refusal(status, envelope as unknown as Failure);
  }
  throw new AsterError(status, BAD_ANSWER, `the answer (${status}) has no envelope: is this Aster Sidecar?`);
}

/** Throws the error of an answer that should have been a file. */
export function notAFile(status: number, body: string): never {
  open(status, body);
  throw new AsterError(status, BAD_ANSWER, `the answer (${status}) is not a file`);
}

/** The error in a refusal's envelope. */
export function refusal(status: number, { id, error, code, hint, details }: Failure): AsterError {
  return new AsterError(status, code, error, hint ?? null, details ?? null, id);
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reports a listener's error as uncaught, without affecting the caller. */
export function report(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
