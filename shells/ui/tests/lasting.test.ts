import { expect, test } from "vitest";
import { datesFrom, limitsOf } from "../src/lasting.js";

const noon = new Date(2026, 10, 30, 12).getTime();

test("a rule lasts as long as was chosen", () => {
  expect(limitsOf("always", "2020-01-01", noon)).toEqual({});
  expect(limitsOf("session", "", noon)).toEqual({ this_session: true });
  expect(limitsOf("day", "", noon)).toEqual({ expires_in_s: 86_400 });
  expect(limitsOf("month", "", noon)).toEqual({ expires_in_s: 2_592_000 });
});

test("a chosen day counts to its end, in local time", () => {
  expect(limitsOf("date", "2026-11-30", noon)).toEqual({ expires_in_s: 12 * 3600 - 1 });
  expect(limitsOf("date", "2026-12-31", noon)).toEqual({ expires_in_s: 31 * 86_400 + 12 * 3600 - 1 });
});

test.each(["", "2026-11-29", "2020-01-01", "2027-12-01", "9999-12-31", "tomorrow", "2026-12-1"])(
  "%s is no day for the end of a rule",
  (date) => {
    expect(limitsOf("date", date, noon)).toBe(null);
  },
);

test("the first and the last day that the field offers are accepted", () => {
  const { min, max } = datesFrom(new Date(noon));
  expect([min, max]).toEqual(["2026-11-30", "2027-11-29"]);
  for (const date of [min, max]) expect(limitsOf("date", date, noon)).not.toBe(null);
});
