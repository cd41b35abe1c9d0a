// A condition of a rule, as a person writes it and as the daemon takes it.
import type { RuleCondition } from "@aster-sidecar/client";

export const TESTS = ["equals", "one_of", "beneath", "glob"] as const satisfies readonly RuleCondition["test"][];

/** A condition in the form; `key` tells it from the others. */
export interface Drafted {
  key: number;
  argument: string;
  test: RuleCondition["test"];
  value: string;
  negated: boolean;
}

/** What the daemon is sent; null while the value is empty. */
export function conditionOf({ argument, test, value, negated }: Drafted): RuleCondition | null {
  const sent = valueOf(test, value.trim());
  if (sent === "" || (Array.isArray(sent) && sent.length === 0)) return null;
  return { argument: argument.trim(), test, value: sent, ...(negated && { negated }) };
}

function valueOf(test: RuleCondition["test"], text: string): RuleCondition["value"] {
  switch (test) {
    case "equals":
      return scalarOf(text);
    case "one_of":
      return text
        .split(",")
        .map((one) => one.trim())
        .filter((one) => one !== "")
        .map(scalarOf);
    case "beneath":
    case "glob":
      return text;
  }
}

/** A number, true or false if the text is one in JSON; otherwise the text, without double quotes around it. */
function scalarOf(text: string): boolean | number | string {
  if (/^".*"$/s.test(text) && text.length > 1) return text.slice(1, -1);
  if (text === "true" || text === "false") return text === "true";
  const value = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(text) ? Number(text) : NaN;
  return Number.isFinite(value) ? value : text;
}
