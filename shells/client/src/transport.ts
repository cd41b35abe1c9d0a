// How requests and the stream travel: by a WebSocket from a page (socket.ts), over HTTP from a program (http.ts), or
// through the native host (host.ts).
import type { AsterError } from "./errors.js";
import type { AsterEvent } from "./types.js";

export interface Answer {
  status: number;
  body: string;
}

/** What to see of the stream. `after` null: from now on. */
export interface StreamQuery {
  after: number | null;
  agent_id?: string;
  session_id?: string;
  types?: readonly string[];
}

export interface StreamListener {
  event(event: AsterEvent): void;
  /** The stream is over; called once, unless it was closed from here. */
  end(error: AsterError): void;
}

export interface Transport {
  /** Resolves with any answer there is, refusals included. Rejects with `unreachable`, or the signal's reason. */
  request: (method: string, path: string, body?: string, signal?: AbortSignal) => Promise<Answer>;
  /** Opens the stream; returns what closes it. */
  stream: (query: StreamQuery, listener: StreamListener) => () => void;
}
