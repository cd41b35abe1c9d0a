// What waits for the person's attention, counted by the daemon; which conversation the person looks at; and the system's
// notifications where there is no native shell to show them.
import { useSyncExternalStore } from "react";
import { client, host, onEvent } from "./engine.js";
import { kept, keep } from "./keep.js";
import { go, parse, sessionHref } from "./route.js";
import { toast } from "./toasts.js";

export interface Attention {
  notification_id: string;
  kind: "approval_required" | "turn_done" | "error" | "service_crashed";
  title: string;
  body: string;
  agent_id: string | null;
  session_id: string | null;
  turn_id: string | null;
  call_id: string | null;
  created_at: string;
  read: boolean;
}

export interface AttentionState {
  /** Null: this daemon keeps no such list. */
  notifications: readonly Attention[] | null;
  unread: number;
  flags: Readonly<Record<string, boolean | string>>;
}

let state: AttentionState = { notifications: null, unread: 0, flags: {} };
const listeners = new Set<() => void>();

function publish(news: Partial<AttentionState>): void {
  state = { ...state, ...news };
  for (const listener of [...listeners]) listener();
}

export function useAttention(): AttentionState {
  return useSyncExternalStore(
    (changed) => {
      listeners.add(changed);
      return () => {
        listeners.delete(changed);
      };
    },
    () => state,
  );
}

/** Whether a flag is on, for those that are no part of the page. */
export function isOn(name: string): boolean {
  return flagged(state.flags, name);
}

/** Flags that a daemon does not name count as on. */
export function flagged(flags: AttentionState["flags"], name: string): boolean {
  return flags[name] !== false;
}

async function read(): Promise<void> {
  const [list, flags] = await Promise.allSettled([
    client.call<{ notifications: Attention[]; unread: number }>("GET", "/api/notifications"),
    client.call<{ name: string; value: boolean | string }[]>("GET", "/api/flags"),
  ]);
  if (list.status === "fulfilled") publish({ notifications: list.value.notifications, unread: list.value.unread });
  if (flags.status === "fulfilled")
    publish({ flags: Object.fromEntries(flags.value.map(({ name, value }) => [name, value])) });
}

const SHOWN = 50;

/** Watches the stream from now on. */
export function watchAttention(): void {
  let client_id: string | null = null;
  let looked: string | null | undefined;

  /** Says which conversation is in view; none while the page is hidden. */
  function look(): void {
    if (client_id === null) return;
    const route = parse(window.location.hash);
    const session_id =
      document.visibilityState === "visible" && document.hasFocus() && route.page === "chat" ? route.session_id : null;
    if (session_id === looked) return;
    looked = session_id;
    client.call("POST", "/api/focus", { client_id, session_id }).catch(() => {
      looked = undefined; // a session that is gone, or a daemon that does not ask
    });
    const seen = state.notifications?.filter(
      (one) => !one.read && one.session_id === session_id && one.kind === "turn_done",
    );
    if (session_id !== null && seen && seen.length > 0)
      void markRead(seen.map(({ notification_id }) => notification_id));
  }

  onEvent((event) => {
    if (event.type === "connected") {
      client_id = typeof event.data.client_id === "string" ? event.data.client_id : null;
      looked = undefined;
      look();
      void read();
    } else if (event.type === "notification_added") {
      const { unread, ...added } = event.data as unknown as Attention & { unread: number };
      const whole: Attention = { ...EMPTY, ...added };
      const others = (state.notifications ?? []).filter((one) => one.notification_id !== whole.notification_id);
      publish({ notifications: [whole, ...others].slice(0, SHOWN), unread });
      tell(whole);
    } else if (event.type === "notifications_read") {
      const { ids, unread } = event.data as { ids: string[]; unread: number };
      const notifications = state.notifications?.map((one) =>
        ids.includes(one.notification_id) ? { ...one, read: true } : one,
      );
      publish({ notifications: notifications ?? null, unread });
    } else if (event.type === "flags_changed") {
      const changed = event.data.changed as { name: string; value: boolean | string }[];
      publish({ flags: { ...state.flags, ...Object.fromEntries(changed.map(({ name, value }) => [name, value])) } });
    } else if (event.type === "resync") {
      void read();
    }
  });
  for (const event of ["hashchange", "focus", "blur"]) window.addEventListener(event, look);
  document.addEventListener("visibilitychange", () => {
    look();
    if (document.visibilityState === "visible") offer();
  });
}

const EMPTY: Omit<Attention, "notification_id" | "kind" | "title" | "body" | "created_at"> = {
  agent_id: null,
  session_id: null,
  turn_id: null,
  call_id: null,
  read: false,
};

export async function markRead(ids?: string[]): Promise<void> {
  await client.call("POST", "/api/notifications/read", ids === undefined ? {} : { ids }).catch(() => undefined);
}

export function openAttention({ kind, session_id, notification_id }: Attention): void {
  void markRead([notification_id]);
  if (kind === "service_crashed") go("#/settings/services");
  else if (session_id !== null) go(sessionHref(session_id));
}

// -- the system's notifications ----------------------------------------------------------------------------------------

const ASKED = "notifications.asked";
let missed = false;

/** Only while nobody looks, only with permission; a native shell shows its own. */
function tell(news: Attention): void {
  if (host !== null || document.visibilityState === "visible" || !flagged(state.flags, "desktop_notifications")) return;
  if (!("Notification" in window)) return;
  if (Notification.permission !== "granted") {
    missed = true;
    return;
  }
  const shown = new Notification(news.title, { body: news.body, tag: news.notification_id });
  shown.onclick = () => {
    window.focus();
    openAttention(news);
  };
}

/** Asks whether to be told, once, after something came while nobody looked. */
function offer(): void {
  if (!missed || !("Notification" in window) || Notification.permission !== "default" || kept(ASKED) !== null) return;
  missed = false;
  keep(ASKED, "yes");
  toast("Something happened while you were away. Shall the system tell you next time?", {
    seconds: 30,
    action: { label: "Yes, ask me", act: () => void Notification.requestPermission() },
  });
}
