// The tray: the engine's status, what waits for the person, and a menu that leads back to the window.
import { Menu, nativeImage, Tray, type MenuItemConstructorOptions } from "electron";
import type { Browser } from "../host/attention.js";
import type { Status } from "../supervisor/index.js";
import type { Actions } from "./actions.js";
import { switches, type Switches } from "./switches.js";

export interface TrayPicture extends Switches {
  status: Status;
  approvals: number;
  unread: number;
  /** The agents' browser; null while it is off. */
  browser: Browser | null;
  /** Why the hotkey does not work, or null. */
  hotkey_problem: string | null;
}

const WORDS: Record<Status, string> = {
  starting: "starting",
  ready: "ready",
  restarting: "restarting",
  stopped: "stopped",
  crashed: "has crashed",
};

const BROWSER_WORDS: Record<NonNullable<Browser["state"]>, string> = {
  disabled: "off",
  idle: "not started",
  starting: "starting",
  ready: "ready",
  backoff: "failed",
  crashed: "failed",
};
/** The largest number of characters of the reason in the line about the browser. */
const REASON_MOST = 60;

/** The tray's tooltip. */
export function summary(name: string, { status, approvals, unread }: TrayPicture): string {
  const waiting = approvals === 1 ? ["1 question waits"] : approvals > 1 ? [`${approvals} questions wait`] : [];
  const news = unread > 0 ? [`${unread} unread`] : [];
  return `${name}: ${[WORDS[status], ...waiting, ...news].join(", ")}`;
}

/** The line about the agents' browser. Null: it is off, or the engine does not run. */
export function browserLine({ status, browser }: Pick<TrayPicture, "status" | "browser">): string | null {
  if (status !== "ready" || browser === null) return null;
  const { state, error } = browser;
  const failed = state === "backoff" || state === "crashed";
  const reason = failed && error !== null ? ` – ${short(error)}` : "";
  return `Browser: ${state === null ? "not available" : BROWSER_WORDS[state]}${reason}`;
}

/** The first part of an error, in one line; the page shows all of it. */
function short(error: string): string {
  const [first = ""] = error
    .replace(/[\s\p{C}]+/gu, " ")
    .trim()
    .split("; ");
  const letters = Array.from(first);
  return letters.length > REASON_MOST ? `${letters.slice(0, REASON_MOST).join("")}…` : first;
}

export function trayItems(picture: TrayPicture, actions: Actions): MenuItemConstructorOptions[] {
  const { status, approvals, hotkey_problem } = picture;
  const browser = browserLine(picture);
  const running = status === "ready" || status === "starting" || status === "restarting";
  return [
    { label: summary(actions.name, picture), enabled: false },
    ...(hotkey_problem === null ? [] : [{ label: hotkey_problem, enabled: false }]),
    { type: "separator" },
    {
      label: `Open ${actions.name}`,
      click: () => {
        actions.show();
      },
    },
    {
      label: approvals > 0 ? `Inbox (${approvals})` : "Inbox",
      click: () => {
        actions.show("#/inbox");
      },
    },
    {
      label: "Quick Panel",
      click: () => {
        actions.toggleQuick();
      },
    },
    ...(browser === null
      ? []
      : [
          {
            label: browser.replaceAll("&", "&&"), // a single one underlines the next letter
            click: () => {
              actions.show("#/settings/mcp");
            },
          },
        ]),
    { type: "separator" },
    running
      ? { label: "Restart Engine", click: () => void actions.engine("restart") }
      : { label: "Start Engine", click: () => void actions.engine("start") },
    ...switches(picture, actions),
    { type: "separator" },
    {
      label: "Quit",
      click: () => {
        actions.quit();
      },
    },
  ];
}

/** The tray, or null if the system has none. */
export function openTray(icon: string, actions: Actions): { show(picture: TrayPicture): void; close(): void } | null {
  let tray: Tray;
  try {
    const image = nativeImage.createFromPath(icon);
    if (process.platform === "darwin") image.setTemplateImage(true);
    tray = new Tray(image);
  } catch {
    return null;
  }
  tray.on("click", () => {
    actions.show();
  });
  return {
    show(picture) {
      tray.setToolTip(summary(actions.name, picture));
      if (process.platform === "darwin") tray.setTitle(picture.approvals > 0 ? String(picture.approvals) : "");
      tray.setContextMenu(Menu.buildFromTemplate(trayItems(picture, actions)));
    },
    close() {
      tray.destroy();
    },
  };
}
