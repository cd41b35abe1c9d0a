// The form of a question: what is filled in, and the answers that it makes. Without a browser.
import type { Field } from "@aster-sidecar/client";
import { expect, test } from "vitest";
import { answerOf, begin, hostOfPage, limitsOf, refusalOf, wordsOf, wrongWith, type Entered } from "../src/form.js";

const field = (given: Partial<Field>): Field => ({
  id: "f",
  text: "Which?",
  kind: "text",
  options: given.kind === "choice" || given.kind === "multi" ? ["red", "blue"] : null,
  labels: null,
  other: false,
  default: null,
  required: true,
  whole: false,
  minimum: null,
  maximum: null,
  min_length: null,
  max_length: null,
  format: null,
  ...given,
});
const entered = (given: Partial<Entered>): Entered => ({ chosen: [], text: "", other: false, ...given });

test.each<[Partial<Field>, unknown]>([
  [{ kind: "text", default: "Ada" }, "Ada"],
  [{ kind: "number", default: 2.5 }, 2.5],
  [{ kind: "boolean", default: false }, false],
  [{ kind: "choice", default: "blue" }, "blue"],
  [{ kind: "choice", default: "green", other: true }, "green"],
  [{ kind: "multi", default: ["blue", "red"] }, ["red", "blue"]],
  [{ kind: "folder", default: "/tmp" }, "/tmp"],
  [{ kind: "text" }, null],
  [{ kind: "boolean" }, null],
  [{ kind: "multi" }, null],
])("the default of %j is filled in and is the answer", (given, answer) => {
  const one = field(given);
  expect(answerOf(one, begin(one))).toEqual(answer);
  expect(wrongWith(one, begin(one)) === null).toBe(answer !== null);
  expect(wrongWith({ ...one, required: false }, begin(one))).toBeNull();
});

test.each<[Partial<Field>, Partial<Entered>, unknown]>([
  [{ kind: "number" }, { text: " 3 " }, 3],
  [{ kind: "number" }, { text: "three" }, NaN],
  [{ kind: "number" }, { text: "Infinity" }, NaN],
  [{ kind: "number" }, { text: " " }, null],
  [{ kind: "text" }, { text: " two\nlines " }, " two\nlines "],
  [{ kind: "text" }, { text: " \n" }, null],
  [{ kind: "boolean" }, { chosen: ["true"] }, true],
  [{ kind: "choice", other: true }, { text: "green", other: true }, "green"],
  [{ kind: "choice", other: true }, { text: "green", chosen: ["red"] }, "red"],
  [{ kind: "choice", other: true }, { other: true }, null],
  [{ kind: "multi", other: true }, { chosen: ["blue"], text: " green ", other: true }, ["blue", "green"]],
  [{ kind: "multi", other: true }, { chosen: ["blue"], text: "blue", other: true }, ["blue"]],
])("%j with %j is answered with %j", (given, written, answer) => {
  expect(answerOf(field(given), entered(written))).toEqual(answer);
});

test("a number that is none is refused here, also where none is needed", () => {
  expect(wrongWith(field({ kind: "number", required: false }), entered({ text: "1,000" }))).toMatch(/Enter a number/);
});

test("the daemon's refusal is told at its fields", () => {
  const fields = [field({ id: "colour" }), field({ id: "size" })];
  const colour = "it is not one of the options: a; b";
  expect(refusalOf({ colour, size: "it has to be a number" }, fields)).toEqual({
    at: { colour, size: "it has to be a number" },
    rest: "",
  });
  expect(refusalOf({ other: "there is no such field", size: "it is empty" }, fields)).toEqual({
    at: { size: "it is empty" },
    rest: "other: there is no such field",
  });
  expect(refusalOf(null, fields)).toEqual({ at: {}, rest: "" });
});

test.each<[Partial<Field>, string | null]>([
  [{ kind: "text" }, null],
  [{ kind: "text", min_length: 2 }, "At least 2 characters."],
  [{ kind: "text", min_length: 2, max_length: 5 }, "From 2 to 5 characters."],
  [{ kind: "text", format: "email" }, "An email address."],
  [{ kind: "number" }, null],
  [{ kind: "number", whole: true, minimum: 1 }, "A whole number, at least 1."],
  [{ kind: "number", minimum: 0.0001, maximum: 1 }, "A number from 0.0001 to 1."],
  [{ kind: "multi", max_length: 2 }, "Choose at most 2."],
  [{ kind: "choice" }, null],
])("the limits of %j are told", (given, words) => {
  expect(limitsOf(field(given))).toBe(words);
});

test.each<[Partial<Field>, unknown, string]>([
  [{ kind: "choice", labels: ["Crimson", "Navy"] }, "blue", "Navy"],
  [{ kind: "choice", labels: ["Crimson", "Navy"], other: true }, "green", "green"],
  [{ kind: "multi", labels: ["Crimson", "Navy"] }, ["red", "blue"], "Crimson, Navy"],
  [{ kind: "boolean" }, false, "No"],
  [{ kind: "number" }, 0, "0"],
  [{ kind: "text" }, undefined, "No answer"],
])("the answer to %j that is %j is told in words", (given, answer, words) => {
  expect(wordsOf(field(given), answer)).toBe(words);
});

test.each([
  ["https://example.com/login?a=1", "example.com"],
  ["https://good.example@bad.example:8443/", "bad.example:8443"],
  ["http://localhost:3000", "localhost:3000"],
  ["javascript:alert(1)", null],
  ["file:///etc/passwd", null],
  ["not an address", null],
])("%s is opened at %s", (url, site) => {
  expect(hostOfPage(url)).toBe(site);
});
