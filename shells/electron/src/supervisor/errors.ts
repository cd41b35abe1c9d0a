// What can go wrong with the engine, in words for a person and a code to decide by.

export type ProblemCode =
  | "engine_not_found" // no binary where one could be, or the override names none
  | "engine_not_started" // the system refused to run it
  | "engine_refused" // it ended with a code that a restart won't change
  | "already_running" // another daemon has the data directory
  | "port_taken" // neither its port nor a free one, and no Unix socket
  | "protocol_mismatch" // it speaks another version of the contract
  | "not_ready" // it said nothing in time
  | "unresponsive" // it stopped answering
  | "stranger" // somebody else answers where it should
  | "crashed" // it ended by itself
  | "stopped"; // it was told to stop

export interface Problem {
  code: ProblemCode;
  message: string;
  /** What a person can do. */
  hint: string | null;
}

export class EngineError extends Error {
  override name = "EngineError";
  readonly code: ProblemCode;
  readonly hint: string | null;

  constructor({ code, message, hint }: Problem) {
    super(message);
    this.code = code;
    this.hint = hint;
  }

  get problem(): Problem {
    return { code: this.code, message: this.message, hint: this.hint };
  }
}

/** Asked for while no daemon is there to answer. */
export class EngineUnavailable extends Error {
  override name = "EngineUnavailable";
}

export function problem(code: ProblemCode, message: string, hint: string | null = null): Problem {
  return { code, message, hint };
}

export function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
