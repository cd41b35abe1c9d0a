// The picture as a whole, read from the daemon's snapshot. Events that come meanwhile wait and are applied on top.
import type { Client } from "./client.js";
import { AsterError } from "./errors.js";
import type { Histories } from "./histories.js";
import type { PictureDraft } from "./picture.js";
import type { ReadRetry } from "./retry.js";
import { reconcile } from "./sharing.js";
import type { Slots } from "./slots.js";
import { agentOf, notificationOf, ruleOf, serviceOf, sessionOf, type Picture, type SessionEntry } from "./state.js";
import type * as wire from "./types.js";

/** Sessions that are fetched at a time. */
const PAGE = 50;
/** Events that may wait for the picture. With more of them it is read again instead. */
const HELD_MOST = 20_000;

export interface LoaderOptions {
  client: Client;
  picture: PictureDraft;
  slots: Slots;
  histories: Histories;
  retry: ReadRetry;
  /** Applies an event to the picture. */
  apply: (event: wire.AsterEvent) => void;
  isConnected: () => boolean;
}

export class Loader {
  readonly #options: LoaderOptions;
  /** Events that wait for the picture that is being read; null when it is there. */
  #held: wire.AsterEvent[] | null = [];
  #refetching: { again: boolean } | null = null;
  /** Counts the reads: an older one that ends late changes nothing. */
  #run = 0;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Keeps an event until the picture is there. False: it is there, and the event is to be applied now. */
  hold(event: wire.AsterEvent): boolean {
    if (this.#held === null) return false;
    if (this.#held.push(event) > HELD_MOST) this.load();
    return true;
  }

  /** Reads the whole picture, again and again until that works. */
  load(): void {
    const { picture, retry } = this.#options;
    const run = (this.#run += 1);
    picture.stale = true;
    this.#held = []; // earlier events are part of what will be read
    picture.draft().current = false;
    retry.cancel();
    this.#compose(run).then(
      () => {
        if (run === this.#run) retry.succeeded();
      },
      (error: unknown) => {
        if (run === this.#run) retry.failed(error);
      },
    );
  }

  /** Ends the read in progress; the next connection starts a new one. */
  stop(): void {
    this.#run += 1;
    this.#options.picture.stale = true;
    this.#options.retry.cancel();
  }

  /** Fetches the next page of sessions. Rejects with AsterError. */
  async loadSessions(): Promise<void> {
    const { client, picture } = this.#options;
    const before = picture.next.sessions_before;
    if (before === null) return;
    const run = this.#run;
    const page = await client.sessions.list({ before, limit: PAGE });
    if (run !== this.#run || picture.next.sessions_before !== before) return;
    for (const info of page.sessions) {
      if (!picture.next.sessions[info.session_id]) picture.put(sessionOf(info));
    }
    picture.draft().sessions_before = page.next_before;
    picture.publish();
  }

  /** Reads again what follows from files and settings; once more if this is called meanwhile. */
  refetch(): void {
    const { client, picture } = this.#options;
    if (this.#refetching !== null) {
      this.#refetching.again = true;
      return;
    }
    const entry = { again: true };
    this.#refetching = entry;
    const work = async (): Promise<void> => {
      while (entry.again) {
        entry.again = false;
        this.#takeSettings(await client.snapshot({ sessions: 1 }));
        picture.changed();
      }
    };
    work()
      .catch(() => {
        picture.stale = true;
      })
      .finally(() => (this.#refetching = null));
  }

  async #compose(run: number): Promise<void> {
    const { client, picture, slots, histories, apply, isConnected } = this.#options;
    const snapshot = await client.snapshot({ sessions: PAGE });
    const infos = new Map<string, wire.SessionInfo | null>(snapshot.sessions.map((info) => [info.session_id, info]));
    const others = new Set(snapshot.approvals.map((question) => question.session_id));
    for (const [session_id, slot] of slots) if (slot.wanted) others.add(session_id);
    await Promise.all(
      [...others]
        .filter((session_id) => !infos.has(session_id))
        .map(async (session_id) => infos.set(session_id, await sessionInfo(client, session_id))),
    );
    if (run !== this.#run) return;
    this.#takeSettings(snapshot);
    this.#takeLists(snapshot);
    this.#takeSessions(infos);
    picture.stale = false;
    const readings = histories.readAll();
    const held = this.#held ?? [];
    this.#held = null;
    for (const event of held) apply(event);
    await Promise.allSettled(readings);
    if (run !== this.#run) return;
    Object.assign(picture.draft(), { ready: true, problem: null, current: isConnected() });
    picture.publish();
  }

  /** Takes what follows from files and settings: events don't tell all of it. */
  #takeSettings({ daemon, agents, config, flags, onboarding, warnings }: wire.Snapshot): void {
    const draft = this.#options.picture.draft();
    draft.daemon = reconcile(draft.daemon, daemon);
    draft.agents = reconcile(draft.agents, agents.map(agentOf));
    draft.config = reconcile(draft.config, config);
    draft.flags = reconcile(draft.flags, flags);
    draft.onboarding = reconcile(draft.onboarding, onboarding);
    draft.warnings = reconcile(draft.warnings, warnings);
    this.#options.picture.disorder();
  }

  /** Takes what events tell in full, except for the sessions. */
  #takeLists({ rules, approvals, notifications, services, sessions_before }: wire.Snapshot): void {
    const draft = this.#options.picture.draft();
    draft.rules = reconcile(draft.rules, rules.map(ruleOf));
    draft.approvals = reconcile(draft.approvals, approvals);
    draft.notifications = reconcile(draft.notifications, notifications.notifications.map(notificationOf));
    draft.unread = notifications.unread;
    draft.services = reconcile(draft.services, services.map(serviceOf));
    draft.sessions_before = sessions_before;
  }

  /** Takes these sessions; null stands for one that was deleted. */
  #takeSessions(infos: ReadonlyMap<string, wire.SessionInfo | null>): void {
    const { picture, slots, histories } = this.#options;
    const draft = picture.draft();
    const before = draft.sessions;
    const sessions: Picture["sessions"] = {};
    for (const [session_id, info] of infos) if (info) sessions[session_id] = merged(before[session_id], info);
    for (const [session_id, session] of Object.entries(before)) {
      // A session that was opened after this read began is read by itself.
      if (!infos.has(session_id) && slots.isOpen(session_id)) sessions[session_id] = session;
    }
    for (const session_id of Object.keys(before)) if (!sessions[session_id]) histories.forget(session_id);
    draft.sessions = reconcile(before, sessions);
    picture.disorder();
  }
}

/** A session, or null when there is none with this id. Rejects with AsterError. */
export async function sessionInfo(client: Client, session_id: string): Promise<wire.SessionInfo | null> {
  try {
    return await client.sessions.get(session_id);
  } catch (error) {
    if (error instanceof AsterError && error.status === 404) return null;
    throw error;
  }
}

function merged(known: SessionEntry | undefined, info: wire.SessionInfo): SessionEntry {
  const fresh = sessionOf(info);
  return known ? { ...fresh, history: known.history, loading: known.loading, live: known.live } : fresh;
}
