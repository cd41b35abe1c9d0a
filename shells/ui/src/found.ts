// Where in a text something that was looked for stands, and its mark on the page.

interface Letters {
  /** The text as it is compared: case and accents do not count. */
  folded: string;
  /** Where in the text each of its code units comes from; one more for the end. */
  from: number[];
}

const JOINED = /^[\p{M}\u200b-\u200f\u2060\ufe00-\ufe0f\u00ad]/u;

function letters(text: string): Letters {
  let folded = "";
  const from: number[] = [];
  let at = 0;
  for (const char of text) {
    // A mark belongs to the letter before it.
    if (!JOINED.test(char)) {
      const plain = fold(char);
      from.push(...Array<number>(plain.length).fill(at));
      folded += plain;
    }
    at += char.length;
  }
  from.push(text.length);
  return { folded, from };
}

/** A text as it is compared. */
export function fold(text: string): string {
  return text
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[\p{M}\u200b-\u200f\u2060\ufe00-\ufe0f\u00ad]/gu, "")
    .replaceAll("ß", "ss")
    .replaceAll("ς", "σ")
    .replaceAll("ı", "i");
}

/** Where `query` stands in `text`, as [start, end] in code units, from left to right. */
export function placesOf(text: string, query: string): [number, number][] {
  const wanted = fold(query);
  if (wanted === "") return [];
  const { folded, from } = letters(text);
  const found: [number, number][] = [];
  for (let at = folded.indexOf(wanted); at >= 0; at = folded.indexOf(wanted, at + wanted.length)) {
    const start = from[at] ?? 0;
    const last = from[at + wanted.length - 1] ?? 0;
    let end = at + wanted.length;
    while ((from[end] ?? text.length) <= last && end < from.length - 1) end += 1;
    found.push([start, from[end] ?? text.length]);
  }
  return found;
}

/** A part of a text, by code points, as the daemon counts. */
export function parted(text: string, start: number, end: number): [string, string, string] {
  const [from, to] = [unit(text, start), unit(text, end)];
  return [text.slice(0, from), text.slice(from, to), text.slice(to)];
}

/** Where the code point with this number begins, in code units. */
function unit(text: string, point: number): number {
  let at = 0;
  for (let n = 0; n < point && at < text.length; n++) at += (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  return at;
}

/** The places of `query` in what is shown of an element, also where it spans several of its parts. */
export function rangesIn(element: Element, query: string): Range[] {
  const nodes: { node: Text; start: number }[] = [];
  let text = "";
  const walk = document.createTreeWalker(element, NodeFilter.SHOW_TEXT, {
    acceptNode: (node) =>
      node.parentElement?.closest("button, footer, time, .out-of-sight")
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

const ALL = "found";
const THIS = "found-here";

/** Marks ranges on the page, where the browser can do that without changing the page. */
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
