// What people do with conversations.
import { Cell, useCell } from "./cell.js";
import { client } from "./engine.js";
import { keep, keptJson } from "./keep.js";
import { go, newHref, parse } from "./route.js";
import { dismiss, toast } from "./toasts.js";
import { said } from "./words.js";

/** Conversations that are being deleted: not shown, and still there until the time for second thoughts is over. */
const leaving = new Cell<ReadonlySet<string>>(new Set());

/** Messages that were to steer a turn that was stopped before the agent read them: it does with the next one. */
const unread = new Cell<ReadonlySet<string>>(new Set());

export function leftUnread(message_ids: readonly string[]): void {
  if (message_ids.length > 0) unread.set(new Set([...unread.get(), ...message_ids]));
}

export function useUnread(): ReadonlySet<string> {
  return useCell(unread);
}

// -- what people do ----------------------------------------------------------------------------------------------------

function failed(what: string, error: unknown): void {
  const { message, hint } = said(error);
  toast(`${what}: ${message}${hint ? ` – ${hint}` : ""}`, { kind: "error" });
}

export async function rename(session_id: string, title: string): Promise<void> {
  try {
    await client.sessions.rename(session_id, title.trim());
  } catch (error) {
    failed("Not renamed", error);
  }
}

export async function archive(session_id: string, archived: boolean): Promise<void> {
  try {
    await client.sessions.archive(session_id, archived);
    if (archived) leave(session_id);
    toast(archived ? "Archived." : "Back among the conversations.", {
      action: { label: "Undo", act: () => void archive(session_id, !archived) },
    });
  } catch (error) {
    failed(archived ? "Not archived" : "Not brought back", error);
  }
}

/** Goes to a new conversation when this one is on the page. */
function leave(session_id: string): void {
  const route = parse(window.location.hash);
  if (route.page === "chat" && route.session_id === session_id) go(newHref());
}

const UNDO_S = 8;
const LEAVING = "deleting";

export function useLeaving(): ReadonlySet<string> {
  return useCell(leaving);
}

function setLeaving(next: ReadonlySet<string>): void {
  keep(LEAVING, next.size > 0 ? JSON.stringify([...next]) : null);
  leaving.set(next);
}

/** Hides a conversation, and deletes it when the time to undo that is over. A page that is closed before does it next time. */
export function remove(session_id: string): void {
  setLeaving(new Set([...leaving.get(), session_id]));
  leave(session_id);
  const timer = setTimeout(() => {
    dismiss(key);
    void finish(session_id);
  }, UNDO_S * 1000);
  const key = toast("Deleted.", {
    seconds: UNDO_S,
    action: {
      label: "Undo",
      act: () => {
        clearTimeout(timer);
        setLeaving(new Set([...leaving.get()].filter((id) => id !== session_id)));
      },
    },
  });
}

async function finish(session_id: string): Promise<void> {
  try {
    await client.sessions.delete(session_id);
  } catch (error) {
    const { code } = error as { code?: string };
    if (code !== "session_not_found") failed("Not deleted", error);
    if (code === "unreachable") return; // next time
  }
  setLeaving(new Set([...leaving.get()].filter((id) => id !== session_id)));
}

/** Deletes what a page that was closed too early left behind. */
export function finishDeletions(): void {
  const left = keptJson<unknown>(LEAVING, []);
  if (!Array.isArray(left)) return;
  for (const session_id of left) {
    if (typeof session_id === "string") void finish(session_id);
  }
}
