// How long to wait before the next try.

export interface Backoff {
  /** The first wait, in seconds. */
  base_s: number;
  /** No wait is longer. */
  most_s: number;
}

/** For a daemon on the same machine: it is back within a second or two, and asking costs next to nothing. */
export const BACKOFF: Backoff = { base_s: 0.25, most_s: 10 };

/** Seconds to wait after `failures` failures in a row (1 or more): doubling, and half of it chance. */
export function delay_s(failures: number, { base_s, most_s }: Backoff = BACKOFF, random = Math.random): number {
  const whole = Math.min(most_s, base_s * 2 ** Math.min(failures - 1, 30));
  return whole * (0.5 + random() / 2);
}
