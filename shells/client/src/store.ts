// The store: what the daemon said, and what it says, as one picture that stays true. No page is needed for it.
//
// The stream is opened first; then a snapshot is read, and the events that came meanwhile are applied on top. An event
// may be in what was read already, and counts once. A session's messages are read by themselves. So it goes again after
// `resync`, after a restart of the daemon (settings may have changed while it was down), and for one session when
// something of it is missing.
import { delay_s } from "./backoff.js";
import type { Client } from "./client.js";
import { AsterError } from "./errors.js";
import { CLOCK, follow, guarded, type Clock, type Feed, type Link } from "./feed.js";
import type { Backoff } from "./backoff.js";
import { fold, Ledger } from "./fold.js";
import { Copies, reconcile } from "./sharing.js";
import {
  agentOf,
  EMPTY,
  messageOf,
  NO_LIVE,
  notificationOf,
  ruleOf,
  serviceOf,
  sessionOf,
  turnsOf,
  type AgentEntry,
  type HistoryEntry,
  type MessageEntry,
  type Picture,
  type SessionEntry,
  type StoreState,
} from "./state.js";
import type * as wire from "./types.js";

export interface StoreOptions {
  /** When to publish what has changed: called once, however much changes until then. The next frame, or 16 ms. */
  schedule?: (publish: () => void) => void;
  backoff?: Backoff;
  clock?: Clock;
  /** Called with every event of the stream, once and in order, when the store has taken it in. */
  onEvent?: (event: wire.AsterEvent) => void;
}

/** Messages that `open` fetches, and sessions that are fetched at a time. */
const PAGE = 50;
const PAGE_MOST = 500;
const HELD_MOST = 20_000;
const ANSWERED_MOST = 50;
const NOTIFICATIONS_MOST = 50;
const LIVELIEST = ["running", "waiting_approval", "queued"] as const;

/** What the store knows of a session besides its state. */
interface Slot {
  /** `open` was called: its messages are wanted. */
  wanted: boolean;
  ledger: Ledger;
  /** Events that wait for a history that is being read. */
  held: wire.AsterEvent[] | null;
  /** The reading that is under way, and whether it has to begin anew. */
  reading: Promise<void> | null;
  again: boolean;
  /** Messages for whose sake it was read anew. */
  sought: Set<string>;
  /** The history could not be read, or is not whole. */
  stale: boolean;
  /** Events of a session that is not in the picture yet, while it is asked for. */
  missed: wire.AsterEvent[] | null;
}

export class Store {
  readonly client: Client;
  readonly #options: StoreOptions;
  readonly #listeners = new Set<() => void>();
  readonly #slots = new Map<string, Slot>();
  readonly #mine = new Set<string>();
  readonly #copies = new Copies();
  #state: Picture = EMPTY;
  #next: Picture = EMPTY;
  #scheduled = false;
  #disordered = false;
  #feed: Feed | null = null;
  #seq: number | null = null;
  /** Events that wait for the picture that is being read. */
  #held: wire.AsterEvent[] | null = [];
  #stale = true;
  #refetching: { again: boolean } | null = null;
  #run = 0;
  #failures = 0;
  #cancelRetry: () => void = () => undefined;

  constructor(client: Client, options: StoreOptions = {}) {
    this.client = client;
    this.#options = options;
  }

  // -- for those who watch ---------------------------------------------------------------------------------------------

  /** The picture as it was published last; the same value until something changes. */
  getState = (): StoreState => this.#state;

  /** Calls back after each publication; returns what ends that. */
  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  /** Resolves with the first picture of which something holds. */
  until(holds: (state: StoreState) => boolean): Promise<StoreState> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds(this.#state)) return;
        leave();
        resolve(this.#state);
      };
      const leave = this.subscribe(look);
      look();
    });
  }

  // -- life ------------------------------------------------------------------------------------------------------------

  /** Opens the stream and fetches the picture; resolves when it is there. */
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

  /** Closes the stream. The picture stays; `start` takes it up where it was. */
  stop(): void {
    this.#feed?.close();
    this.#feed = null;
    this.#run += 1;
    this.#stale = true;
    this.#cancelRetry();
    this.#linked({ state: "offline", failures: 0, error: null });
    this.#publish();
  }

  /** Try to connect now: the native host says that the daemon is back, or the person asks for it. */
  retry(): void {
    this.#feed?.retry();
  }

  /** Look now whether the daemon still answers, as after the system's sleep. A page notices that by itself. */
  check(): void {
    this.#feed?.check();
  }

  /** Fetches everything anew. Nothing but a doubt calls for it. */
  refresh(): void {
    this.#load();
  }

  // -- what the person does --------------------------------------------------------------------------------------------

  /** Fetches a session's messages and keeps them true until `close`. Rejects with AsterError. */
  async open(session_id: string): Promise<void> {
    const slot = this.#slot(session_id);
    slot.wanted = true;
    const there = this.#next.sessions[session_id]?.history != null && !slot.stale;
    if (!there) await (slot.reading ?? this.#read(session_id));
    this.#publish();
  }

  /** Lets go of a session's messages. */
  close(session_id: string): void {
    const slot = this.#slots.get(session_id);
    if (slot === undefined) return;
    slot.wanted = false;
    const session = this.#next.sessions[session_id];
    if (session) Object.assign(this.#session(session_id), { history: null, live: NO_LIVE, loading: false });
    this.#disordered = true;
    this.#changed();
  }

  /** Fetches the page of messages before those of an open session. Rejects with AsterError. */
  async loadOlder(session_id: string, limit = PAGE): Promise<void> {
    const slot = this.#slot(session_id);
    await slot.reading;
    const session = this.#next.sessions[session_id];
    const before = session?.history?.next_before;
    if (!session || !before) return;
    // The reading that is under way keeps `open` and others from reading beside it; events wait meanwhile.
    await this.#reading(session_id, slot, async () => {
      const { agent_id } = session;
      const [status, page] = await Promise.all([
        this.client.status(agent_id, session_id),
        this.client.history(agent_id, session_id, { before, limit }),
      ]);
      const history = this.#next.sessions[session_id]?.history;
      if (history?.next_before !== before) return; // it was read anew meanwhile
      const messages = [...page.messages.map(messageOf), ...history.messages];
      this.#install(session_id, slot, messages, page.next_before, status, false);
    });
    this.#publish();
  }

  /** Fetches the next page of sessions. Rejects with AsterError. */
  async loadSessions(): Promise<void> {
    const before = this.#next.sessions_before;
    if (before === null) return;
    const run = this.#run;
    const page = await this.client.sessions.list({ before, limit: PAGE });
    if (run !== this.#run || this.#next.sessions_before !== before) return;
    for (const info of page.sessions) {
      if (!this.#next.sessions[info.session_id]) this.#put(sessionOf(info));
    }
    this.#draft().sessions_before = page.next_before;
    this.#publish();
  }

  /** Answers a question, as `client.approve` does, and knows it from answers that came from elsewhere. */
  async approve(body: wire.ApproveRequest): Promise<wire.Approved> {
    this.#mine.add(body.call_id);
    try {
      return await this.client.approve(body);
    } catch (error) {
      this.#mine.delete(body.call_id);
      throw error;
    }
  }

  // -- events ----------------------------------------------------------------------------------------------------------

  #linked(link: Link): void {
    this.#connection(link);
    if (link.state !== "connected") this.#draft().current = false;
    this.#changed();
  }

  #receive(event: wire.AsterEvent): void {
    if (event.type === "connected") {
      const { framework, protocol, instance_id } = event.data;
      const known = this.#next.connection.instance_id;
      this.#connection({ framework, protocol, instance_id });
      this.#seq ??= event.data.last_seq;
      if (this.#stale || known !== instance_id) this.#load();
      else this.#readStale();
      this.#draft().current = !this.#stale;
      this.#changed();
    } else if (event.type === "resync") {
      this.#seq = event.data.last_seq;
      this.#load();
    } else if (event.seq !== null && event.seq > (this.#seq ?? -1)) {
      this.#seq = event.seq;
      if (this.#held === null) this.#apply(event);
      else if (this.#held.push(event) > HELD_MOST) this.#load();
    }
  }

  /** One event, once. First what it says of the picture as a whole, then what it says within its session. */
  #apply(event: wire.AsterEvent): void {
    const { session_id } = event;
    this.#changed();
    if (!this.#overall(event) || session_id === null) return;
    const slot = this.#slots.get(session_id);
    if (!slot) return;
    if (slot.held !== null) slot.held.push(event);
    else if (slot.wanted && !slot.stale) this.#within(session_id, slot, event);
  }

  /** What an event changes besides its session's messages. False: nothing more is to be done with it. */
  #overall(event: wire.AsterEvent): boolean {
    const session = event.session_id === null ? undefined : this.#next.sessions[event.session_id];
    switch (event.type) {
      case "session_changed":
        return this.#sessionChanged(event, session);
      case "status_change":
        if (!session) return this.#meet(event);
        if (session.state !== event.data.state) this.#session(session.session_id).state = event.data.state;
        this.#disordered = true;
        return true;
      case "message_added": {
        if (!session) return this.#meet(event);
        const { role, created_at } = event.data.message;
        if (role === "user" && created_at > session.updated_at)
          this.#session(session.session_id).updated_at = created_at;
        this.#disordered = true;
        return true;
      }
      case "approval_required":
        this.#asked(event);
        return session ? true : this.#meet(event);
      case "approval_resolved":
        this.#answered(event);
        return true;
      case "history_cleared":
        return this.#cleared(event, session);
      case "config_changed":
        this.#configChanged(event);
        return false;
      case "rules_changed": {
        const rule = ruleOf(event.data.rule);
        const others = this.#next.rules.filter(({ rule_id }) => rule_id !== rule.rule_id);
        this.#draft().rules = event.data.change === "added" ? [...others, rule] : others;
        return false;
      }
      case "agents_changed":
        this.#refetch();
        return false;
      case "text_chunk":
      case "thinking_chunk":
      case "tool_start":
      case "tool_progress":
      case "tool_end":
      case "error":
      case "done":
      case "model_retry":
      case "history_compacted":
        return true; // only those who have the session open see them
      case "connected":
      case "heartbeat":
      case "resync":
        return false; // of the stream, not of the picture
      case "notification_added": {
        const added = notificationOf(event.data);
        const others = this.#next.notifications.filter((one) => one.notification_id !== added.notification_id);
        this.#draft().notifications = [added, ...others].slice(0, NOTIFICATIONS_MOST);
        this.#draft().unread = event.data.unread;
        return false;
      }
      case "notifications_read": {
        const { ids, unread } = event.data;
        this.#draft().notifications = this.#next.notifications.map((one) =>
          ids.includes(one.notification_id) ? { ...one, read: true } : one,
        );
        this.#draft().unread = unread;
        return false;
      }
      case "flags_changed": {
        const changed = new Map(event.data.changed.map((flag) => [flag.name, flag]));
        this.#draft().flags = this.#next.flags.map((flag) => changed.get(flag.name) ?? flag);
        return false;
      }
      case "onboarding_changed":
        this.#draft().onboarding = event.data;
        return false;
      case "service_changed": {
        const service = serviceOf(event.data);
        const known = this.#next.services.some(({ name }) => name === service.name);
        this.#draft().services = known
          ? this.#next.services.map((other) => (other.name === service.name ? service : other))
          : [...this.#next.services, service];
        return false;
      }
      case "secrets_changed":
        this.#refetch(); // the keys are not in this picture; what follows from them is
        return false;
      default:
        event satisfies never; // a type that was added to the contract is missing above
        return false; // a newer daemon's: what is not known is ignored
    }
  }

  #within(session_id: string, slot: Slot, event: wire.AsterEvent): void {
    if (!this.#next.sessions[session_id]) return;
    if (fold(this.#copies, this.#session(session_id), slot.ledger, event)) return;
    const message_id = "message_id" in event.data ? event.data.message_id : "";
    if (slot.sought.has(message_id)) {
      slot.ledger.elsewhere.add(message_id); // reading anew has not brought it: it is further back
    } else {
      slot.sought.add(message_id);
      slot.stale = true;
      this.#read(session_id).catch(() => undefined);
    }
  }

  #sessionChanged({ session_id, data }: wire.EventOf<"session_changed">, known?: SessionEntry): boolean {
    const id = session_id ?? "";
    if (data.change === "deleted" || !data.session) {
      this.#forget(id);
      return false;
    }
    const fresh = sessionOf(data.session);
    this.#disordered = true;
    if (!known) {
      this.#put(fresh);
      if (this.#slots.get(id)?.wanted) this.#read(id).catch(() => undefined); // it was deleted while it was open
    } else {
      // Its state is told by `status_change`.
      const { title, archived, is_default, pinned, updated_at } = fresh;
      Object.assign(this.#session(id), { title, archived, is_default, pinned });
      if (updated_at > known.updated_at) this.#session(id).updated_at = updated_at;
    }
    return true;
  }

  #asked({ agent_id, session_id, turn_id, time, data }: wire.EventOf<"approval_required">): void {
    const { call_id, name, risk, reason, summary, display, preview } = data;
    const question: wire.ApprovalInfo = {
      call_id,
      agent_id: agent_id ?? "",
      session_id: session_id ?? "",
      turn_id: turn_id ?? "",
      name,
      arguments: data.arguments,
      risk,
      reason,
      summary: summary ?? `Use ${name}`,
      display,
      preview: preview ?? null,
      remember: data.remember ?? null,
      requested_at: time,
      expires_at: data.expires_at ?? null,
    };
    const place = this.#next.approvals.findIndex((known) => known.call_id === call_id);
    const approvals = this.#copies.at(this.#draft(), "approvals");
    if (place < 0) approvals.push(question);
    else
      approvals[place] = reconcile(approvals[place], {
        ...question,
        requested_at: approvals[place]?.requested_at ?? time,
      });
    if (this.#next.answered[call_id]) {
      Reflect.deleteProperty(this.#copies.at(this.#draft(), "answered"), call_id);
    }
  }

  #answered({ data }: wire.EventOf<"approval_resolved">): void {
    const { call_id, decision, resolved_by, resolved_at } = data;
    const question = this.#next.approvals.find((known) => known.call_id === call_id) ?? null;
    if (question) this.#draft().approvals = this.#next.approvals.filter((known) => known !== question);
    this.#disordered = true;
    const answered = this.#copies.at(this.#draft(), "answered");
    const elsewhere = !this.#mine.delete(call_id);
    answered[call_id] = { call_id, decision, resolved_by, resolved_at, note: data.note ?? null, elsewhere, question };
    const [oldest, ...others] = Object.keys(answered);
    if (oldest !== undefined && others.length >= ANSWERED_MOST) Reflect.deleteProperty(answered, oldest);
  }

  #cleared({ session_id }: wire.EventOf<"history_cleared">, session?: SessionEntry): boolean {
    const slot = this.#slots.get(session_id ?? "");
    if (session?.history && slot?.wanted && slot.held === null) this.#empty(session.session_id, slot);
    // With the messages went the events so far: one that is behind has missed answers, states, a title, notifications.
    this.#load();
    return false;
  }

  #empty(session_id: string, slot: Slot): void {
    slot.ledger = new Ledger([]);
    const history: HistoryEntry = { messages: [], next_before: null, turns: {} };
    Object.assign(this.#session(session_id), { history, live: NO_LIVE });
  }

  #configChanged({ data }: wire.EventOf<"config_changed">): void {
    const { config } = this.#next;
    if (config) this.#draft().config = { ...config, values: { ...config.values, ...data.changed } };
    // The event may be older than what was read of a daemon that has started anew since; and it says nothing of `problems`.
    this.#refetch();
  }

  // -- reading ---------------------------------------------------------------------------------------------------------

  /** Reads the whole picture, and goes on until that has worked. Events wait. */
  #load(): void {
    const run = (this.#run += 1);
    this.#stale = true;
    this.#held = []; // what came so far is in what will be read
    this.#draft().current = false;
    this.#cancelRetry();
    this.#compose(run).then(
      () => {
        if (run === this.#run) this.#failures = 0;
      },
      (error: unknown) => {
        if (run === this.#run) this.#failed(error);
      },
    );
  }

  async #compose(run: number): Promise<void> {
    const { client } = this;
    const snapshot = await client.snapshot({ sessions: PAGE });
    const infos = new Map<string, wire.SessionInfo | null>(snapshot.sessions.map((info) => [info.session_id, info]));
    const others = new Set(snapshot.approvals.map((question) => question.session_id));
    for (const [session_id, slot] of this.#slots) if (slot.wanted) others.add(session_id);
    await Promise.all(
      [...others]
        .filter((session_id) => !infos.has(session_id))
        .map(async (session_id) => infos.set(session_id, await this.#info(session_id))),
    );
    if (run !== this.#run) return;
    const draft = this.#draft();
    const before = draft.sessions;
    this.#takeSettings(snapshot);
    draft.rules = reconcile(draft.rules, snapshot.rules.map(ruleOf));
    draft.approvals = reconcile(draft.approvals, snapshot.approvals);
    draft.notifications = reconcile(draft.notifications, snapshot.notifications.notifications.map(notificationOf));
    draft.unread = snapshot.notifications.unread;
    draft.services = reconcile(draft.services, snapshot.services.map(serviceOf));
    draft.sessions_before = snapshot.sessions_before;
    const sessions: Picture["sessions"] = {};
    for (const [session_id, info] of infos) if (info) sessions[session_id] = merged(before[session_id], info);
    for (const [session_id, session] of Object.entries(before)) {
      // One that was opened after these were asked for is being read by itself.
      if (!infos.has(session_id) && this.#slots.get(session_id)?.wanted) sessions[session_id] = session;
    }
    for (const session_id of Object.keys(before)) if (!sessions[session_id]) this.#forget(session_id);
    draft.sessions = reconcile(before, sessions);
    this.#disordered = true;
    this.#stale = false;
    const readings: Promise<void>[] = [];
    for (const [session_id, slot] of this.#slots) {
      slot.sought.clear();
      if (slot.wanted) readings.push(this.#read(session_id));
    }
    const held = this.#held ?? [];
    this.#held = null;
    for (const event of held) this.#apply(event);
    await Promise.allSettled(readings);
    if (run !== this.#run) return;
    const current = this.#feed?.link.state === "connected";
    Object.assign(this.#draft(), { ready: true, problem: null, current });
    this.#publish();
  }

  /** What of a snapshot follows from files and settings, and is not told in full by events. */
  #takeSettings({ daemon, agents, config, flags, onboarding, warnings }: wire.Snapshot): void {
    const draft = this.#draft();
    draft.daemon = reconcile(draft.daemon, daemon);
    draft.agents = reconcile(draft.agents, agents.map(agentOf));
    draft.config = reconcile(draft.config, config);
    draft.flags = reconcile(draft.flags, flags);
    draft.onboarding = reconcile(draft.onboarding, onboarding);
    draft.warnings = reconcile(draft.warnings, warnings);
    this.#disordered = true;
  }

  /** Says what is wrong; what could not be read is read after a while, or when the stream is open again. */
  #failed(error: unknown): void {
    this.#draft().problem = error instanceof AsterError ? error : new AsterError(0, "internal_error", String(error));
    this.#changed();
    this.#failures += 1;
    const clock = this.#options.clock ?? CLOCK;
    this.#cancelRetry();
    this.#cancelRetry = clock.after(delay_s(this.#failures, this.#options.backoff, clock.random) * 1000, () => {
      if (this.#feed?.link.state !== "connected") return;
      if (this.#stale) this.#load();
      else this.#readStale();
    });
  }

  /** Reads a session's messages; what is under way begins anew. */
  #read(session_id: string): Promise<void> {
    const slot = this.#slot(session_id);
    if (slot.reading === null) return this.#reading(session_id, slot, () => this.#newest(session_id, slot));
    slot.again = true;
    return slot.reading;
  }

  async #newest(session_id: string, slot: Slot): Promise<void> {
    if (!this.#next.sessions[session_id]) this.#put(sessionOf(await this.client.sessions.get(session_id)));
    const session = this.#session(session_id);
    session.loading = true;
    this.#changed();
    const { agent_id, history } = session;
    const limit = Math.min(PAGE_MOST, Math.max(PAGE, history?.messages.length ?? 0));
    const [status, page] = await Promise.all([
      this.client.status(agent_id, session_id),
      this.client.history(agent_id, session_id, { limit }),
    ]);
    this.#install(session_id, slot, page.messages.map(messageOf), page.next_before, status, true);
  }

  /** One reading of a session at a time; when something calls for it meanwhile, its newest page once more. */
  #reading(session_id: string, slot: Slot, read: () => Promise<void>): Promise<void> {
    const work = async (): Promise<void> => {
      slot.stale = true;
      slot.again = false;
      slot.held = []; // what came so far is in what will be read
      try {
        await read();
        // The flag is set by others while this waits.
        while (slot.again as boolean) {
          slot.again = false;
          slot.held = [];
          await this.#newest(session_id, slot);
        }
        slot.stale = false;
        if (!this.#stale) this.#draft().problem = null;
      } catch (error) {
        if (error instanceof AsterError && error.code === "session_not_found") this.#forget(session_id);
        else this.#failed(error);
        throw error;
      } finally {
        const held = slot.held;
        slot.held = null;
        slot.reading = null;
        if (this.#next.sessions[session_id]?.loading) this.#session(session_id).loading = false;
        for (const event of held) if (slot.wanted && !slot.stale) this.#within(session_id, slot, event);
        this.#changed();
      }
    };
    slot.reading = work();
    return slot.reading;
  }

  #install(
    session_id: string,
    slot: Slot,
    messages: HistoryEntry["messages"],
    next_before: string | null,
    status: wire.Status,
    anew: boolean,
  ): void {
    const session = this.#next.sessions[session_id];
    if (!session || !slot.wanted) return;
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
    const copy = this.#session(session_id);
    copy.history = reconcile(copy.history, history);
    if (anew) copy.live = NO_LIVE;
  }

  /** Once more what could not be read before. */
  #readStale(): void {
    for (const [session_id, slot] of this.#slots) {
      if (slot.wanted && slot.stale && slot.reading === null) this.#read(session_id).catch(() => undefined);
    }
  }

  /** Asks for a session that an event is about and that is not in the picture. Returns true: go on with the event. */
  #meet(event: wire.AsterEvent): boolean {
    const session_id = event.session_id ?? "";
    const slot = this.#slot(session_id);
    if (slot.missed !== null) {
      slot.missed.push(event);
      return true;
    }
    slot.missed = [event];
    this.#info(session_id)
      .then((info) => {
        if (!info || this.#next.sessions[session_id]) return;
        this.#put(sessionOf(info));
        for (const missed of slot.missed ?? []) if (missed.type !== "approval_required") this.#overall(missed);
      })
      .catch(() => {
        this.#stale = true; // when the connection is back
      })
      .finally(() => {
        slot.missed = null;
        this.#changed();
      });
    return true;
  }

  async #info(session_id: string): Promise<wire.SessionInfo | null> {
    try {
      return await this.client.sessions.get(session_id);
    } catch (error) {
      if (error instanceof AsterError && error.status === 404) return null;
      throw error;
    }
  }

  /** Reads what follows from files and settings again, once more when an event comes meanwhile. */
  #refetch(): void {
    if (this.#refetching !== null) {
      this.#refetching.again = true;
      return;
    }
    const entry = { again: true };
    this.#refetching = entry;
    const work = async (): Promise<void> => {
      while (entry.again) {
        entry.again = false;
        this.#takeSettings(await this.client.snapshot({ sessions: 1 }));
        this.#changed();
      }
    };
    work()
      .catch(() => {
        this.#stale = true;
      })
      .finally(() => (this.#refetching = null));
  }

  // -- the picture -----------------------------------------------------------------------------------------------------

  /** The next picture, to be changed. */
  #draft(): Picture {
    if (this.#next === this.#state) this.#next = this.#copies.own({ ...this.#state });
    return this.#next;
  }

  #session(session_id: string): SessionEntry {
    return this.#copies.at(this.#copies.at(this.#draft(), "sessions"), session_id);
  }

  #put(session: SessionEntry): void {
    this.#copies.at(this.#draft(), "sessions")[session.session_id] = session;
    this.#disordered = true;
  }

  /** It was deleted. One that is open stays wanted: it may be restored. */
  #forget(session_id: string): void {
    const draft = this.#draft();
    if (draft.sessions[session_id]) Reflect.deleteProperty(this.#copies.at(draft, "sessions"), session_id);
    if (draft.approvals.some((question) => question.session_id === session_id)) {
      draft.approvals = draft.approvals.filter((question) => question.session_id !== session_id);
    }
    if (draft.rules.some((rule) => rule.session_id === session_id)) {
      draft.rules = draft.rules.filter((rule) => rule.session_id !== session_id);
    }
    const slot = this.#slots.get(session_id);
    if (slot?.wanted) Object.assign(slot, { ledger: new Ledger([]), sought: new Set(), stale: true });
    else this.#slots.delete(session_id);
    this.#disordered = true;
  }

  #slot(session_id: string): Slot {
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

  #connection(news: Partial<Picture["connection"]>): void {
    const draft = this.#draft();
    draft.connection = reconcile(draft.connection, { ...draft.connection, ...news });
  }

  #changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    (this.#options.schedule ?? soon)(() => {
      if (this.#scheduled) this.#publish();
    });
  }

  #publish(): void {
    this.#scheduled = false;
    if (this.#disordered) this.#order();
    if (this.#next === this.#state) return;
    this.#state = this.#next;
    this.#copies.publish();
    for (const listener of [...this.#listeners]) guarded(listener);
  }

  /** What follows from the sessions: which are shown, their order, and the agents' states. */
  #order(): void {
    this.#disordered = false;
    const waiting = new Set(this.#next.approvals.map(({ session_id }) => session_id));
    for (const { session_id, archived } of Object.values(this.#next.sessions)) {
      if (!archived || this.#slots.get(session_id)?.wanted || waiting.has(session_id)) continue;
      Reflect.deleteProperty(this.#copies.at(this.#draft(), "sessions"), session_id);
    }
    const sessions = Object.values(this.#next.sessions);
    const order = sessions
      .filter(({ archived }) => !archived)
      .sort(
        (a, b) =>
          Number(b.pinned) - Number(a.pinned) ||
          compare(b.updated_at, a.updated_at) ||
          compare(b.session_id, a.session_id),
      )
      .map(({ session_id }) => session_id);
    const shared = reconcile(this.#next.order, order);
    if (shared !== this.#next.order) this.#draft().order = shared;
    const agents = reconcile(
      this.#next.agents,
      this.#next.agents.map((agent) =>
        agent.state === "failed" ? agent : { ...agent, state: liveliest(agent, sessions) },
      ),
    );
    if (agents !== this.#next.agents) this.#draft().agents = agents;
  }
}

/** A store over a client. `start` it. */
export function createStore(client: Client, options: StoreOptions = {}): Store {
  return new Store(client, options);
}

/** Whether a turn waits is better told by the status: it holds also for a turn that was put back after a crash. */
function withStatus(message: MessageEntry, { turn_id, state }: wire.Status): MessageEntry {
  const open = message.status === "streaming" || message.status === "waiting_approval";
  if (message.turn_id !== turn_id || !open) return message;
  return { ...message, status: state === "waiting_approval" ? state : "streaming" };
}

function merged(known: SessionEntry | undefined, info: wire.SessionInfo): SessionEntry {
  const fresh = sessionOf(info);
  return known ? { ...fresh, history: known.history, loading: known.loading, live: known.live } : fresh;
}

function liveliest(agent: AgentEntry, sessions: SessionEntry[]): wire.State {
  const states = new Set(sessions.filter(({ agent_id }) => agent_id === agent.id).map(({ state }) => state));
  return LIVELIEST.find((state) => states.has(state)) ?? "idle";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Once per frame; where frames stand still (a hidden page), or there are none, by the clock. */
function soon(publish: () => void): void {
  if (typeof requestAnimationFrame !== "function") {
    setTimeout(publish, 16);
    return;
  }
  const once = (): void => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    publish();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, 100);
}
