// Markdown as blocks: while a text grows, only its last block is parsed again.
import MarkdownIt from "markdown-it";

const parser = new MarkdownIt({ html: false, linkify: true, maxNesting: 60 });
parser.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
parser.validateLink = (url) => /^(https?:|mailto:)/i.test(url.trim());

export type Token = ReturnType<typeof parser.parse>[number];
type Env = NonNullable<Parameters<typeof parser.parse>[1]>;

export interface Block {
  /** Where it begins in the text: a block that grows keeps its key. */
  key: number;
  source: string;
  /** Null: shown as it is, because it is too large or too deep to be read as markdown. */
  tokens: Token[] | null;
}

/** A line longer than this, or a text longer than the other, is no prose. */
const LINE_MOST = 20_000;
const TEXT_MOST = 400_000;
const DEEP = 50;

export class Blocks {
  #text = "";
  #blocks: Block[] = [];
  #env: Env = {};

  /** The blocks of a text. Blocks that have not changed are the same objects as before. */
  of(text: string): readonly Block[] {
    if (text === this.#text) return this.#blocks;
    const grows = this.#text !== "" && text.startsWith(this.#text);
    if (!grows) {
      this.#blocks = [];
      this.#env = {};
    }
    this.#text = text;
    const last = this.#blocks.at(-1);
    const from = last?.key ?? 0;
    const kept = this.#blocks.slice(0, -1);
    this.#blocks = [...kept, ...read(text.slice(from), from, this.#env)];
    return this.#blocks;
  }
}

function read(text: string, at: number, env: Env): Block[] {
  if (text === "") return [];
  if (text.length > TEXT_MOST || hasLongLine(text)) return [{ key: at, source: text, tokens: null }];
  const tokens = parser.parse(text, env);
  const starts = lineStarts(text);
  const blocks: Block[] = [];
  let open: Token[] = [];
  for (const token of tokens) {
    open.push(token);
    if (token.level !== 0 || token.nesting === 1) continue;
    const [first, end] = open[0]?.map ?? [0, starts.length];
    const from = starts[first] ?? text.length;
    const source = text.slice(from, starts[end] ?? text.length);
    const deep = open.some(({ level }) => level >= DEEP);
    blocks.push({ key: at + from, source, tokens: deep ? null : open });
    open = [];
  }
  return blocks;
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
