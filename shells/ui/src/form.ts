// What a person enters into the form of a question, and the answers that it makes.
import type { Field } from "@aster-sidecar/client";
import { texts } from "./messages.js";

/** What is entered into one field. */
export interface Entered {
  /** The chosen options; of a boolean, `true` or `false`. */
  chosen: readonly string[];
  /** What was typed: a text, a number, a path, or another answer than the options. */
  text: string;
  /** Whether the other answer is chosen. */
  other: boolean;
}

export type FieldProblems = Readonly<Record<string, string>>;

const NOTHING: Entered = { chosen: [], text: "", other: false };
export const BOOLEANS = ["true", "false"] as const;

export const hasOptions = ({ kind }: Field): boolean => kind === "choice" || kind === "multi" || kind === "boolean";

/** What is filled in at first: the default. */
export function begin(field: Field): Entered {
  const given: unknown[] = Array.isArray(field.default) ? field.default : [field.default];
  const values = given.filter((value) => value != null).map(String);
  if (!hasOptions(field)) return { ...NOTHING, text: values[0] ?? "" };
  const options: readonly string[] = field.kind === "boolean" ? BOOLEANS : (field.options ?? []);
  const other = values.find((value) => !options.includes(value));
  return { chosen: options.filter((one) => values.includes(one)), text: other ?? "", other: other !== undefined };
}

/** The answer as the daemon takes it; null: none. A number that makes no sense is NaN. */
export function answerOf({ kind, options }: Field, { chosen, text, other }: Entered): unknown {
  const typed = text.trim() === "" ? null : text;
  switch (kind) {
    case "boolean":
      return chosen[0] === undefined ? null : chosen[0] === "true";
    case "choice":
      return other ? typed : (chosen[0] ?? null);
    case "multi": {
      const all = (options ?? []).filter((one) => chosen.includes(one));
      if (other && typed !== null) all.push(typed.trim());
      return all.length > 0 ? [...new Set(all)] : null;
    }
    case "number": {
      const value = Number(text.trim());
      return typed === null ? null : Number.isFinite(value) ? value : NaN;
    }
    default:
      return typed;
  }
}

/** What has to change before the answer can be sent; null: nothing. The daemon checks the rest. */
export function wrongWith(field: Field, entered: Entered): string | null {
  const answer = answerOf(field, entered);
  if (answer === null && field.required) return texts.question.missing;
  return Number.isNaN(answer) ? texts.question.notANumber : null;
}

/** The daemon's refusal of answers: what is wrong with fields of the form, by their ids, and the rest. */
export function refusalOf(details: unknown, fields: readonly Field[]): { at: FieldProblems; rest: string } {
  const told = Object.entries((details ?? {}) as Record<string, string>);
  const isHere = ([id]: [string, string]): boolean => fields.some((field) => field.id === id);
  const rest = told.filter((one) => !isHere(one)).map(([id, why]) => `${id}: ${why}`);
  return { at: Object.fromEntries(told.filter(isHere)), rest: rest.join("; ") };
}

/** The limits of an answer, in words; null: there are none. */
export function limitsOf(field: Field): string | null {
  const { kind, whole, minimum, maximum, min_length, max_length, format } = field;
  switch (kind) {
    case "number":
      return texts.question.number(whole, minimum, maximum);
    case "multi":
      return texts.question.choices(min_length, max_length);
    case "file":
      return texts.question.file;
    case "folder":
      return texts.question.folder;
    case "text":
      if (format === "email") return texts.question.email;
      return format === "uri" ? texts.question.address : texts.question.length(min_length, max_length);
    default:
      return null;
  }
}

/** An answer in words, as the form showed it. */
export function wordsOf({ kind, options, labels }: Field, answer: unknown): string {
  if (answer == null) return texts.question.none;
  if (kind === "boolean") return answer === true ? texts.question.yes : texts.question.no;
  const named = (value: unknown): string => labels?.[options?.indexOf(String(value)) ?? -1] ?? String(value);
  return Array.isArray(answer) ? answer.map(named).join(", ") : named(answer);
}

/** The host of an address that can be opened; null: it can't be. */
export function hostOfPage(url: string): string | null {
  try {
    const { protocol, host } = new URL(url);
    return protocol === "https:" || protocol === "http:" ? host : null;
  } catch {
    return null;
  }
}
