// The store: everything the daemon has reported, as one picture that is kept up to date. It works without a page.
//
// The stream is opened first. Then a snapshot is read, and the events that arrived in the meantime are applied to it.
// An event that is already part of the snapshot changes nothing. The messages of each open session are read separately.
// Everything is read again after `resync` and after a restart of the daemon, because settings may have changed while it
// was down. A single session is read again if a part of it is missing.
import { Approvals } from "./approvals.js";
import type { Backoff } from "./backoff.js";
import { Changes } from "./changes.js";
import type { Client } from "./client.js";
import { follow, type Clock, type Feed, type Link } from "./feed.js";
import { Histories } from "./histories.js";
import { Loader } from "./loading.js";
import { PictureDraft, type Schedule } from "./picture.js";
import { Questions } from "./questions.js";
import { ReadRetry } from "./retry.js";
import { Slots } from "./slots.js";
import type { StoreState } from "./state.js";
import type * as wire from "./types.js";

export interface StoreOptions {
  /** When to publish changes: called once for all changes until then. Default: the next frame, or 16 ms. */
  schedule?: Schedule;
  backoff?: Backoff;
  clock?: Clock;
  /** Called with every event of the stream, once and in order, after the store has applied it. */
  onEvent?: (event: wire.AsterEvent) => void;
}

export class Store {
  readonly client: Client;
  readonly #options: StoreOptions;
  readonly #picture: PictureDraft;
  readonly #approvals: Approvals;
  readonly #questions: Questions;
  readonly #histories: Histories;
  readonly #loader: Loader;
  readonly #changes: Changes;
  #feed: Feed | null = null;
  /** The seq of the last applied event. */
  #seq: number | null = null;

  constructor(client: Client, options: StoreOptions = {}) {
    this.client = client;
    this.#options = options;
    const slots = new Slots();
    const picture = new PictureDraft(options.schedule, (session_id) => slots.isOpen(session_id));
    const again = (): void => {
      this.#readAgain();
    };
    const retry = new ReadRetry(picture, again, options.backoff, options.clock);
    const histories = new Histories(client, picture, slots, retry);
    const approvals = new Approvals(client, picture);
    const questions = new Questions(client, picture);
    const loader = new Loader({
      client,
      picture,
      slots,
      histories,
      retry,
      apply: (event) => {
        this.#apply(event);
      },
      isConnected: () => this.#isConnected,
    });
    this.#picture = picture;
    this.#approvals = approvals;
    this.#questions = questions;
    this.#histories = histories;
    this.#loader = loader;
    this.#changes = new Changes({ client, picture, slots, approvals, questions, histories, loader });
  }

  // for subscribers

  /** The last published picture; the same value until something changes. */
  getState = (): StoreState => this.#picture.state;

  /** Calls back after each publication. Returns a function that ends this. */
  subscribe = (listener: () => void): (() => void) => this.#picture.subscribe(listener);

  /** Resolves with the first picture for which `holds` is true. */
  until(holds: (state: StoreState) => boolean): Promise<StoreState> {
    return this.#picture.until(holds);
  }

  // start and stop

  /** Opens the stream and reads the picture. Resolves when the picture is there. */
  async start(): Promise<StoreState> {
    if (this.#feed === null) {
      const { backoff, clock, onEvent } = this.#options;
      this.#feed = follow(this.client.transport, {
        after: this.#seq,
        onEvent: (event) => {
          this.#receive(event);
          onEvent?.(event);
        },
        onLink: (link) => {
          this.#linked(link);
        },
        ...(backoff && { backoff }),
        ...(clock && { clock }),
      });
    }
    return this.until((state) => state.ready);
  }

  /** Closes the stream. The picture stays; `start` continues after the last event. */
  stop(): void {
    this.#feed?.close();
    this.#feed = null;
    this.#loader.stop();
    this.#linked({ state: "offline", failures: 0, error: null });
    this.#picture.publish();
  }

  /** Connects now: the native host reports that the daemon is back, or the person asked for it. */
  retry(): void {
    this.#feed?.retry();
  }

  /**
   * Checks now whether the daemon still answers, for example after the system slept. A page does this automatically.
   */
  check(): void {
    this.#feed?.check();
  }

  /** Reads everything again. Needed only if the picture may be wrong. */
  refresh(): void {
    this.#loader.load();
  }

  // actions of the person

  /** Fetches a session's messages and keeps them up to date until `close`. Rejects with AsterError. */
  open(session_id: string): Promise<void> {
    return this.#histories.open(session_id);
  }

  /** Drops a session's messages. */
  close(session_id: string): void {
    this.#histories.close(session_id);
  }

  /** Fetches the page of messages before those of an open session. Rejects with AsterError. */
  loadOlder(session_id: string, limit?: number): Promise<void> {
    return this.#histories.loadOlder(session_id, limit);
  }

  /** Fetches the next page of sessions. Rejects with AsterError. */
  loadSessions(): Promise<void> {
    return this.#loader.loadSessions();
  }

  /** Answers an approval request like `client.approve`, and marks the answer as this store's. */
  approve(body: wire.ApproveRequest): Promise<wire.Approved> {
    return this.#approvals.approve(body);
  }

  /** Answers or declines a question like `client.answer`, and marks the answer as this store's. */
  answer(body: wire.AnswerRequest): Promise<wire.QuestionResolved> {
    return this.#questions.answer(body);
  }

  // -- the stream ------------------------------------------------------------------------------------------------------

  get #isConnected(): boolean {
    return this.#feed?.link.state === "connected";
  }

  #linked(link: Link): void {
    this.#picture.connection(link);
    if (link.state !== "connected") this.#picture.draft().current = false;
    this.#picture.changed();
  }

  #receive(event: wire.AsterEvent): void {
    if (event.type === "connected") {
      const { framework, protocol, instance_id } = event.data;
      const known = this.#picture.next.connection.instance_id;
      this.#picture.connection({ framework, protocol, instance_id });
      this.#seq ??= event.data.last_seq;
      if (this.#picture.stale || known !== instance_id) this.#loader.load();
      else this.#histories.readStale();
      this.#picture.draft().current = !this.#picture.stale;
      this.#picture.changed();
    } else if (event.type === "resync") {
      this.#seq = event.data.last_seq;
      this.#loader.load();
    } else if (event.seq !== null && event.seq > (this.#seq ?? -1)) {
      this.#seq = event.seq;
      if (!this.#loader.hold(event)) this.#apply(event);
    }
  }

  #apply(event: wire.AsterEvent): void {
    this.#picture.changed();
    if (this.#changes.apply(event) && event.session_id !== null) this.#histories.apply(event.session_id, event);
  }

  /** Reads again what could not be read. Without a connection this happens at the next one. */
  #readAgain(): void {
    if (!this.#isConnected) return;
    if (this.#picture.stale) this.#loader.load();
    else this.#histories.readStale();
  }
}

/** A store for a client. Call `start`. */
export function createStore(client: Client, options: StoreOptions = {}): Store {
  return new Store(client, options);
}
