// Messages on their way to the daemon. If the daemon can't be reached, a message is kept on this device as a draft;
// only the person sends or discards it. It is sent to its original conversation, under its first id.
import {
  createDrafts,
  DRAFTS_MOST,
  isOn,
  mintId,
  type Attachment,
  type ChatRequest,
  type Draft,
  type SessionCreate,
} from "@aster-sidecar/client";
import { Cell, useCell } from "./cell.js";
import { attachmentOf } from "./contents.js";
import { client, store } from "./engine.js";
import { keep, kept } from "./keep.js";
import { texts } from "./messages.js";
import { toast } from "./toasts.js";
import { said } from "./problems.js";

export type IfBusy = NonNullable<ChatRequest["if_busy"]>;

export interface Outgoing extends Omit<Draft, "attachments" | "context" | "refused"> {
  attachments: readonly Attachment[];
  /** The ids of those attachments that the daemon no longer has. */
  gone: readonly string[];
  /** `refused`: the daemon rejected it; `problem` gives the reason. */
  state: "sending" | "waiting" | "refused";
  problem: { message: string; hint: string | null } | null;
  /** Null until the daemon has it. */
  message_id: string | null;
}

const KEY = "drafts";
/** A message that another window started to send within this time is not shown as a draft. */
const GRACE_MS = 3000;

// Messages that are being sent are stored too: if the page is closed, none is lost, and sending one twice is harmless.
const drafts = createDrafts({
  key: KEY,
  storage: {
    get: kept,
    set(key, text) {
      if (keep(key, text)) return;
      toast(texts.outgoing.noRoom, {
        kind: "error",
      });
    },
  },
  onEvicted() {
    toast(texts.outgoing.evicted(DRAFTS_MOST), { kind: "error" });
  },
});
/** Messages that this window sends or has sent, or that were refused; by `client_message_id`. */
const mine = new Map<string, Outgoing>();
const entries = new Cell<readonly Outgoing[]>([]);

function publish(): void {
  const now = Date.now();
  const known = new Set(drafts.list().map(({ client_message_id }) => client_message_id));
  for (const { client_message_id, state } of [...mine.values()]) {
    // Another window has sent or discarded it.
    if (state === "waiting" && !known.has(client_message_id)) mine.delete(client_message_id);
  }
  const others = drafts.list().filter(({ client_message_id }) => !mine.has(client_message_id));
  const shown = others.filter(({ written_at }) => now - Date.parse(written_at) > GRACE_MS);
  if (shown.length < others.length) setTimeout(publish, GRACE_MS);
  entries.set([
    ...shown.map(({ context: _, refused, attachments: files = [], ...draft }): Outgoing => {
      const attachments = files.flatMap((file) => ("sha256" in file ? [attachmentOf(file)] : []));
      const state = refused ? "refused" : "waiting";
      return { ...draft, attachments, gone: [], state, problem: refused, message_id: null };
    }),
    ...mine.values(),
  ]);
}

drafts.subscribe(publish);
void drafts.load();
window.addEventListener("storage", () => void drafts.load());

function change(client_message_id: string, news: Partial<Outgoing>): void {
  const entry = mine.get(client_message_id);
  if (!entry) return;
  mine.set(client_message_id, { ...entry, ...news });
  publish();
}

export function discard(client_message_id: string): void {
  mine.delete(client_message_id);
  publish();
  void drafts.discard(client_message_id);
}

export function useOutbox(): readonly Outgoing[] {
  return useCell(entries);
}

interface NewMessage {
  agent_id: string;
  /** Null: a new conversation, made of `session`. */
  session_id: string | null;
  session?: SessionCreate;
  message: string;
  attachments: readonly Attachment[];
}

/** Sends a message. Resolves with its conversation once the daemon has it, or with null if sending failed. */
export function post(written: NewMessage, if_busy: IfBusy): Promise<string | null> {
  return deliver(outgoing(written), if_busy);
}

/** Sends a message. If it is refused, it is not listed as unsent but returned; otherwise resolves with null. */
export async function postOrReturn(written: NewMessage): Promise<Outgoing | null> {
  const made = outgoing(written);
  await deliver(made, "queue");
  const entry = mine.get(made.client_message_id);
  if (entry?.state !== "refused") return null;
  discard(made.client_message_id);
  return entry;
}

function outgoing({ session, ...written }: NewMessage): Outgoing {
  return {
    ...written,
    client_message_id: mintId(),
    session: session ?? null,
    gone: [],
    written_at: new Date().toISOString(),
    state: "sending",
    problem: null,
    message_id: null,
  };
}

/** Sends a waiting message again, under the same id. */
export function again(client_message_id: string): Promise<string | null> {
  const entry = entries.get().find((one) => one.client_message_id === client_message_id);
  return !entry || entry.state === "sending" ? Promise.resolve(null) : deliver(entry, "queue");
}

/** Takes a file out of a message that was refused. */
export function withoutFile(client_message_id: string, attachment_id: string): void {
  const entry = entries.get().find((one) => one.client_message_id === client_message_id);
  if (!entry) return;
  const attachments = entry.attachments.filter((file) => file.attachment_id !== attachment_id);
  mine.set(client_message_id, { ...entry, attachments });
  publish();
}

async function deliver(entry: Outgoing, if_busy: IfBusy): Promise<string | null> {
  const { client_message_id, agent_id, message, attachments, session = null } = entry;
  let { session_id } = entry;
  const keeps = isOn(store.getState(), "offline_drafts");
  const remember = async (): Promise<void> => {
    if (keeps) await drafts.keep({ client_message_id, agent_id, session_id, message, attachments }, session);
  };
  mine.set(client_message_id, { ...entry, state: "sending", problem: null, gone: [] });
  publish();
  await remember();
  try {
    if (session_id === null) {
      ({ session_id } = await client.sessions.create({ ...session, agent_id }));
      change(client_message_id, { session_id });
      await remember();
    }
    const tries = store.getState().connection.state === "offline" ? 1 : 5;
    const body = { agent_id, session_id, message, attachments, client_message_id, if_busy };
    const { message_id } = await client.send(body, { tries });
    change(client_message_id, { message_id });
    await drafts.discard(client_message_id);
    void settle(session_id, client_message_id, message_id);
    return session_id;
  } catch (error) {
    const waits = keeps && (error as { unreachable?: boolean }).unreachable === true;
    if (!waits) await drafts.discard(client_message_id); // a refused message is an error, not a draft
    change(client_message_id, {
      state: waits ? "waiting" : "refused",
      problem: said(error),
      gone: goneOf(error, attachments),
    });
    return null;
  }
}

/** The ids of the files that the daemon did not find: its message names one. */
function goneOf(error: unknown, attachments: readonly Attachment[]): string[] {
  const { code, message } = error as { code?: string; message?: string };
  if (code !== "attachment_not_found") return [];
  return attachments.map(({ attachment_id }) => attachment_id).filter((id) => message?.includes(id));
}

const SEEN_MS = 3000;

/** Removes the message from the list once the conversation shows it. */
async function settle(session_id: string, client_message_id: string, message_id: string): Promise<void> {
  const seen = store.until(({ sessions }) => {
    const messages = sessions[session_id]?.history?.messages;
    return messages === undefined || messages.some((message) => message.message_id === message_id);
  });
  await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, SEEN_MS))]);
  discard(client_message_id);
}
