import { expect, test } from "vitest";
import { numberOf } from "../src/numbers.js";

test.each([
  ["1000", 1000],
  ["1,000", 1000],
  ["1 000", 1000],
  ["1\u202f000\u202f000", 1_000_000],
  ["1'000", 1000],
  ["1_000", 1000],
  ["1,234,567.5", 1_234_567.5],
  ["1.234.567", 1_234_567],
  ["0.25", 0.25],
  ["2,5", 2.5],
  ["20k", 20_000],
  ["1.5 M", 1_500_000],
  ["\u0661\u0660\u0660\u0660", 1000], // Arabic digits
  ["\uff11\uff10", 10], // full width
  ["-1", -1], // the daemon refuses it
  ["0", 0],
])("%s is a number", (text, value) => {
  expect(numberOf(text, "count", ".")).toBe(value);
});

test.each([
  "",
  " ",
  "many",
  "1.000",
  "1,00,000",
  "1.2.3",
  "12 34",
  "1e6",
  "0x10",
  "5 min",
  "Infinity",
  "1-2",
  "NaN",
  "--1",
])("“%s” is none, or could be two", (text) => {
  expect(numberOf(text, "count", ".")).toBeNull();
});

test("what a sign means depends on the country", () => {
  expect(numberOf("1.000", "count", ",")).toBe(1000);
  expect(numberOf("1,000", "count", ",")).toBeNull();
});

test.each([
  ["90", 90],
  ["10 min", 600],
  ["1.5 h", 5400],
  ["2h", 7200],
  ["30 s", 30],
])("%s is a time", (text, value) => {
  expect(numberOf(text, "seconds", ".")).toBe(value);
});
