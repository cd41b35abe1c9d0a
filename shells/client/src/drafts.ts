// Messages that could not be sent because the daemon was away: they are stored, and a person sends or discards them.
import { mintId, type Client, type MessageToSend, type SendOptions } from "./client.js";
import { AsterError, isObject } from "./errors.js";
import type * as wire from "./types.js";

/** Where drafts are stored: something like `localStorage`, a shell's state file, or anything else. One text per key. */
export interface DraftStorage {
  get: (key: string) => string | null | Promise<string | null>;
  set: (key: string, value: string) => void | Promise<void>;
}

export interface Draft {
  /** The id with which it is sent, at every try. */
  client_message_id: string;
  agent_id: string;
  /** The session it was written for; null for the agent's default session. */
  session_id: string | null;
  /** The session to create for it first, if it has none; absent in drafts of older versions. */
  session?: wire.SessionCreate | null;
  message: string;
  /** Its files, which were uploaded; absent in drafts of older versions. */
  attachments?: NonNullable<MessageToSend["attachments"]>;
  context: Record<string, unknown> | null;
  /** RFC 3339, UTC. */
  written_at: string;
  /** Why the daemon refused it when it was sent later; null if it could only not be reached. */
  refused: { code: string; message: string; hint: string | null } | null;
}

export interface DraftsOptions {
  storage: DraftStorage;
  key?: string;
  /** A draft was dropped because there were too many. Tell the person, who may want its text. */
  onEvicted?(draft: Draft): void;
}

/** The largest number of drafts. */
export const DRAFTS_MOST = 20;

/** The drafts in a storage. Each change reads the storage first, so that two windows don't undo each other's. */
export class Drafts {
  readonly #options: Required<Pick<DraftsOptions, "storage" | "key">> & DraftsOptions;
  readonly #listeners = new Set<() => void>();
  #drafts: readonly Draft[] = [];
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: DraftsOptions) {
    this.#options = { key: "aster-drafts", ...options };
  }

  /** The drafts as last read, oldest first. `load` reads them again. */
  list = (): readonly Draft[] => this.#drafts;

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  };

  load(): Promise<readonly Draft[]> {
    return this.#change((drafts) => drafts);
  }

  /**
   * Sends a message as `client.send` does. If the daemon can't be reached, the message is stored and the draft is
   * returned. If the daemon refuses the message, there is no draft: the promise rejects.
   */
  async send(client: Client, body: MessageToSend, options?: SendOptions): Promise<wire.ChatStarted | Draft> {
    const message = { ...body, client_message_id: body.client_message_id ?? mintId() };
    try {
      return await client.send(message, options);
    } catch (error) {
      if (!(error instanceof AsterError && error.unreachable)) throw error;
      return this.keep(message);
    }
  }

  /** Stores a message. `session`: the session to create for it first. */
  async keep(body: MessageToSend, session: wire.SessionCreate | null = null): Promise<Draft> {
    const draft: Draft = {
      client_message_id: body.client_message_id ?? mintId(),
      agent_id: body.agent_id,
      session_id: body.session_id ?? null,
      session,
      message: body.message ?? "",
      attachments: body.attachments ?? [],
      context: body.context ?? null,
      written_at: new Date().toISOString(),
      refused: null,
    };
    const evicted: Draft[] = [];
    await this.#change((drafts) => {
      const kept = [...without(drafts, draft.client_message_id), draft];
      evicted.push(...kept.splice(0, kept.length - DRAFTS_MOST));
      return kept;
    });
    for (const gone of evicted) this.#options.onEvicted?.(gone);
    return draft;
  }

  /**
   * Sends a draft because the person asked for it, and removes it when the daemon has recorded it. If that fails, the
   * draft stays, with the daemon's refusal. Rejects with AsterError.
   */
  async resend(client: Client, client_message_id: string, options?: SendOptions): Promise<wire.ChatStarted> {
    const draft = (await this.load()).find((known) => known.client_message_id === client_message_id);
    if (!draft) throw new AsterError(0, "draft_not_found", "this draft was sent or discarded");
    const { agent_id, message, attachments = [], context, session } = draft;
    let { session_id } = draft;
    try {
      if (session_id === null && session) {
        ({ session_id } = await client.sessions.create({ ...session, agent_id }));
        await this.#change((drafts) =>
          drafts.map((known) => (known.client_message_id === client_message_id ? { ...known, session_id } : known)),
        );
      }
      const body = { agent_id, session_id, message, attachments, context, client_message_id };
      const started = await client.send(body, options);
      await this.discard(client_message_id);
      return started;
    } catch (error) {
      if (error instanceof AsterError && !error.unreachable) {
        const { code, message, hint } = error;
        await this.#change((drafts) =>
          drafts.map((known) =>
            known.client_message_id === client_message_id ? { ...known, refused: { code, message, hint } } : known,
          ),
        );
      }
      throw error;
    }
  }

  async discard(client_message_id: string): Promise<void> {
    await this.#change((drafts) => without(drafts, client_message_id));
  }

  /** Reads, changes and writes the drafts, one change at a time. Rejects with the storage's error. */
  #change(change: (drafts: readonly Draft[]) => readonly Draft[]): Promise<readonly Draft[]> {
    const { storage, key } = this.#options;
    const next = this.#last.then(async () => {
      const before = parse(await storage.get(key));
      const after = change(before);
      if (after !== before) await storage.set(key, JSON.stringify(after));
      this.#drafts = after;
      for (const listener of [...this.#listeners]) listener();
      return after;
    });
    this.#last = next.catch(() => undefined);
    return next;
  }
}

/** The drafts in a storage. Call `load` to read them. */
export function createDrafts(options: DraftsOptions): Drafts {
  return new Drafts(options);
}

function without(drafts: readonly Draft[], client_message_id: string): Draft[] {
  return drafts.filter((draft) => draft.client_message_id !== client_message_id);
}

/** Content that can't be read counts as empty: another program wrote it. */
function parse(text: string | null): readonly Draft[] {
  try {
    const found: unknown = JSON.parse(text ?? "[]");
    return Array.isArray(found) ? found.filter(isDraft) : [];
  } catch {
    return [];
  }
}

function isDraft(value: unknown): value is Draft {
  return (
    isObject(value) && ["client_message_id", "agent_id", "message"].every((name) => typeof value[name] === "string")
  );
}
