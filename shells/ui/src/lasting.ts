// How long an “always” answer holds, and what the daemon is sent for it.
import type { ApproveRequest } from "@aster-sidecar/client";

export const LASTING = ["always", "session", "day", "month", "date"] as const;

export type Lasting = (typeof LASTING)[number];

type Limits = Pick<ApproveRequest, "this_session" | "expires_in_s">;

const DAY_S = 86_400;
/** The longest time of a rule that the daemon accepts, in seconds. */
const LONGEST_S = 365 * DAY_S;

/**
 * The limits of the rule. `date`: `YYYY-MM-DD`; the rule ends one second before the end of that day, in local time.
 * `now`: in ms. Null: the date is none, is over, or is too far away.
 */
export function limitsOf(lasting: Lasting, date: string, now = Date.now()): Limits | null {
  switch (lasting) {
    case "always":
      return {};
    case "session":
      return { this_session: true };
    case "day":
      return { expires_in_s: DAY_S };
    case "month":
      return { expires_in_s: 30 * DAY_S };
    case "date": {
      const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(date) ?? [];
      const next = new Date(Number(year), Number(month) - 1, Number(day) + 1);
      const expires_in_s = Math.floor(next.getTime() / 1000 - 1 - now / 1000);
      return expires_in_s > 0 && expires_in_s <= LONGEST_S ? { expires_in_s } : null;
    }
  }
}

/** The first and the last date that can be chosen. */
export function datesFrom(now = new Date()): { min: string; max: string } {
  const at = (days: number): string => {
    const date = new Date(now.getFullYear(), now.getMonth(), now.getDate() + days);
    const [month, day] = [date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, "0"));
    return `${date.getFullYear()}-${month}-${day}`;
  };
  return { min: at(0), max: at(364) };
}
