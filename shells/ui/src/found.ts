// Finds a query in a text, and highlights it on the page.
import { Cell, useCell } from "./cell.js";

/** Invisible characters: each belongs to the letter before it, and is ignored in a comparison. */
const UNSEEN =
  "\\0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\u{e0000}-\\u{e0fff}";
const ALL_UNSEEN = new RegExp(`[${UNSEEN}]`, "gu");
/** A letter with its marks, as people see it. */
const LETTER = new RegExp(`[^][\\p{M}\\u1160-\\u11ff\\ud7b0-\\ud7fb\\uff9e\\uff9f\\uffa0-\\uffdc${UNSEEN}]*`, "gu");
/**
 * Marks that people often omit, after a letter of their alphabet; after any other letter a mark is a part of the
 * letter.
 */
const ACCENTS =
  /([a-z\u0250-\u02af\u0370-\u03ff])[\u0300-\u036f]+|([\u0400-\u052f])[\u0300\u0301]|(\u0435)\u0308|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]/gu;
/** Letters that are treated as equal. */
const SAME: Readonly<Record<string, string>> = {
  ς: "σ",
  đ: "d",
  ø: "o",
  ł: "l",
  ħ: "h",
  ŧ: "t",
  æ: "ae",
  œ: "oe",
  ى: "ي",
  ی: "ي",
  ک: "ك",
  ة: "ه",
};
const ALL_SAME = new RegExp(`[${Object.keys(SAME).join("")}]`, "gu");
const ASCII = /^[\x01-\x7f]*$/;

interface Letters {
  /** The text in the form for comparison. */
  folded: string;
  /** For each code unit of `folded`: the position in the text of the letter that it comes from. */
  starts: number[];
}

function letters(text: string): Letters {
  let folded = "";
  const starts: number[] = [];
  const known = new Map<string, string>();
  for (const { 0: letter, index } of text.matchAll(LETTER)) {
    let plain = known.get(letter);
    if (plain === undefined) known.set(letter, (plain = fold(letter)));
    starts.push(...Array<number>(plain.length).fill(index));
    folded += plain;
  }
  return { folded, starts };
}

/**
 * A text in the daemon's form for comparison: without differences of case, accents, composition and invisible
 * characters.
 */
export function fold(text: string): string {
  if (ASCII.test(text)) return text.toLowerCase();
  return text
    .normalize("NFKD")
    .replace(ALL_UNSEEN, "")
    .toLowerCase()
    .toUpperCase() // ß becomes two capitals, and several small letters share one capital
    .toLowerCase()
    .replace(ALL_SAME, (letter) => SAME[letter] ?? letter)
    .replace(ACCENTS, "$1$2$3")
    .normalize("NFKC");
}

/** The matches of `query` in `text`, as [start, end] in code units of complete letters, from left to right. */
export function placesOf(text: string, query: string): [number, number][] {
  const wanted = fold(query);
  if (wanted === "") return [];
  const found: [number, number][] = [];
  if (ASCII.test(text)) {
    const lower = text.toLowerCase();
    for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, at + wanted.length))
      found.push([at, at + wanted.length]);
    return found;
  }
  const { folded, starts } = letters(text);
  let end = 0;
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
    const start = starts[at] ?? 0;
    if (start < end) continue;
    let after = at + wanted.length;
    while (starts[after] === starts[after - 1]) after += 1;
    end = starts[after] ?? text.length;
    found.push([start, end]);
  }
  return found;
}

/** Splits a text before, at and after a range, in code points, as the daemon counts. */
export function parted(text: string, start: number, end: number): [string, string, string] {
  const [from, to] = [unit(text, start), unit(text, end)];
  return [text.slice(0, from), text.slice(from, to), text.slice(to)];
}

/** The position, in code units, of the code point with this number. */
function unit(text: string, point: number): number {
  let at = 0;
  for (let n = 0; n < point && at < text.length; n++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** The matches of `query` in the visible text of an element, including those that span several of its nodes. */
export function rangesIn(element: Element, query: string): Range[] {
  const nodes: { node: Text; start: number }[] = [];
  let text = "";
  const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, {
    acceptNode: (node) =>
      node.parentElement?.closest(
        "button, footer, time, .out-of-sight, .hidden-character, details:not([open]) > :not(summary)",
      )
        ? NodeFilter.FILTER_REJECT
        : NodeFilter.FILTER_ACCEPT,
  });
  let block: Element | null = null;
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const here = node.parentElement?.closest("p, li, pre, td, th, h1, h2, h3, h4, h5, h6, div, blockquote") ?? null;
    if (here !== block && text !== "") text += "\n";
    block = here;
    nodes.push({ node: node as Text, start: text.length });
    text += node.nodeValue ?? "";
  }
  const point = (at: number, end: boolean): [Text, number] | null => {
    for (let n = nodes.length - 1; n >= 0; n--) {
      const one = nodes[n];
      if (one && (end ? one.start < at : one.start <= at))
        return [one.node, Math.min(at - one.start, one.node.data.length)];
    }
    return null;
  };
  return placesOf(text, query).flatMap(([start, end]) => {
    const [from, to] = [point(start, false), point(end, true)];
    if (!from || !to) return [];
    const range = document.createRange();
    range.setStart(...from);
    range.setEnd(...to);
    return [range];
  });
}

const lookedFor = new Cell("");

/** Sets the query for the conversation that is shown: long texts expand to show its first match. Empty: no query. */
export function lookFor(query: string): void {
  if (lookedFor.get() !== query) lookedFor.set(query);
}

export function useLookedFor(): string {
  return useCell(lookedFor);
}

const ALL = "found";
const THIS = "found-here";

/** Highlights ranges, if the browser can do that without a change to the page's elements. */
export function mark(all: readonly Range[], here: readonly Range[]): void {
  if (!("highlights" in CSS)) return;
  CSS.highlights.set(ALL, new Highlight(...all));
  CSS.highlights.set(THIS, new Highlight(...here));
}

export function unmark(): void {
  if (!("highlights" in CSS)) return;
  CSS.highlights.delete(ALL);
  CSS.highlights.delete(THIS);
}
