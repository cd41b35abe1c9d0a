// The complete picture, read from the daemon's snapshot. Events that arrive in the meantime are held and then applied.
import type { Client } from "./client.js";
import { AsterError } from "./errors.js";
import type { Histories } from "./histories.js";
import type { PictureDraft } from "./picture.js";
import type { ReadRetry } from "./retry.js";
import { reconcile } from "./sharing.js";
import type { Slots } from "./slots.js";
import {
  agentOf,
  mcpOf,
  notificationOf,
  questionOf,
  ruleOf,
  serviceOf,
  sessionOf,
  type Picture,
  type SessionEntry,
} from "./state.js";
import type * as wire from "./types.js";

/** How many sessions are fetched at a time. */
const PAGE = 50;
/** The most sessions in one answer. */
const LIST_MOST = 500;
/** How many events may be held. If there are more, the picture is read again instead. */
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
  /** Events that are held while the picture is being read; null when it is there. */
  #held: wire.AsterEvent[] | null = [];
  #refetching: { again: boolean } | null = null;
  /** The number of reads: if an earlier one ends late, it changes nothing. */
  #run = 0;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Holds an event until the picture is there. Returns false if it is there, and the event must be applied now. */
  hold(event: wire.AsterEvent): boolean {
    if (this.#held === null) return false;
    if (this.#held.push(event) > HELD_MOST) this.load();
    return true;
  }

  /** Reads the complete picture, and repeats this until it succeeds. */
  load(): void {
    const { picture, retry } = this.#options;
    const run = (this.#run += 1);
    picture.stale = true;
    this.#held = []; // earlier events will be part of what is read
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

  /** Reads again what depends on files and settings; once more if it is called in the meantime. */
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
        await this.#readSessionSettings();
        picture.changed();
      }
    };
    work()
      .catch(() => {
        picture.stale = true;
      })
      .finally(() => (this.#refetching = null));
  }

  /** Reads the settings of sessions, which follow the configuration and the agents, without an event for each. */
  async #readSessionSettings(): Promise<void> {
    const { client, picture, slots } = this.#options;
    const { sessions } = await client.sessions.list({ limit: LIST_MOST });
    const read = new Set(sessions.map(({ session_id }) => session_id));
    for (const session_id of Object.keys(picture.next.sessions)) {
      const info = read.has(session_id) || !slots.isOpen(session_id) ? null : await sessionInfo(client, session_id);
      if (info) sessions.push(info);
    }
    for (const { session_id, settings } of sessions) {
      const known = picture.next.sessions[session_id];
      if (!known) continue;
      const fresh = reconcile(known.settings ?? null, settings ?? null);
      if (fresh !== known.settings) picture.session(session_id).settings = fresh;
    }
  }

  async #compose(run: number): Promise<void> {
    const { client, picture, slots, histories, apply, isConnected } = this.#options;
    const snapshot = await client.snapshot({ sessions: PAGE });
    const infos = new Map<string, wire.SessionInfo | null>(snapshot.sessions.map((info) => [info.session_id, info]));
    const others = new Set([...snapshot.approvals, ...snapshot.questions].map(({ session_id }) => session_id));
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

  /** Takes over what depends on files and settings: events don't report all of it. */
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

  /** Takes over the lists that events report completely, except for the sessions. */
  #takeLists(snapshot: wire.Snapshot): void {
    const { rules, approvals, questions, notifications, services, mcp, sessions_before } = snapshot;
    const draft = this.#options.picture.draft();
    draft.rules = reconcile(draft.rules, rules.map(ruleOf));
    draft.approvals = reconcile(draft.approvals, approvals);
    draft.questions = reconcile(draft.questions, questions.map(questionOf));
    draft.notifications = reconcile(draft.notifications, notifications.notifications.map(notificationOf));
    draft.unread = notifications.unread;
    draft.services = reconcile(draft.services, services.map(serviceOf));
    draft.mcp = reconcile(draft.mcp, mcp.map(mcpOf));
    draft.sessions_before = sessions_before;
  }

  /** Takes over these sessions; null means that the session was deleted. */
  #takeSessions(infos: ReadonlyMap<string, wire.SessionInfo | null>): void {
    const { picture, slots, histories } = this.#options;
    const draft = picture.draft();
    const before = draft.sessions;
    const sessions: Picture["sessions"] = {};
    for (const [session_id, info] of infos) if (info) sessions[session_id] = merged(before[session_id], info);
    for (const [session_id, session] of Object.entries(before)) {
      // A session that was opened after this read began is read separately.
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
