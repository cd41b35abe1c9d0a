// What an event changes in the picture, except for the messages of its session.
import type { Approvals } from "./approvals.js";
import type { Client } from "./client.js";
import type { Histories } from "./histories.js";
import { sessionInfo, type Loader } from "./loading.js";
import type { PictureDraft } from "./picture.js";
import type { Questions } from "./questions.js";
import type { Slots } from "./slots.js";
import {
  contextOf,
  mcpOf,
  notificationOf,
  ruleOf,
  serviceOf,
  sessionOf,
  type Picture,
  type SessionEntry,
} from "./state.js";
import type * as wire from "./types.js";

/** How many notifications the picture keeps. */
const NOTIFICATIONS_MOST = 50;

export interface ChangesOptions {
  client: Client;
  picture: PictureDraft;
  slots: Slots;
  approvals: Approvals;
  questions: Questions;
  histories: Histories;
  loader: Loader;
}

export class Changes {
  readonly #options: ChangesOptions;

  constructor(options: ChangesOptions) {
    this.#options = options;
  }

  /** Applies an event. Returns false if the messages of its session are not affected. */
  apply(event: wire.AsterEvent): boolean {
    const { picture, approvals, questions, loader } = this.#options;
    const session = event.session_id === null ? undefined : picture.next.sessions[event.session_id];
    switch (event.type) {
      case "session_changed":
        return this.#sessionChanged(event, session);
      case "status_change":
        if (!session) return this.#meet(event);
        if (session.state !== event.data.state) picture.session(session.session_id).state = event.data.state;
        picture.disorder();
        return true;
      case "message_added": {
        if (!session) return this.#meet(event);
        const { role, created_at } = event.data.message;
        if (role === "user") {
          const copy = picture.session(session.session_id);
          copy.rewind = null; // a new message makes it final
          if (created_at > session.updated_at) copy.updated_at = created_at;
        }
        picture.disorder();
        return true;
      }
      case "approval_required":
        approvals.asked(event);
        return session ? true : this.#meet(event);
      case "approval_resolved":
        approvals.answered(event);
        return true;
      case "question_asked":
        questions.asked(event);
        return session ? true : this.#meet(event);
      case "question_answered":
        questions.answered(event);
        return true;
      case "history_cleared":
        this.#options.histories.clear(event.session_id ?? "");
        if (session) picture.session(session.session_id).context = null;
        // The earlier events were deleted with the messages. If the stream lags behind, their changes to answers,
        // states, titles and notifications are missing.
        loader.load();
        return false;
      case "history_rewound":
      case "history_unrewound":
        // `session_changed` follows, and says how full the context window is now, unless it is empty.
        if (session) picture.session(session.session_id).context = null;
        return true;
      case "files_changed":
        if (session) picture.session(session.session_id).changed_files = event.data.changed_files;
        return false;
      case "done":
        if (!session) return this.#meet(event);
        if (event.data.context) picture.session(session.session_id).context = contextOf(event.data.context);
        return true;
      case "text_chunk":
      case "thinking_chunk":
      case "tool_start":
      case "tool_progress":
      case "tool_end":
      case "error":
      case "model_retry":
      case "history_compacted":
        return true; // these change messages only
      case "connected":
      case "heartbeat":
      case "resync":
        return false; // these are about the stream
      case "host_call":
      case "host_cancel":
      case "host_changed":
        return false; // these are for the programs that lend tools
      case "config_changed": {
        const { config } = picture.next;
        if (config) picture.draft().config = { ...config, values: { ...config.values, ...event.data.changed } };
        // The event may be older than what was read from a restarted daemon, and it has no `problems`.
        loader.refetch();
        return false;
      }
      case "agents_changed":
      case "secrets_changed": // the keys are not in the picture, but things that depend on them are
        loader.refetch();
        return false;
      default: {
        const changes = withoutSession(picture.next, event);
        if (changes !== null) Object.assign(picture.draft(), changes);
        return false;
      }
    }
  }

  #sessionChanged({ session_id, data }: wire.EventOf<"session_changed">, known?: SessionEntry): boolean {
    const { picture, slots, histories } = this.#options;
    const id = session_id ?? "";
    if (data.change === "deleted" || !data.session) {
      histories.forget(id);
      return false;
    }
    const fresh = sessionOf(data.session);
    picture.disorder();
    if (!known) {
      picture.put(fresh);
      if (slots.isOpen(id)) histories.read(id).catch(() => undefined); // it was deleted while it was open
    } else {
      // `status_change` reports the state.
      const { agent_id, title, archived, is_default, pinned, settings, rewind, changed_files, updated_at } = fresh;
      const changed = { agent_id, title, archived, is_default, pinned, settings, rewind, changed_files };
      Object.assign(picture.session(id), changed, fresh.context && { context: fresh.context });
      if (updated_at > known.updated_at) picture.session(id).updated_at = updated_at;
    }
    return true;
  }

  /** Fetches the session of an event when the picture does not have it. Returns true. */
  #meet(event: wire.AsterEvent): boolean {
    const { client, picture, slots } = this.#options;
    const session_id = event.session_id ?? "";
    const slot = slots.of(session_id);
    if (slot.missed !== null) {
      slot.missed.push(event);
      return true;
    }
    slot.missed = [event];
    sessionInfo(client, session_id)
      .then((info) => {
        if (!info || picture.next.sessions[session_id]) return;
        picture.put(sessionOf(info));
        for (const missed of slot.missed ?? [])
          if (missed.type !== "approval_required" && missed.type !== "question_asked") this.apply(missed);
      })
      .catch(() => {
        picture.stale = true; // everything is read again when the stream connects next
      })
      .finally(() => {
        slot.missed = null;
        picture.changed();
      });
    return true;
  }
}

type WithoutSession =
  | "rules_changed"
  | "notification_added"
  | "notifications_read"
  | "flags_changed"
  | "onboarding_changed"
  | "service_changed"
  | "mcp_changed";

/** What an event without a session changes; null for a type that only a newer daemon knows. */
function withoutSession(picture: Picture, event: wire.EventOf<WithoutSession>): Partial<Picture> | null {
  switch (event.type) {
    case "rules_changed": {
      const rule = ruleOf(event.data.rule);
      const others = picture.rules.filter(({ rule_id }) => rule_id !== rule.rule_id);
      return { rules: event.data.change === "added" ? [...others, rule] : others };
    }
    case "notification_added": {
      const added = notificationOf(event.data);
      const others = picture.notifications.filter((one) => one.notification_id !== added.notification_id);
      return { notifications: [added, ...others].slice(0, NOTIFICATIONS_MOST), unread: event.data.unread };
    }
    case "notifications_read": {
      const { ids, unread } = event.data;
      const notifications = picture.notifications.map((one) =>
        ids.includes(one.notification_id) ? { ...one, read: true } : one,
      );
      return { notifications, unread };
    }
    case "flags_changed": {
      const changed = new Map(event.data.changed.map((flag) => [flag.name, flag]));
      return { flags: picture.flags.map((flag) => changed.get(flag.name) ?? flag) };
    }
    case "onboarding_changed":
      return { onboarding: event.data };
    case "service_changed":
      return { services: placed(picture.services, serviceOf(event.data)) };
    case "mcp_changed": {
      const { removed, ...server } = event.data;
      return {
        mcp: removed ? picture.mcp.filter(({ name }) => name !== server.name) : placed(picture.mcp, mcpOf(server)),
      };
    }
    default:
      event satisfies never; // a type of the contract is missing above
      return null;
  }
}

/** The list with this entry in the place of the one that has its name; a new one is the last. */
function placed<T extends { name: string }>(list: readonly T[], entry: T): T[] {
  const known = list.some(({ name }) => name === entry.name);
  return known ? list.map((other) => (other.name === entry.name ? entry : other)) : [...list, entry];
}
