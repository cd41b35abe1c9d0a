import { expect, test } from "vitest";
import { conditionOf, type Drafted } from "../src/settings/condition.js";

const drafted = (test: Drafted["test"], value: string): Drafted => ({
  key: 1,
  argument: " path ",
  test,
  value,
  negated: false,
});

test.each([
  ["equals", "main", "main"],
  ["equals", " 5 ", 5],
  ["equals", "-1.5e3", -1500],
  ["equals", "true", true],
  ["equals", "false", false],
  ["equals", "null", "null"],
  ["equals", "05", "05"],
  ["equals", "1e999", "1e999"], // more than a number can be
  ["equals", '"5"', "5"],
  ["equals", "a, b", "a, b"],
  ["equals", ",", ","],
  ["one_of", "main, 5 ,true,, dev branch", ["main", 5, true, "dev branch"]],
  ["one_of", "main", ["main"]],
  ["beneath", " 5 ", "5"],
  ["glob", "*.{md,txt}", "*.{md,txt}"],
] as const)("%s %s", (test, value, sent) => {
  expect(conditionOf(drafted(test, value))).toEqual({ argument: "path", test, value: sent });
});

test.each([
  ["equals", " "],
  ["one_of", " , ,"],
  ["glob", ""],
] as const)("%s “%s” is no condition yet", (test, value) => {
  expect(conditionOf(drafted(test, value))).toBe(null);
});

test("a condition can be negated", () => {
  expect(conditionOf({ ...drafted("equals", "x"), negated: true })).toMatchObject({ value: "x", negated: true });
});
