// Messages on their way to the daemon. One that it could not be reached for is kept on this device as a draft; only the
// person sends or discards it, and it goes where it was written for, under the id it was sent with first.
import { mintId, type ChatRequest } from "@aster-sidecar/client";
import { useSyncExternalStore } from "react";
import { isOn } from "./attention.js";
import { client, store } from "./engine.js";
import { keep, keptJson } from "./keep.js";
import { toast } from "./toasts.js";
import { said } from "./words.js";

export type IfBusy = NonNullable<ChatRequest["if_busy"]>;

export interface Outgoing {
  client_message_id: string;
  agent_id: string;
  /** Null: a conversation that is made when it is sent. */
  session_id: string | null;
  text: string;
  if_busy: IfBusy;
  created_at: string;
  /** `refused`: the daemon did not take it; `problem` says why. */
  state: "sending" | "waiting" | "refused";
  problem: { message: string; hint: string | null } | null;
  /** Once the daemon has it. */
  message_id: string | null;
}

const DRAFTS = "drafts";
const DRAFTS_MOST = 20;
let entries: readonly Outgoing[] = restored();
const listeners = new Set<() => void>();

function restored(): Outgoing[] {
  const all = keptJson<unknown>(DRAFTS, []);
  if (!Array.isArray(all)) return [];
  return (all as Partial<Outgoing>[])
    .filter((one) => typeof one.text === "string" && typeof one.client_message_id === "string")
    .map((one) => ({ ...(one as Outgoing), state: "waiting" as const, message_id: null }))
    .slice(-DRAFTS_MOST);
}

function publish(next: readonly Outgoing[]): void {
  entries = next;
  // What is under way is kept as well: a page that is closed meanwhile loses nothing, and sending twice is harmless.
  const drafts = isOn("offline_drafts")
    ? entries.filter(({ state, message_id }) => state !== "refused" && message_id === null)
    : [];
  if (!keep(DRAFTS, drafts.length > 0 ? JSON.stringify(drafts) : null)) {
    toast("This device has no room for drafts: an unsent message is lost when the page is closed.", { kind: "error" });
  }
  for (const listener of [...listeners]) listener();
}

function change(client_message_id: string, news: Partial<Outgoing>): void {
  publish(entries.map((one) => (one.client_message_id === client_message_id ? { ...one, ...news } : one)));
}

export function discard(client_message_id: string): void {
  publish(entries.filter((one) => one.client_message_id !== client_message_id));
}

export function useOutbox(): readonly Outgoing[] {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => {
        listeners.delete(changed);
      };
    },
    () => entries,
  );
}

/** Sends a message. Resolves with its conversation once the daemon has it, or null when it has not. */
export function post(
  agent_id: string,
  session_id: string | null,
  text: string,
  if_busy: IfBusy,
): Promise<string | null> {
  const entry: Outgoing = {
    client_message_id: mintId(),
    agent_id,
    session_id,
    text,
    if_busy,
    created_at: new Date().toISOString(),
    state: "sending",
    problem: null,
    message_id: null,
  };
  const drafts = entries.filter(({ state }) => state === "waiting");
  const evicted = drafts.length >= DRAFTS_MOST ? drafts[0] : undefined;
  if (evicted) toast(`Only ${DRAFTS_MOST} drafts are kept: the oldest one is gone.`, { kind: "error" });
  publish([...entries.filter((one) => one !== evicted), entry]);
  return deliver(entry);
}

/** Sends one that waits, again under its own id. */
export function again(client_message_id: string): Promise<string | null> {
  const entry = entries.find((one) => one.client_message_id === client_message_id);
  if (!entry || entry.state === "sending") return Promise.resolve(null);
  change(client_message_id, { state: "sending", problem: null });
  return deliver(entry);
}

async function deliver({ client_message_id, agent_id, session_id, text, if_busy }: Outgoing): Promise<string | null> {
  try {
    let where = session_id;
    if (where === null) {
      where = (await client.sessions.create({ agent_id })).session_id;
      change(client_message_id, { session_id: where });
    }
    const tries = store.getState().connection.state === "offline" ? 1 : 5;
    const body = { agent_id, session_id: where, message: text, client_message_id, if_busy };
    const { message_id } = await client.send(body, { tries });
    change(client_message_id, { message_id });
    void settle(where, client_message_id, message_id);
    return where;
  } catch (error) {
    const unreachable = (error as { unreachable?: boolean }).unreachable === true && isOn("offline_drafts");
    change(client_message_id, { state: unreachable ? "waiting" : "refused", problem: said(error) });
    return null;
  }
}

const SEEN_MS = 3000;

/** Takes it off the list when the conversation shows it. */
async function settle(session_id: string, client_message_id: string, message_id: string): Promise<void> {
  const seen = store.until(({ sessions }) => {
    const messages = sessions[session_id]?.history?.messages;
    return messages === undefined || messages.some((message) => message.message_id === message_id);
  });
  await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, SEEN_MS))]);
  discard(client_message_id);
}
