// What the store keeps for each session besides its published state.
import { Ledger } from "./fold.js";
import type { AsterEvent } from "./types.js";

export interface Slot {
  /** `open` was called: the session's messages are kept up to date. */
  wanted: boolean;
  ledger: Ledger;
  /** Events that are held while the session's messages are being read; null if no read is in progress. */
  held: AsterEvent[] | null;
  /** The read in progress. */
  reading: Promise<void> | null;
  /** Another read was requested while one was in progress. */
  again: boolean;
  /** Ids of missing messages for which the session was read again. */
  sought: Set<string>;
  /** The messages could not be read, or some are missing. */
  stale: boolean;
  /** Events of a session that is not in the picture yet, while it is being fetched. */
  missed: AsterEvent[] | null;
}

export class Slots {
  readonly #slots = new Map<string, Slot>();

  /** The session's slot; creates it if there is none. */
  of(session_id: string): Slot {
    let slot = this.#slots.get(session_id);
    if (slot === undefined) {
      slot = {
        wanted: false,
        ledger: new Ledger([]),
        held: null,
        reading: null,
        again: false,
        sought: new Set(),
        stale: false,
        missed: null,
      };
      this.#slots.set(session_id, slot);
    }
    return slot;
  }

  get(session_id: string): Slot | undefined {
    return this.#slots.get(session_id);
  }

  /** Whether the session's messages are wanted. */
  isOpen(session_id: string): boolean {
    return this.#slots.get(session_id)?.wanted === true;
  }

  /** Forgets everything about a deleted session. An open session stays wanted, because it may be restored. */
  forget(session_id: string): void {
    const slot = this.#slots.get(session_id);
    if (slot?.wanted) Object.assign(slot, { ledger: new Ledger([]), sought: new Set(), stale: true });
    else this.#slots.delete(session_id);
  }

  [Symbol.iterator](): MapIterator<[string, Slot]> {
    return this.#slots.entries();
  }
}
