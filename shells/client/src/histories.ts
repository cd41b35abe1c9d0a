// The messages of open sessions: read from the daemon, then kept up to date by events.
import type { Client } from "./client.js";
import { AsterError } from "./errors.js";
import { fold, Ledger } from "./fold.js";
import type { PictureDraft } from "./picture.js";
import type { ReadRetry } from "./retry.js";
import { reconcile } from "./sharing.js";
import type { Slot, Slots } from "./slots.js";
import { messageOf, NO_LIVE, sessionOf, turnsOf, type HistoryEntry, type MessageEntry } from "./state.js";
import type * as wire from "./types.js";

/** How many messages `open` fetches, and the most that one request may ask for. */
const PAGE = 50;
const PAGE_MOST = 500;

export class Histories {
  readonly #client: Client;
  readonly #picture: PictureDraft;
  readonly #slots: Slots;
  readonly #retry: ReadRetry;

  constructor(client: Client, picture: PictureDraft, slots: Slots, retry: ReadRetry) {
    this.#client = client;
    this.#picture = picture;
    this.#slots = slots;
    this.#retry = retry;
  }

  // -- opening and closing ---------------------------------------------------------------------------------------------

  /** Fetches a session's messages and keeps them up to date. Rejects with AsterError. */
  async open(session_id: string): Promise<void> {
    const slot = this.#slots.of(session_id);
    slot.wanted = true;
    const there = this.#picture.next.sessions[session_id]?.history != null && !slot.stale;
    if (!there) await (slot.reading ?? this.read(session_id));
    this.#picture.publish();
  }

  close(session_id: string): void {
    const slot = this.#slots.get(session_id);
    if (slot === undefined) return;
    slot.wanted = false;
    if (this.#picture.next.sessions[session_id]) {
      Object.assign(this.#picture.session(session_id), { history: null, live: NO_LIVE, loading: false });
    }
    this.#picture.disorder();
    this.#picture.changed();
  }

  /** Fetches the page of messages before those of an open session. Rejects with AsterError. */
  async loadOlder(session_id: string, limit = PAGE): Promise<void> {
    const slot = this.#slots.of(session_id);
    await slot.reading;
    const session = this.#picture.next.sessions[session_id];
    const before = session?.history?.next_before;
    if (!session || !before) return;
    // While this counts as a read, `open` starts no second one, and events wait.
    await this.#reading(session_id, slot, async () => {
      const { agent_id } = session;
      const [status, page] = await Promise.all([
        this.#client.status(agent_id, session_id),
        this.#client.history(agent_id, session_id, { before, limit }),
      ]);
      const history = this.#picture.next.sessions[session_id]?.history;
      if (history?.next_before !== before) return; // the session was read again in between
      const messages = [...page.messages.map(messageOf), ...history.messages];
      this.#install(session_id, slot, messages, page.next_before, status);
    });
    this.#picture.publish();
  }

  // -- events ----------------------------------------------------------------------------------------------------------

  /** Applies an event to the messages of its session, if that is open. */
  apply(session_id: string, event: wire.AsterEvent): void {
    const slot = this.#slots.get(session_id);
    if (!slot) return;
    if (slot.held !== null) slot.held.push(event);
    else if (slot.wanted && !slot.stale) this.#fold(session_id, slot, event);
  }

  #fold(session_id: string, slot: Slot, event: wire.AsterEvent): void {
    if (!this.#picture.next.sessions[session_id]) return;
    const whole = fold(this.#picture.copies, this.#picture.session(session_id), slot.ledger, event);
    if (whole && event.type !== "history_unrewound") return;
    const message_id = "message_id" in event.data ? event.data.message_id : null;
    if (message_id !== null && slot.sought.has(message_id)) {
      slot.ledger.elsewhere.add(message_id); // reading again did not find it: it is on an older page
    } else {
      if (message_id !== null) slot.sought.add(message_id);
      slot.stale = true;
      this.read(session_id).catch(() => undefined);
    }
  }

  /** The session's history was cleared: an open one has no messages now. */
  clear(session_id: string): void {
    const slot = this.#slots.get(session_id);
    if (!this.#picture.next.sessions[session_id]?.history || !slot?.wanted || slot.held !== null) return;
    slot.ledger = new Ledger([]);
    const history: HistoryEntry = { messages: [], next_before: null, turns: {} };
    Object.assign(this.#picture.session(session_id), { history, live: NO_LIVE });
  }

  /** The session was deleted. An open session stays wanted, because it may be restored. */
  forget(session_id: string): void {
    this.#picture.remove(session_id);
    this.#slots.forget(session_id);
  }

  // -- reading ---------------------------------------------------------------------------------------------------------

  /** Reads the newest messages of a session. If a read is in progress, another one follows it. */
  read(session_id: string): Promise<void> {
    const slot = this.#slots.of(session_id);
    if (slot.reading === null) return this.#reading(session_id, slot, () => this.#newest(session_id, slot));
    slot.again = true;
    return slot.reading;
  }

  /** Reads all open sessions. The promises reject with AsterError. */
  readAll(): Promise<void>[] {
    const readings: Promise<void>[] = [];
    for (const [session_id, slot] of this.#slots) {
      slot.sought.clear();
      if (slot.wanted) readings.push(this.read(session_id));
    }
    return readings;
  }

  /** Reads the open sessions whose last read failed. */
  readStale(): void {
    for (const [session_id, slot] of this.#slots) {
      if (slot.wanted && slot.stale && slot.reading === null) this.read(session_id).catch(() => undefined);
    }
  }

  async #newest(session_id: string, slot: Slot): Promise<void> {
    if (!this.#picture.next.sessions[session_id]) {
      this.#picture.put(sessionOf(await this.#client.sessions.get(session_id)));
    }
    const session = this.#picture.session(session_id);
    session.loading = true;
    this.#picture.changed();
    const { agent_id, history } = session;
    const limit = Math.min(PAGE_MOST, Math.max(PAGE, history?.messages.length ?? 0));
    const [status, page] = await Promise.all([
      this.#client.status(agent_id, session_id),
      this.#client.history(agent_id, session_id, { limit }),
    ]);
    if (this.#install(session_id, slot, page.messages.map(messageOf), page.next_before, status)) {
      this.#picture.session(session_id).live = NO_LIVE;
    }
  }

  /** Runs `read` as the session's read in progress. Events wait until it ends, and are applied then. */
  #reading(session_id: string, slot: Slot, read: () => Promise<void>): Promise<void> {
    const work = async (): Promise<void> => {
      slot.stale = true;
      slot.again = false;
      slot.held = []; // earlier events will be part of what is read
      try {
        await read();
        // Another call may set the flag while this one waits.
        while (slot.again as boolean) {
          slot.again = false;
          slot.held = [];
          await this.#newest(session_id, slot);
        }
        slot.stale = false;
        if (!this.#picture.stale) this.#picture.draft().problem = null;
      } catch (error) {
        if (error instanceof AsterError && error.code === "session_not_found") this.forget(session_id);
        else this.#retry.failed(error);
        throw error;
      } finally {
        const held = slot.held;
        slot.held = null;
        slot.reading = null;
        if (this.#picture.next.sessions[session_id]?.loading) this.#picture.session(session_id).loading = false;
        for (const event of held) if (slot.wanted && !slot.stale) this.#fold(session_id, slot, event);
        this.#picture.changed();
      }
    };
    slot.reading = work();
    return slot.reading;
  }

  /** Puts messages into the picture. Returns false if they are no longer wanted. */
  #install(
    session_id: string,
    slot: Slot,
    messages: MessageEntry[],
    next_before: string | null,
    status: wire.Status,
  ): boolean {
    const session = this.#picture.next.sessions[session_id];
    if (!session || !slot.wanted) return false;
    const known = new Map(session.history?.messages.map((message) => [message.message_id, message]));
    const shared = messages.map((message) => reconcile(known.get(message.message_id), withStatus(message, status)));
    const { elsewhere } = slot.ledger;
    slot.ledger = new Ledger(shared);
    for (const message_id of elsewhere) {
      if (!slot.ledger.places.has(message_id)) slot.ledger.elsewhere.add(message_id);
    }
    const history: HistoryEntry = {
      messages: shared,
      next_before,
      turns: turnsOf(shared, status, next_before === null),
    };
    const copy = this.#picture.session(session_id);
    copy.history = reconcile(copy.history, history);
    return true;
  }
}

/**
 * Takes from the session's status whether a turn is queued, which is also right for a turn that was queued again after
 * a crash.
 */
function withStatus(message: MessageEntry, { turn_id, state }: wire.Status): MessageEntry {
  const open = message.status === "streaming" || message.status === "waiting_approval";
  if (message.turn_id !== turn_id || !open) return message;
  return { ...message, status: state === "waiting_approval" ? state : "streaming" };
}
