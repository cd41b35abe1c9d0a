// The redaction test vectors that the daemon and every shell share.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Redaction } from "../src/supervisor/redaction.js";
import { shells } from "./places.js";

interface Vector {
  name: string;
  secrets?: string[];
  environment?: Record<string, string>;
  text: string;
  hides: string[];
  keeps: string[];
  not_in?: string[];
}

const vectors = JSON.parse(readFileSync(join(shells, "conformance", "redaction.json"), "utf8")) as Vector[];

test.each(vectors)("redaction: $name", ({ secrets = [], environment = {}, text, hides, keeps, not_in = [] }) => {
  const redaction = new Redaction();
  redaction.learn(...secrets);
  redaction.learnFrom(environment);
  const cleaned = redaction.clean(text);
  if (not_in.includes("electron")) {
    // A vector that is listed as not supported must really fail; otherwise the list is out of date.
    expect(hides.some((secret) => cleaned.includes(secret))).toBe(true);
    return;
  }
  for (const secret of hides) expect(cleaned).not.toContain(secret);
  for (const kept of keeps) expect(cleaned).toContain(kept);
  if (hides.length > 0) expect(cleaned).toContain("[secret]");
  else expect(cleaned).toBe(text);
});
