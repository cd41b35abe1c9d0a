// The actions for conversations.
import type { EventOf } from "@aster-sidecar/client";
import { Cell, useCell } from "./cell.js";
import { client, onEvent } from "./engine.js";
import { texts } from "./messages.js";
import { go, newHref, parse, sessionHref } from "./route.js";
import { dismiss, toast } from "./toasts.js";
import { said } from "./problems.js";

/** Messages that should steer a turn that was stopped before the agent read them; it reads them in its next turn. */
const unread = new Cell<ReadonlySet<string>>(new Set());

export function leftUnread(message_ids: readonly string[]): void {
  if (message_ids.length > 0) unread.set(new Set([...unread.get(), ...message_ids]));
}

export function useUnread(): ReadonlySet<string> {
  return useCell(unread);
}

/** The states in which a turn has not ended. */
export const BUSY: ReadonlySet<string> = new Set(["running", "waiting_approval", "queued"]);

// -- what people do ----------------------------------------------------------------------------------------------------

function failed(session_id: string, words: (why: string) => string, error: unknown): void {
  const { message, hint } = said(error);
  toast(words(hint ? texts.shared.withHint(message, hint) : message), { kind: "error", about: session_id });
}

type Change = EventOf<"session_changed">["data"];

/** Dismisses a notice once its statement about the conversation is no longer true, whoever changed it. */
function holdWhile(key: number, session_id: string, holds: (change: Change) => boolean): void {
  const stop = onEvent((event) => {
    if (event.type !== "session_changed" || event.session_id !== session_id || holds(event.data)) return;
    dismiss(key);
    stop();
  });
  setTimeout(stop, MOST_S * 1000);
}

/** The longest time that a notice of this file is shown. */
const MOST_S = 12;

export async function rename(session_id: string, title: string): Promise<void> {
  try {
    await client.sessions.rename(session_id, title.trim());
  } catch (error) {
    failed(session_id, texts.session.notRenamed, error);
  }
}

export async function pin(session_id: string, pinned: boolean): Promise<void> {
  try {
    await client.sessions.pin(session_id, pinned);
  } catch (error) {
    failed(session_id, pinned ? texts.session.notPinned : texts.session.notUnpinned, error);
  }
}

export async function archive(session_id: string, archived: boolean): Promise<void> {
  try {
    await client.sessions.archive(session_id, archived);
    if (archived) leave(session_id);
    const key = toast(archived ? texts.session.archived : texts.session.unarchived, {
      about: session_id,
      action: { label: texts.shared.undo, act: () => void archive(session_id, !archived) },
    });
    holdWhile(key, session_id, ({ session }) => session?.archived === archived);
  } catch (error) {
    failed(session_id, archived ? texts.session.notArchived : texts.session.notUnarchived, error);
  }
}

/** Goes to a new conversation when this one is on the page. */
function leave(session_id: string): void {
  const route = parse(window.location.hash);
  if (route.page === "chat" && route.session_id === session_id) go(newHref());
}

/** Moves a conversation to the trash. Any window can restore it; here a notice offers that at once. */
export async function remove(session_id: string): Promise<void> {
  const { page, session_id: shown } = { session_id: null, ...parse(window.location.hash) };
  const was_open = page === "chat" && shown === session_id;
  try {
    await client.sessions.delete(session_id);
  } catch (error) {
    if ((error as { code?: string }).code === "agent_busy") {
      const key = toast(texts.session.notDeletedBusy, {
        kind: "error",
        about: session_id,
        action: { label: texts.session.stopAndDelete, act: () => void stopAndRemove(session_id) },
      });
      holdWhile(key, session_id, ({ change }) => change !== "deleted");
    } else failed(session_id, texts.session.notDeleted, error);
    return;
  }
  leave(session_id);
  const key = toast(texts.session.deleted, {
    seconds: UNDO_S,
    about: session_id,
    action: {
      label: texts.shared.undo,
      act: () =>
        void restore(session_id).then((back) => {
          if (back && was_open) go(sessionHref(session_id));
        }),
    },
  });
  // It may have been restored by now, or deleted permanently.
  holdWhile(key, session_id, ({ change, restorable_until }) => change === "deleted" && restorable_until != null);
}

/** How long the notice offers to undo a deletion; the trash offers it for 30 days. */
const UNDO_S = 8;

async function stopAndRemove(session_id: string): Promise<void> {
  try {
    const { agent_id } = await client.sessions.get(session_id);
    await client.cancel({ agent_id, session_id });
  } catch (error) {
    failed(session_id, texts.session.notDeleted, error);
    return;
  }
  await remove(session_id);
}

/** Restores a deleted conversation. Resolves with whether that succeeded. */
export async function restore(session_id: string): Promise<boolean> {
  try {
    await client.sessions.restore(session_id);
    return true;
  } catch (error) {
    failed(session_id, texts.session.notRestored, error);
    return false;
  }
}

/** Deletes a conversation in the trash now, instead of after 30 days. */
export async function purge(session_id: string): Promise<void> {
  try {
    await client.sessions.delete(session_id, { purge: true });
  } catch (error) {
    failed(session_id, texts.session.notDeleted, error);
  }
}
