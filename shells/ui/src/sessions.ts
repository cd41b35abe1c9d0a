// What people do with conversations.
import { Cell, useCell } from "./cell.js";
import { client, onEvent } from "./engine.js";
import { texts } from "./messages.js";
import { go, newHref, parse, sessionHref } from "./route.js";
import { dismiss, toast } from "./toasts.js";
import { said } from "./problems.js";

/** Messages that were to steer a turn that was stopped before the agent read them: it does with the next one. */
const unread = new Cell<ReadonlySet<string>>(new Set());

export function leftUnread(message_ids: readonly string[]): void {
  if (message_ids.length > 0) unread.set(new Set([...unread.get(), ...message_ids]));
}

export function useUnread(): ReadonlySet<string> {
  return useCell(unread);
}

// -- what people do ----------------------------------------------------------------------------------------------------

function failed(words: (why: string) => string, error: unknown): void {
  const { message, hint } = said(error);
  toast(words(hint ? texts.shared.withHint(message, hint) : message), { kind: "error" });
}

export async function rename(session_id: string, title: string): Promise<void> {
  try {
    await client.sessions.rename(session_id, title.trim());
  } catch (error) {
    failed(texts.session.notRenamed, error);
  }
}

export async function pin(session_id: string, pinned: boolean): Promise<void> {
  try {
    await client.sessions.pin(session_id, pinned);
  } catch (error) {
    failed(pinned ? texts.session.notPinned : texts.session.notUnpinned, error);
  }
}

export async function archive(session_id: string, archived: boolean): Promise<void> {
  try {
    await client.sessions.archive(session_id, archived);
    if (archived) leave(session_id);
    toast(archived ? texts.session.archived : texts.session.unarchived, {
      action: { label: texts.shared.undo, act: () => void archive(session_id, !archived) },
    });
  } catch (error) {
    failed(archived ? texts.session.notArchived : texts.session.notUnarchived, error);
  }
}

/** Goes to a new conversation when this one is on the page. */
function leave(session_id: string): void {
  const route = parse(window.location.hash);
  if (route.page === "chat" && route.session_id === session_id) go(newHref());
}

/** Moves a conversation to the trash. It can be had back from any window, here at once. */
export async function remove(session_id: string): Promise<void> {
  const { page, session_id: shown } = { session_id: null, ...parse(window.location.hash) };
  const was_open = page === "chat" && shown === session_id;
  try {
    await client.sessions.delete(session_id);
  } catch (error) {
    if ((error as { code?: string }).code === "agent_busy") {
      toast(texts.session.notDeletedBusy, {
        kind: "error",
        action: { label: texts.session.stopAndDelete, act: () => void stopAndRemove(session_id) },
      });
    } else failed(texts.session.notDeleted, error);
    return;
  }
  leave(session_id);
  const shown_now = toast(texts.session.deleted, {
    seconds: UNDO_S,
    action: {
      label: texts.shared.undo,
      act: () =>
        void restore(session_id).then((back) => {
          if (back && was_open) go(sessionHref(session_id));
        }),
    },
  });
  const stop = onEvent((event) => {
    // It is back, from wherever: what was said of it is so no more.
    if (event.type !== "session_changed" || event.session_id !== session_id || event.data.change === "deleted") return;
    dismiss(shown_now);
    stop();
  });
  setTimeout(stop, UNDO_S * 1000);
}

/** How long the way back is offered where it was deleted; the trash has it for 30 days. */
const UNDO_S = 8;

async function stopAndRemove(session_id: string): Promise<void> {
  try {
    const { agent_id } = await client.sessions.get(session_id);
    await client.cancel({ agent_id, session_id });
  } catch (error) {
    failed(texts.session.notDeleted, error);
    return;
  }
  await remove(session_id);
}

/** Brings a deleted conversation back. Resolves with whether that worked. */
export async function restore(session_id: string): Promise<boolean> {
  try {
    await client.sessions.restore(session_id);
    return true;
  } catch (error) {
    failed(texts.session.notRestored, error);
    return false;
  }
}

/** Deletes what is in the trash now and not after 30 days. */
export async function purge(session_id: string): Promise<void> {
  try {
    await client.sessions.delete(session_id, { purge: true });
  } catch (error) {
    failed(texts.session.notDeleted, error);
  }
}
