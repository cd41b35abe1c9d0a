// After a failed read the picture has the error, and the read is tried again with growing delays.
import { delay_s, type Backoff } from "./backoff.js";
import { AsterError } from "./errors.js";
import { CLOCK, type Clock } from "./feed.js";
import type { PictureDraft } from "./picture.js";

export class ReadRetry {
  readonly #picture: PictureDraft;
  readonly #backoff: Backoff | undefined;
  readonly #clock: Clock;
  readonly #again: () => void;
  #failures = 0;
  #cancel: () => void = () => undefined;

  /** `again`: reads what could not be read. */
  constructor(picture: PictureDraft, again: () => void, backoff?: Backoff, clock: Clock = CLOCK) {
    this.#picture = picture;
    this.#again = again;
    this.#backoff = backoff;
    this.#clock = clock;
  }

  failed(error: unknown): void {
    this.#picture.draft().problem =
      error instanceof AsterError ? error : new AsterError(0, "internal_error", String(error));
    this.#picture.changed();
    this.#failures += 1;
    this.cancel();
    const delay_ms = delay_s(this.#failures, this.#backoff, this.#clock.random) * 1000;
    this.#cancel = this.#clock.after(delay_ms, this.#again);
  }

  /** After the next failure the delay starts from the beginning. */
  succeeded(): void {
    this.#failures = 0;
  }

  cancel(): void {
    this.#cancel();
  }
}
