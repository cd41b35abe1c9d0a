// The tray: the engine's status, what waits for the person, and a menu that leads back to the window.
import { Menu, nativeImage, Tray, type MenuItemConstructorOptions } from "electron";
import type { Browser } from "../host/attention.js";
import type { Status } from "../supervisor/index.js";
import type { Actions } from "./actions.js";
import { browserLine } from "./browser-line.js";
import { switches, type Switches } from "./switches.js";

export interface TrayPicture extends Switches {
  status: Status;
  waiting: number;
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

/** The tray's tooltip. */
export function summary(name: string, { status, waiting, unread }: TrayPicture): string {
  const questions = waiting === 1 ? ["1 question waits"] : waiting > 1 ? [`${waiting} questions wait`] : [];
  const news = unread > 0 ? [`${unread} unread`] : [];
  return `${name}: ${[WORDS[status], ...questions, ...news].join(", ")}`;
}

export function trayItems(picture: TrayPicture, actions: Actions): MenuItemConstructorOptions[] {
  const { status, waiting, hotkey_problem } = picture;
  const browser = browserLine(status, picture.browser);
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
      label: waiting > 0 ? `Inbox (${waiting})` : "Inbox",
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
            label: browser.replace(/&/g, "&&"), // a single one underlines the next letter
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
      if (process.platform === "darwin") tray.setTitle(picture.waiting > 0 ? String(picture.waiting) : "");
      tray.setContextMenu(Menu.buildFromTemplate(trayItems(picture, actions)));
    },
    close() {
      tray.destroy();
    },
  };
}
