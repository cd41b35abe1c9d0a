// How requests and the stream travel: over a WebSocket from a page (socket.ts), over HTTP from a program (http.ts), or
// through the native host (host.ts).
import type { AsterError } from "./errors.js";
import type { AsterEvent } from "./types.js";

export interface Answer {
  status: number;
  body: string;
}

/** Which events to stream. `after` null: from now on. */
export interface StreamQuery {
  after: number | null;
  agent_id?: string;
  session_id?: string;
  types?: readonly string[];
}

export interface StreamListener {
  event(event: AsterEvent): void;
  /** The stream has ended. Called once, unless this side closed the stream. */
  end(error: AsterError): void;
}

export interface Transport {
  /** Resolves with any answer, including refusals. Rejects with `unreachable`, or with the signal's reason. */
  request: (method: string, path: string, body?: string, signal?: AbortSignal) => Promise<Answer>;
  /** Opens the stream. Returns a function that closes it. */
  stream: (query: StreamQuery, listener: StreamListener) => () => void;
}
