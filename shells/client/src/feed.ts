// The stream, kept up: it reconnects behind its cursor, watches the heartbeat, and says how the connection is.
import { BACKOFF, delay_s, type Backoff } from "./backoff.js";
import { unreachable, type AsterError } from "./errors.js";
import { report } from "./http.js";
import type { StreamQuery, Transport } from "./transport.js";
import type { AsterEvent } from "./types.js";

/**
 * `connected`: the stream is open, and its heartbeat comes. `reconnecting`: it is being opened, for the first time or
 * again. `offline`: that has failed several times in a row, or the daemon refuses; it is tried on and on.
 */
export interface Link {
  state: "connected" | "reconnecting" | "offline";
  /** Failures in a row; 0 when connected. */
  failures: number;
  /** Why the last try failed. */
  error: AsterError | null;
}

export interface FollowOptions extends Partial<StreamQuery> {
  /** Every event, `connected`, `heartbeat` and `resync` included. */
  onEvent(event: AsterEvent): void;
  onLink?(link: Link): void;
  backoff?: Backoff;
  /** Timers and chance, for tests. */
  clock?: Clock;
}

export interface Feed {
  readonly link: Link;
  /** The seq behind which the stream goes on; null before it was connected for the first time. */
  readonly cursor: number | null;
  /** Try now, without the rest of the wait. */
  retry(): void;
  close(): void;
}

export interface Clock {
  now(): number;
  /** Calls back after so many ms; returns what calls it off. */
  after(ms: number, callback: () => void): () => void;
  random: () => number;
}

export const CLOCK: Clock = {
  now: () => Date.now(),
  after(ms, callback) {
    const timer = setTimeout(callback, ms);
    return () => {
      clearTimeout(timer);
    };
  },
  random: Math.random,
};

/** Failures in a row after which the daemon counts as gone. */
const OFFLINE_FROM = 3;
/** Longest wait for `connected`, in seconds. */
const OPEN_S = 15;
/** What a heartbeat may be late beyond two of its periods, in seconds. */
const GRACE_S = 1;

/** Opens the stream and keeps it up until `close`. */
export function follow(transport: Transport, options: FollowOptions): Feed {
  const clock = options.clock ?? CLOCK;
  const { agent_id, session_id, types } = options;
  let cursor = options.after ?? null;
  let link: Link = { state: "reconnecting", failures: 0, error: null };
  let closeStream: (() => void) | null = null;
  let cancelTimer: () => void = () => undefined;
  let heardAt = 0;
  let patience_ms = OPEN_S * 1000;
  let closed = false;

  function say(state: Link["state"], failures: number, error: AsterError | null): void {
    if (state === link.state && failures === link.failures && error === link.error) return;
    link = { state, failures, error };
    guarded(() => options.onLink?.(link));
  }

  function connect(): void {
    cancelTimer();
    if (closed) return;
    heardAt = clock.now();
    patience_ms = OPEN_S * 1000;
    const query: StreamQuery = { after: cursor };
    if (agent_id !== undefined) query.agent_id = agent_id;
    if (session_id !== undefined) query.session_id = session_id;
    if (types !== undefined) query.types = types;
    let current = true;
    const over = (): boolean => !current;
    let close: (() => void) | null = null;
    closeStream = () => {
      current = false;
      closeStream = null;
      close?.();
    };
    watch();
    close = transport.stream(query, {
      event(event) {
        if (current) take(event);
      },
      end(error) {
        if (current) lost(error);
      },
    });
    if (over()) close(); // it was over before it was there
  }

  /** One timer for the whole connection: set anew when it rings, not with each event. */
  function watch(): void {
    const left_ms = heardAt + patience_ms - clock.now();
    if (left_ms <= 0) lost(unreachable("the daemon's heartbeat stayed away"));
    else cancelTimer = clock.after(left_ms, watch);
  }

  function lost(error: AsterError): void {
    closeStream?.();
    cancelTimer();
    const failures = link.failures + 1;
    const refused = error.status >= 400 && error.status < 500;
    say(refused || failures >= OFFLINE_FROM ? "offline" : "reconnecting", failures, error);
    if (closed) return;
    cancelTimer = clock.after(delay_s(failures, options.backoff ?? BACKOFF, clock.random) * 1000, connect);
  }

  function take(event: AsterEvent): void {
    heardAt = clock.now();
    if (event.type === "connected") {
      patience_ms = (2 * event.data.heartbeat_s + GRACE_S) * 1000;
      cancelTimer();
      watch();
      cursor ??= event.data.last_seq;
      say("connected", 0, null);
      if (closed) return;
    } else if (event.type === "resync") {
      cursor = event.data.last_seq;
    } else if (event.seq !== null) {
      cursor = Math.max(cursor ?? 0, event.seq);
    }
    guarded(() => {
      options.onEvent(event);
    });
  }

  connect();
  return {
    get link() {
      return link;
    },
    get cursor() {
      return cursor;
    },
    retry() {
      if (!closed && link.state !== "connected") {
        closeStream?.();
        connect();
      }
    },
    close() {
      closed = true;
      cancelTimer();
      closeStream?.();
    },
  };
}

/** A listener's fault is the listener's: the stream goes on. */
export function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    report(error);
  }
}
