// Splits the bytes of a pipe into lines: memory and the length of a line are limited, whatever the process writes.

export const LINE_BYTES = 8 * 1024;
const MARK = " […]";

/** Calls back with every line, without its end. Invalid UTF-8 is replaced; lines longer than the limit are cut. */
export class Lines {
  readonly #take: (line: string) => void;
  readonly #most: number;
  #parts: Buffer[] = [];
  #size = 0;
  #cut = false;

  constructor(take: (line: string) => void, most = LINE_BYTES) {
    this.#take = take;
    this.#most = most;
  }

  push(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(0x0a, from);
      this.#keep(chunk.subarray(from, end === -1 ? chunk.length : end));
      if (end === -1) return;
      this.#say();
      from = end + 1;
    }
  }

  /** Passes on the last line, if it has no line end. */
  end(): void {
    if (this.#size > 0) this.#say();
  }

  #keep(piece: Buffer): void {
    const room = this.#most - this.#size;
    if (piece.length > room) this.#cut = true;
    const kept = piece.subarray(0, room);
    if (kept.length === 0) return;
    this.#parts.push(Buffer.from(kept)); // a copy, since the pipe's buffer is used again
    this.#size += kept.length;
  }

  #say(): void {
    const text = Buffer.concat(this.#parts).toString("utf8").replace(/\r$/, "");
    const line = this.#cut ? text.replace(/\uFFFD$/, "") + MARK : text;
    this.#parts = [];
    this.#size = 0;
    this.#cut = false;
    this.#take(line);
  }
}
