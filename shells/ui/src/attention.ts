// Reports which conversation the person looks at, and shows system notifications if there is no native shell to show
// them.
import { isOn, type NotificationEntry } from "@aster-sidecar/client";
import { client, host, onEvent, store } from "./engine.js";
import { kept, keep } from "./keep.js";
import { texts } from "./messages.js";
import { go, parse, sessionHref } from "./route.js";
import { toast } from "./toasts.js";

/** Watches the stream from now on. */
export function watchAttention(): void {
  let client_id: string | null = null;
  let looked: string | null | undefined;

  /** Reports the conversation in view; none while the page is hidden. */
  function look(): void {
    if (client_id === null) return;
    const route = parse(window.location.hash);
    const session_id =
      document.visibilityState === "visible" && document.hasFocus() && route.page === "chat" ? route.session_id : null;
    if (session_id === looked) return;
    looked = session_id;
    client.call("POST", "/api/focus", { client_id, session_id }).catch(() => {
      looked = undefined; // the session no longer exists
    });
    if (session_id === null) return;
    const seen = store
      .getState()
      .notifications.filter((one) => !one.read && one.session_id === session_id && one.kind === "turn_done");
    if (seen.length > 0) void markRead(seen.map(({ notification_id }) => notification_id));
  }

  onEvent((event) => {
    if (event.type === "connected") {
      ({ client_id } = event.data);
      looked = undefined;
      look();
    } else if (event.type === "notification_added") {
      tell(event.data);
    }
  });
  for (const event of ["hashchange", "focus", "blur"]) window.addEventListener(event, look);
  document.addEventListener("visibilitychange", () => {
    look();
    if (document.visibilityState === "visible") offer();
  });
}

export async function markRead(ids?: string[]): Promise<void> {
  await client.call("POST", "/api/notifications/read", ids === undefined ? {} : { ids }).catch(() => undefined);
}

type Openable = Pick<NotificationEntry, "kind" | "notification_id"> & { session_id?: string | null };

export function openAttention({ kind, session_id, notification_id }: Openable): void {
  void markRead([notification_id]);
  if (kind === "service_crashed") go("#/settings/services");
  else if (session_id != null) go(sessionHref(session_id));
}

// -- the system's notifications ----------------------------------------------------------------------------------------

const ASKED = "notifications.asked";
let missed = false;

/** Only while the page is hidden, and only with permission; a native shell shows its own notifications. */
function tell(news: Openable & { title: string; body: string }): void {
  if (host !== null || document.visibilityState === "visible") return;
  if (!isOn(store.getState(), "desktop_notifications") || !("Notification" in window)) return;
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

/** Offers notifications, once, after something happened while the page was hidden. */
function offer(): void {
  if (!missed || !("Notification" in window) || Notification.permission !== "default" || kept(ASKED) !== null) return;
  missed = false;
  keep(ASKED, "yes");
  toast(texts.notifications.offer, {
    seconds: 30,
    action: { label: texts.notifications.turnOn, act: () => void Notification.requestPermission() },
  });
}
