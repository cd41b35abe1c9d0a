// The log of the daemon's stdout and stderr: the newest lines in memory, all lines in rotating files.
import { promises as files } from "node:fs";
import { dirname } from "node:path";
import type { Redaction } from "./redaction.js";

export interface LogEntry {
  /** Rises by one with each line, also with those that are missing in the file. */
  seq: number;
  time: string;
  stream: "stdout" | "stderr" | "shell";
  text: string;
}

export interface LogOptions {
  /** The file; older files have `.1`, `.2`, … added to its path. Null: memory only. */
  path: string | null;
  redaction: Redaction;
  kept?: number;
  waiting?: number;
  file_bytes?: number;
  older?: number;
}

const KEPT = 400;
const WAITING = 2_048;
const FILE_BYTES = 2 * 1024 * 1024;
const OLDER = 3;

export class Log {
  readonly path: string | null;
  readonly #options: Required<Omit<LogOptions, "path">>;
  #entries: LogEntry[] = [];
  #waiting: LogEntry[] = [];
  #writing: Promise<void> | null = null;
  #seq = 0;
  #dropped = 0;
  #bytes: number | null = null;
  #failure: string | null = null;
  #closed = false;

  constructor({ path, redaction, kept, waiting, file_bytes, older }: LogOptions) {
    this.path = path;
    this.#options = {
      redaction,
      kept: kept ?? KEPT,
      waiting: waiting ?? WAITING,
      file_bytes: file_bytes ?? FILE_BYTES,
      older: older ?? OLDER,
    };
  }

  /** How many lines are missing in the file because they came too fast. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Why the file can't be written, or null. */
  get failure(): string | null {
    return this.#failure;
  }

  entries(most = this.#options.kept): LogEntry[] {
    return this.#entries.slice(-most);
  }

  add(stream: LogEntry["stream"], text: string): void {
    this.#seq += 1;
    const entry = {
      seq: this.#seq,
      time: new Date().toISOString(),
      stream,
      text: this.#options.redaction.clean(text),
    };
    this.#entries.push(entry);
    if (this.#entries.length > this.#options.kept) this.#entries.shift();
    if (this.path === null || this.#closed) return;
    if (this.#waiting.length >= this.#options.waiting) {
      this.#dropped += 1;
      return;
    }
    this.#waiting.push(entry);
    this.#writing ??= this.#write(this.path).finally(() => {
      this.#writing = null;
    });
  }

  /** Resolves when everything added so far is in the file. */
  async flush(): Promise<void> {
    while (this.#writing) await this.#writing;
  }

  /** Writes what was added before, and nothing after that, so that the folder can be moved. Memory still gets lines. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
  }

  async #write(path: string): Promise<void> {
    await Promise.resolve(); // so that lines added at the same moment are written together
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.length; // more lines may be added while these are written
      try {
        const text = this.#waiting.map((entry) => JSON.stringify(entry) + "\n").join("");
        await this.#room(path, Buffer.byteLength(text));
        await files.appendFile(path, text, { mode: 0o600 });
        this.#failure = null;
      } catch (cause) {
        this.#failure = cause instanceof Error ? cause.message : String(cause);
        this.#bytes = null;
      }
      // Only now: lines that are being written count as waiting, which limits the memory for a flood.
      this.#waiting.splice(0, batch);
    }
  }

  async #room(path: string, bytes: number): Promise<void> {
    if (this.#bytes === null) {
      await files.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      this.#bytes = await files.stat(path).then(
        ({ size }) => size,
        () => 0,
      );
    }
    if (this.#bytes > 0 && this.#bytes + bytes > this.#options.file_bytes) {
      for (let number = this.#options.older; number > 0; number -= 1) {
        const older = number === 1 ? path : `${path}.${number - 1}`;
        await files.rename(older, `${path}.${number}`).catch(() => undefined); // it may not exist yet
      }
      this.#bytes = 0;
    }
    this.#bytes += bytes;
  }
}
