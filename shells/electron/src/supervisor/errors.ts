// The engine's problems: with a text for people and a code for programs.

export type ProblemCode =
  | "engine_not_found" // there is no binary, or the override names none that runs
  | "engine_not_started" // the system refused to run it
  | "engine_refused" // its exit code says that a restart would fail too
  | "already_running" // another daemon has the data directory
  | "port_taken" // it could use neither its port, nor a free one, nor a Unix socket
  | "protocol_mismatch" // it speaks another version of the contract
  | "not_ready" // it was not ready in time
  | "unresponsive" // it stopped answering
  | "stranger" // another program answers at its address
  | "crashed" // it ended by itself
  | "stopped"; // a stop was requested

export interface Problem {
  code: ProblemCode;
  message: string;
  /** What a person can do about it. */
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

/** A call was made while no daemon is ready. */
export class EngineUnavailable extends Error {
  override name = "EngineUnavailable";
}

export function problem(code: ProblemCode, message: string, hint: string | null = null): Problem {
  return { code, message, hint };
}

export function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
