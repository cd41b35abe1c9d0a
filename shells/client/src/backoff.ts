// How long to wait before the next try.

export interface Backoff {
  /** The first delay, in seconds. */
  base_s: number;
  /** The longest delay, in seconds. */
  most_s: number;
}

/** For a daemon on the same machine: it is back within one or two seconds, and a try costs almost nothing. */
export const BACKOFF: Backoff = { base_s: 0.25, most_s: 10 };

/** The delay in seconds after `failures` failures in a row (1 or more). It doubles each time; half of it is random. */
export function delay_s(failures: number, { base_s, most_s }: Backoff = BACKOFF, random = Math.random): number {
  const whole = Math.min(most_s, base_s * 2 ** Math.min(failures - 1, 30));
  return whole * (0.5 + random() / 2);
}
