import { expect, test } from "vitest";
import { Blocks, type Block } from "../src/blocks.js";

const rows = (many: number): string => Array.from({ length: many }, (_, row) => `| ${row} | value ${row} |\n`).join("");
const TEXTS: Record<string, string> = {
  "a paragraph of lines": `before\n\n${Array.from({ length: 900 }, (_, line) => `line ${line} **bold** of a paragraph\n`).join("")}\nafter`,
  "a table": `before\n\n| a | b |\n|---|--:|\n${rows(2000)}\nafter\n\n| c |\n|---|\n| 1 |`,
  "a list": `before\n\n${Array.from({ length: 1500 }, (_, item) => `${item + 1}. item ${item}\n    - inner ${item}\n`).join("")}\nafter`,
  "a loose list": Array.from({ length: 900 }, (_, item) => `- item ${item}\n\n  more of it\n\n`).join("") + "after",
  "a table in a quote": `> | a |\n> |---|\n${Array.from({ length: 900 }, (_, row) => `> | ${row} |\n`).join("")}`,
  code: `\`\`\`py\n${"print(1)\n".repeat(4000)}\`\`\`\nafter`,
  CRLF: `| a | b |\r\n|---|---|\r\n${rows(900).replaceAll("\n", "\r\n")}`,
};

/** The lines of text in the blocks, without the marks of Markdown. */
function said(blocks: readonly Block[]): string[] {
  return blocks.flatMap(({ tokens, source }) =>
    tokens === null
      ? [source]
      : tokens
          .filter(({ type }) => type === "inline" || type === "fence")
          .flatMap(({ content }) => content.split("\n"))
          .map((line) => line.trim())
          .filter(Boolean),
  );
}

test.each(Object.entries(TEXTS))("%s that grows says what it says at once, in every step", (_, text) => {
  const grown = new Blocks();
  for (let upto = 0, step = 0; upto < text.length; step += 1) {
    upto = Math.min(text.length, upto + 211 + ((step * 97) % 700));
    const blocks = grown.of(text.slice(0, upto));
    expect(new Set(blocks.map(({ key }) => key)).size, "keys are of one block each").toBe(blocks.length);
    if (step % 40 === 0 || upto === text.length)
      expect(said(blocks)).toEqual(said(new Blocks().of(text.slice(0, upto))));
  }
});

test.each(["a paragraph of lines", "a table", "a list"])(
  "of %s that grows, only the last piece is read again",
  (name) => {
    const text = TEXTS[name] ?? "";
    const grown = new Blocks();
    grown.of(text.slice(0, 100));
    let known: readonly Block[] = [];
    for (let upto = 200; upto < text.length - 200; upto += 100) {
      const blocks = grown.of(text.slice(0, upto));
      const read = blocks.filter((block) => !known.includes(block));
      expect(read.reduce((sum, { source }) => sum + source.length, 0)).toBeLessThan(20_000);
      known = blocks;
    }
    expect(known.length).toBeGreaterThan(3);
    expect(known.filter(({ piece }) => piece).length).toBeGreaterThan(2);
  },
);
