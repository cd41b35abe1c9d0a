// How requests and the stream travel: over a WebSocket from a page (socket.ts), over HTTP from a program (http.ts), or
// through the native host (host.ts).
import { AsterError } from "./errors.js";
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

export interface UploadOptions {
  signal?: AbortSignal;
  /** Called with the number of bytes sent so far. Only a page that uploads over HTTP learns more than the end. */
  progress?: (sent: number) => void;
}

export interface Transport {
  /** Resolves with any answer, including refusals. Rejects with `unreachable`, or with the signal's reason. */
  request: (method: string, path: string, body?: string, signal?: AbortSignal) => Promise<Answer>;
  /**
   * Sends a file to `POST /api/attachments`. Resolves and rejects like `request`; also rejects with `body_too_large`,
   * without sending anything.
   */
  upload: (name: string, bytes: Uint8Array, options?: UploadOptions) => Promise<Answer>;
  /** The file of an attachment, with its media type. Also rejects with the daemon's refusal. */
  download: (attachment_id: string, signal?: AbortSignal) => Promise<Blob>;
  /** Opens the stream. Returns a function that closes it. */
  stream: (query: StreamQuery, listener: StreamListener) => () => void;
}

/** The size of the largest file that the daemon takes, in bytes. */
const MOST_BYTES = 25 * 1024 * 1024;

/** Throws the refusal that the daemon would give a file of this size, before anything is sent. */
export function checkSize({ byteLength }: Uint8Array): void {
  if (byteLength <= MOST_BYTES) return;
  throw new AsterError(413, "body_too_large", `the file has ${byteLength} bytes`, "an attachment is at most 25 MiB");
}
