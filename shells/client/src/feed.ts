// A stream that stays open: it reconnects after its cursor, checks the heartbeat, and reports the connection's state.
import { BACKOFF, delay_s, type Backoff } from "./backoff.js";
import { report, unreachable, type AsterError } from "./errors.js";
import type { StreamListener, StreamQuery, Transport } from "./transport.js";
import type { AsterEvent } from "./types.js";
import { onWake } from "./wake.js";

/**
 * `connected`: the stream is open, and its heartbeat arrives. `reconnecting`: it is being opened, for the first time or
 * again. `offline`: that has failed several times in a row, or the daemon refuses it; further tries follow.
 */
export interface Link {
  state: "connected" | "reconnecting" | "offline";
  /** Failures in a row; 0 when connected. */
  failures: number;
  /** Why the last try failed. */
  error: AsterError | null;
}

export interface FollowOptions extends Partial<StreamQuery> {
  /** Called with every event, including `connected`, `heartbeat` and `resync`. */
  onEvent(event: AsterEvent): void;
  onLink?(link: Link): void;
  backoff?: Backoff;
  /** Timers and random numbers, for tests. */
  clock?: Clock;
}

export interface Feed {
  readonly link: Link;
  /** The seq after which the stream continues; null before the first connection. */
  readonly cursor: number | null;
  /** Tries now instead of after the delay. */
  retry(): void;
  /**
   * Checks now whether the daemon still answers, for example after the system slept or the network changed. A page does
   * this automatically. If the stream was silent for two seconds, a new one is opened, and the old one is kept until
   * the new one is open. Returns false if no check was needed, because an event has just arrived.
   */
  check(): boolean;
  close(): void;
}

export interface Clock {
  now(): number;
  /** Calls back after `ms` milliseconds. Returns a function that cancels this. */
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

/** After this many failures in a row the state is `offline`. */
const OFFLINE_FROM = 3;
/** The longest wait for `connected`, in seconds. */
const OPEN_S = 15;
/** How many seconds late a heartbeat may be, after two of its periods. */
const GRACE_S = 1;
/** A stream with an event in the last QUIET_MS milliseconds counts as alive. */
const QUIET_MS = 2_000;
/** The longest wait for the answer to a check, in ms. */
const CHECK_MS = 3_000;
/** After a failed check, so many tries also have this short limit: each may use another dead kept-alive connection. */
const BRIEF_TRIES = 6;
/** How often the clock is compared with the timers, and which delay means that the system slept. */
const TICK_MS = 5_000;
const LATE_MS = 2_000;

/** One opened stream. After it is closed, its events are ignored. */
class Line {
  over = false;
  #close: (() => void) | null = null;

  open(transport: Transport, query: StreamQuery, listener: StreamListener): void {
    this.#close = transport.stream(query, {
      event: (event) => {
        if (!this.over) listener.event(event);
      },
      end: (error) => {
        if (!this.over) listener.end(error);
      },
    });
    if (this.over) this.#close(); // it was closed before it was open
  }

  close(): void {
    this.over = true;
    this.#close?.();
  }
}

/** Opens the stream and keeps it open until `close`. */
export function follow(transport: Transport, options: FollowOptions): Feed {
  const clock = options.clock ?? CLOCK;
  const { agent_id, session_id, types } = options;
  let cursor = options.after ?? null;
  let link: Link = { state: "reconnecting", failures: 0, error: null };
  let line: Line | null = null;
  let cancelTimer: () => void = () => undefined;
  /** A second stream that checks whether the daemon still answers. */
  let probe: Line | null = null;
  let cancelProbe: () => void = () => undefined;
  let heardAt = 0;
  let beat_ms = 0;
  let patience_ms = OPEN_S * 1000;
  let brief = 0;
  let closed = false;

  function say(state: Link["state"], failures: number, error: AsterError | null): void {
    if (state === link.state && failures === link.failures && error === link.error) return;
    link = { state, failures, error };
    guarded(() => options.onLink?.(link));
  }

  function query(): StreamQuery {
    const wanted: StreamQuery = { after: cursor };
    if (agent_id !== undefined) wanted.agent_id = agent_id;
    if (session_id !== undefined) wanted.session_id = session_id;
    if (types !== undefined) wanted.types = types;
    return wanted;
  }

  function connect(): void {
    cancelTimer();
    if (closed) return;
    heardAt = clock.now();
    patience_ms = brief > 0 ? CHECK_MS : OPEN_S * 1000;
    brief = Math.max(0, brief - 1);
    line = new Line();
    watch();
    line.open(transport, query(), { event: take, end: lost });
  }

  /** One timer for the whole connection. It is set again when it fires, not at each event. */
  function watch(): void {
    cancelTimer();
    const now = clock.now();
    heardAt = Math.min(heardAt, now); // the clock was set back
    const left_ms = heardAt + patience_ms - now;
    if (left_ms <= 0 && probe === null) {
      lost(unreachable("the daemon's heartbeat stayed away"));
      return;
    }
    const wait_ms = left_ms > 0 ? Math.min(left_ms, TICK_MS) : TICK_MS;
    cancelTimer = clock.after(wait_ms, () => {
      const late_ms = clock.now() - now - wait_ms;
      const missed = clock.now() - heardAt > beat_ms + GRACE_S * 1000;
      if (late_ms > LATE_MS && missed && link.state === "connected") look();
      watch();
    });
  }

  function lost(error: AsterError): void {
    line?.close();
    line = null;
    endProbe();
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
      beat_ms = event.data.heartbeat_s * 1000;
      brief = 0;
      patience_ms = 2 * beat_ms + GRACE_S * 1000;
      watch();
      cursor ??= event.data.last_seq;
      say("connected", 0, null);
      if (closed) return;
    } else if (event.type === "resync") {
      cursor = event.data.last_seq;
    } else if (event.seq !== null) {
      if (cursor !== null && event.seq <= cursor) return; // the previous stream delivered it
      cursor = event.seq;
    }
    guarded(() => {
      options.onEvent(event);
    });
  }

  function check(): boolean {
    if (closed) return false;
    const quiet = clock.now() - heardAt >= QUIET_MS;
    if (link.state === "connected") {
      if (quiet && probe === null) look();
      return probe !== null;
    }
    if (line === null || quiet) {
      line?.close();
      connect();
    }
    return true;
  }

  /** Opens a second stream. When it is open, it replaces the first. */
  function look(): void {
    if (probe !== null) return;
    const since = clock.now();
    const fresh = new Line();
    const fail = (error: AsterError): void => {
      endProbe();
      if (heardAt > since) return; // the first stream is alive
      brief = BRIEF_TRIES;
      lost(error);
    };
    probe = fresh;
    cancelProbe = clock.after(CHECK_MS, () => {
      fail(unreachable("the stream does not answer"));
    });
    fresh.open(transport, query(), {
      event(event) {
        if (line !== fresh) {
          probe = null;
          cancelProbe();
          line?.close();
          line = fresh;
        }
        take(event);
      },
      end(error) {
        if (line === fresh) lost(error);
        else fail(error);
      },
    });
  }

  function endProbe(): void {
    cancelProbe();
    probe?.close();
    probe = null;
  }

  const endWake = onWake(check);
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
        line?.close();
        connect();
      }
    },
    check,
    close() {
      closed = true;
      endWake();
      cancelTimer();
      endProbe();
      line?.close();
    },
  };
}

/** Calls a listener. Its error is reported, and the stream continues. */
export function guarded(call: () => void): void {
  try {
    call();
  } catch (error) {
    report(error);
  }
}
