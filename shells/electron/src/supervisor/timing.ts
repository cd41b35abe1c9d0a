// Timeouts, intervals and limits. All of them can be set, so that tests run in seconds.

/** All in milliseconds, except for the counts. */
export interface Timing {
  /** From the start of the process to its ready line and its first answer on /health. */
  start_timeout_ms: number;
  health_interval_ms: number;
  health_timeout_ms: number;
  /** After this many missed answers in a row the process counts as unresponsive. */
  health_misses: number;
  backoff_ms: number;
  backoff_max_ms: number;
  /** How many times the delay doubles at most. */
  backoff_doublings: number;
  /** The random part of the delay: up to this share more or less. */
  backoff_jitter: number;
  /** After this time without a failure, earlier crashes are forgotten. */
  healthy_ms: number;
  /** After this many crashes within `crash_window_ms` it is not restarted until it is requested again. */
  crash_limit: number;
  crash_window_ms: number;
  /** From closing stdin to the end of the process; the daemon needs at most 5 s. */
  stop_ms: number;
  /** From SIGTERM to SIGKILL. */
  term_ms: number;
  /** How long to wait for an earlier daemon that is still stopping with the same data directory. */
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

/** The delay before restart number `attempt`, counted from 0. `random` is between 0 and 1. */
export function backoff_ms(attempt: number, timing: Timing = TIMING, random = Math.random): number {
  const whole = Math.min(timing.backoff_max_ms, timing.backoff_ms * 2 ** Math.min(attempt, timing.backoff_doublings));
  return Math.round(whole * (1 + timing.backoff_jitter * (2 * random() - 1)));
}
