// A command in one line of text, as a person writes it into a shell.

export interface Split {
  words: string[];
  /** The quote that is not closed, or null. */
  open: string | null;
}

/**
 * Splits a command at blanks, as a shell does: ' and " keep blanks together. A backslash takes the meaning from a blank,
 * a quote or a backslash; before anything else it is itself, so that a Windows path needs no quotes. At the end of a
 * line it joins the next one. Nothing is expanded.
 */
export function splitCommand(text: string): Split {
  const words: string[] = [];
  let word: string | null = null;
  let quote: string | null = null;
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charAt(at);
    const next = text.charAt(at + 1);
    if (quote === "'") {
      if (sign === quote) quote = null;
      else word = (word ?? "") + sign;
    } else if (sign === "\\" && next === "\n") {
      at += 1;
    } else if (sign === "\\" && next !== "" && (quote === null ? /[\s'"\\]/ : /["\\]/).test(next)) {
      word = (word ?? "") + next;
      at += 1;
    } else if (sign === quote) {
      quote = null;
    } else if (quote === null && (sign === "'" || sign === '"')) {
      quote = sign;
      word ??= "";
    } else if (quote === null && /\s/.test(sign)) {
      if (word !== null) words.push(word);
      word = null;
    } else {
      word = (word ?? "") + sign;
    }
  }
  if (word !== null) words.push(word);
  return { words, open: quote };
}

/** The command as a text that `splitCommand` splits into the same words. */
export function joinCommand(words: readonly string[]): string {
  return words
    .map((word) => (word === "" || /[\s'"]|\\(?:\\|$)/.test(word) ? `'${word.replaceAll("'", "'\\''")}'` : word))
    .join(" ");
}
