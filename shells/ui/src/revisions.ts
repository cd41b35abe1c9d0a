// Changing what was said: taking messages out of a conversation, putting them back, and copying a conversation.
import type { Message, RewindRequest } from "@aster-sidecar/client";
import { client, store } from "./engine.js";
import { texts } from "./messages.js";
import { said } from "./problems.js";
import { go, sessionHref } from "./route.js";
import { toast } from "./toasts.js";

/** An error in words; the reason for which most calls here are refused is in the page's own. */
export function reason(error: unknown): string {
  const { code } = error as { code?: string };
  if (code === "agent_busy") return texts.rewind.busy;
  if (code === "message_not_found") return texts.rewind.noMessage;
  const { message, hint } = said(error);
  return hint ? texts.shared.withHint(message, hint) : message;
}

/**
 * The message that began a turn: those that steered it come later. If it is on an older page, that page is loaded. Says
 * so and resolves with undefined if it can't be found.
 */
export async function beginningOf(session_id: string, turn_id: string): Promise<Message | undefined> {
  const find = (): Message | undefined =>
    store
      .getState()
      .sessions[session_id]?.history?.messages.find(
        (message) => message.turn_id === turn_id && message.role === "user",
      );
  if (!find()) await store.loadOlder(session_id, 200).catch(() => undefined);
  const found = find();
  if (!found) toast(texts.rewind.noMessage, { kind: "error", about: session_id });
  return found;
}

/** Takes a message and everything after it out. Rejects with AsterError. Does nothing if that is the last rewind. */
export async function takeOut(session_id: string, request: RewindRequest): Promise<void> {
  if (store.getState().sessions[session_id]?.rewind?.message_id === request.message_id) return;
  await client.sessions.rewind(session_id, request);
  // The page shows the conversation without these messages before anything else happens to it.
  await shown(session_id, (messages) => !messages.some(({ message_id }) => message_id === request.message_id));
}

/** Puts back what the last rewind took out. */
export async function unrewind(session_id: string): Promise<void> {
  try {
    await client.sessions.unrewind(session_id);
  } catch (error) {
    toast(texts.shared.notUndone(reason(error)), { kind: "error", about: session_id });
  }
}

/** Copies a conversation, up to and with the turn that this message began, and opens the copy. */
export async function fork(session_id: string, message_id?: string): Promise<void> {
  try {
    const copy = await client.sessions.fork(session_id, message_id);
    go(sessionHref(copy.session_id));
    toast(texts.rewind.forked, { about: copy.session_id });
  } catch (error) {
    toast(texts.rewind.notForked(reason(error)), { kind: "error", about: session_id });
  }
}

/** How long the page waits for an event that should have arrived. */
const SHOWN_MS = 2000;

async function shown(session_id: string, holds: (messages: readonly { message_id: string }[]) => boolean) {
  const seen = store.until(({ sessions }) => holds(sessions[session_id]?.history?.messages ?? []));
  await Promise.race([seen, new Promise((resolve) => setTimeout(resolve, SHOWN_MS))]);
}
