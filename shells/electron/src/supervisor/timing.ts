// How long things may take. Every number can be set, so that tests take seconds.

/** All in milliseconds but for the counts. */
export interface Timing {
  /** From the start of the process to its ready line and a first answer on /health. */
  start_timeout_ms: number;
  health_interval_ms: number;
  health_timeout_ms: number;
  /** So many missed answers in a row, and the process counts as unresponsive. */
  health_misses: number;
  backoff_ms: number;
  backoff_max_ms: number;
  /** The delay doubles with each crash, so often at most. */
  backoff_doublings: number;
  /** Of the delay, this much more or less by chance. */
  backoff_jitter: number;
  /** After so long a life crashes are forgotten. */
  healthy_ms: number;
  /** So many crashes within so long, and it is not started again until it is asked for. */
  crash_limit: number;
  crash_window_ms: number;
  /** From the end of its stdin to the end of its life; the daemon itself needs at most 5 s. */
  stop_ms: number;
  /** From SIGTERM to SIGKILL. */
  term_ms: number;
  /** How long a daemon that still drains over the same data directory is waited for. */
  busy_ms: number;
  busy_interval_ms: number;
}

export const TIMING: Timing = {
  start_timeout_ms: 30_000,
  health_interval_ms: 5_000,
  health_timeout_ms: 2_000,
  health_misses: 3,
  backoff_ms: 1_000,
  backoff_max_ms: 30_000,
  backoff_doublings: 5,
  backoff_jitter: 0.2,
  healthy_ms: 60_000,
  crash_limit: 5,
  crash_window_ms: 60_000,
  stop_ms: 8_000,
  term_ms: 2_000,
  busy_ms: 8_000,
  busy_interval_ms: 500,
};

/** The delay before restart number `attempt`, counted from 0. `random` is in 0 to 1. */
export function backoff_ms(attempt: number, timing: Timing = TIMING, random = Math.random): number {
  const whole = Math.min(timing.backoff_max_ms, timing.backoff_ms * 2 ** Math.min(attempt, timing.backoff_doublings));
  return Math.round(whole * (1 + timing.backoff_jitter * (2 * random() - 1)));
}
