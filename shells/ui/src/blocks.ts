// Markdown as blocks: while a text grows, only its last block is parsed again. A large block is split where possible,
// at a line, an item or a row. The part before the split is not parsed again, so each piece costs the same.
import MarkdownIt from "markdown-it";

const parser = new MarkdownIt({ html: false, linkify: true, maxNesting: 60 });
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
parser.validateLink = (url) => /^(https?:|mailto:)/i.test(url.trim());

export type Token = ReturnType<typeof parser.parse>[number];
type Env = NonNullable<Parameters<typeof parser.parse>[1]>;

export interface Block {
  /** The block's position in the text: a growing block keeps its key. */
  key: number;
  source: string;
  /** Null: shown as it is, because it is too large or too deeply nested to be parsed as Markdown. */
  tokens: Token[] | null;
  /** Whether it is a part of a large block, which continues in the next one or began in an earlier one. */
  piece: boolean;
}

/** A line longer than LINE_MOST, or a text longer than TEXT_MOST, is not prose. */
const LINE_MOST = 20_000;
const TEXT_MOST = 400_000;
const DEEP = 50;
/** A block larger than this is split while it grows. */
const PIECE = 4_000;

/** Where the next parse begins. */
interface Rest {
  from: number;
  /** Put before the rest for parsing: the head of a table whose rows continue there. */
  head: string;
  /** Whether the rest continues a large block. */
  piece: boolean;
}

const WHOLE: Rest = { from: 0, head: "", piece: false };

export class Blocks {
  #text = "";
  #blocks: Block[] = [];
  /** The part of `#blocks` that no longer changes: all before the last one, which may still grow. */
  #settled: Block[] = [];
  #rest = WHOLE;
  #env: Env = {};

  /** The blocks of a text. Blocks that have not changed are the same objects as before. */
  of(text: string): readonly Block[] {
    if (text === this.#text) return this.#blocks;
    const grows = this.#text !== "" && text.startsWith(this.#text);
    if (!grows) {
      this.#settled = [];
      this.#rest = WHOLE;
      this.#env = {};
    }
    this.#text = text;
    const blocks = read(text.slice(this.#rest.from), this.#rest, this.#env);
    const last = blocks.pop();
    this.#settled.push(...blocks);
    if (blocks.length > 0 && last) this.#rest = { ...WHOLE, from: last.key };
    const split = last && grows ? halve(last, this.#rest, this.#env) : null;
    if (split) {
      this.#settled.push(split.settled);
      this.#rest = split.rest;
      this.#blocks = [...this.#settled, ...read(text.slice(split.rest.from), split.rest, this.#env)];
    } else this.#blocks = last ? [...this.#settled, last] : [...this.#settled];
    return this.#blocks;
  }
}

function read(text: string, { from: at, head, piece }: Rest, env: Env): Block[] {
  if (text === "") return [];
  if (text.length > TEXT_MOST || hasLongLine(text)) return [{ key: at, source: text, tokens: null, piece }];
  const whole = head + text;
  const tokens = parser.parse(whole, env);
  const starts = lineStarts(whole);
  const blocks: Block[] = [];
  let open: Token[] = [];
  for (const token of tokens) {
    open.push(token);
    if (token.level !== 0 || token.nesting === 1) continue;
    const [first, end] = open[0]?.map ?? [0, starts.length];
    const from = Math.max(head.length, starts[first] ?? whole.length);
    const source = whole.slice(from, starts[end] ?? whole.length);
    const deep = open.some(({ level }) => level >= DEEP);
    const goesOn = piece && blocks.length === 0;
    const shown = goesOn && head !== "" ? rowsOf(open) : open;
    blocks.push({ key: at + from - head.length, source, tokens: deep ? null : shown, piece: goesOn });
    open = [];
  }
  return blocks;
}

/** A table's tokens without its head. */
function rowsOf(tokens: Token[]): Token[] {
  const [from, to] = [indexOf(tokens, "thead_open"), indexOf(tokens, "thead_close")];
  return from < 0 ? tokens : [...tokens.slice(0, from), ...tokens.slice(to + 1)];
}

const indexOf = (tokens: readonly Token[], type: string): number => tokens.findIndex((token) => token.type === type);

/** The token that opens a separable part of a block, by the block's own token. A paragraph's parts are its lines. */
const PARTS: Record<string, string> = {
  table_open: "tr_open",
  bullet_list_open: "list_item_open",
  ordered_list_open: "list_item_open",
};

/** Splits a large block before its last part; null if it is not large or has only one part. */
function halve(block: Block, { head }: Rest, env: Env): { settled: Block; rest: Rest } | null {
  const { key, source, tokens, piece } = block;
  const kind = tokens?.[0]?.type ?? "";
  if (source.length < PIECE || (kind !== "paragraph_open" && PARTS[kind] === undefined)) return null;
  const starts = lineStarts(head + source);
  let cut: number;
  if (kind === "paragraph_open") cut = source.lastIndexOf("\n", source.length - 2) + 1;
  else {
    const level = kind === "table_open" ? 2 : 1;
    const last = tokens?.findLast((token) => token.type === PARTS[kind] && token.level === level);
    // Line numbers count from the start of the parsed text; in a later block, subtract the number of its first line.
    const line = (last?.map?.[0] ?? 0) - (head === "" ? (tokens?.[0]?.map?.[0] ?? 0) : 0);
    cut = (starts[line] ?? 0) - head.length;
  }
  if (cut <= 0) return null;
  const above = source.slice(0, cut);
  const [settled, ...more] = read(above, { from: key, head, piece }, env);
  // The part above must give the same block when parsed alone: no text may get lost at the split.
  if (settled?.source.trimEnd() !== above.trimEnd() || more.length > 0) return null;
  const top = kind !== "table_open" ? "" : head !== "" ? head : `${source.split("\n", 2).join("\n")}\n`;
  return { settled: { ...settled, piece: true }, rest: { from: key + cut, head: top, piece: true } };
}

function hasLongLine(text: string): boolean {
  for (let from = 0; text.length - from > LINE_MOST;) {
    const end = text.lastIndexOf("\n", from + LINE_MOST);
    if (end < from) return true;
    from = end + 1;
  }
  return false;
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}
