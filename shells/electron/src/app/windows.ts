// The windows: the main one and the quick panel. Both show the shared page, with all of Electron's restrictions.
import { join } from "node:path";
import { BrowserWindow, nativeTheme, screen, session, shell, type WebContents } from "electron";
import { EVENTS } from "../host/channels.js";
import { isOurs, isSafeLink, ORIGIN } from "../host/checks.js";
import { placed, type StateFile } from "../state.js";

/** The delay between the end of a page's process and its reload, in ms. */
const RELOAD_MS = 250;
const HOME = "#/";
const ASKED = new Set(["clipboard-sanitized-write"]);

export interface WindowOptions {
  state: StateFile;
  /** The folder with preload.cjs. */
  folder: string;
  icon: string;
  name: string;
  hidden: boolean;
  /** Whether the app is quitting, so that closing a window really closes it. */
  quitting(): boolean;
}

export class Windows {
  readonly #options: WindowOptions;
  #main: BrowserWindow | null = null;
  #quick: BrowserWindow | null = null;
  /** The place to open in the main page when it has loaded and listens. */
  #going: string | null = null;
  #hears = false;

  constructor(options: WindowOptions) {
    this.#options = options;
    // Pages get only the permissions that they need.
    session.defaultSession.setPermissionRequestHandler((_page, permission, answer) => {
      answer(ASKED.has(permission));
    });
    session.defaultSession.setPermissionCheckHandler((_page, permission) => ASKED.has(permission));
  }

  get main(): BrowserWindow | null {
    return this.#main;
  }

  get focused(): boolean {
    return [this.#main, this.#quick].some((window) => window?.isVisible() === true && window.isFocused());
  }

  tell(channel: string, ...said: unknown[]): void {
    for (const window of [this.#main, this.#quick])
      if (window && !window.isDestroyed()) window.webContents.send(channel, ...said);
  }

  reload(): void {
    this.#hears = false;
    for (const window of [this.#main, this.#quick]) window?.webContents.reloadIgnoringCache();
  }

  /** Creates the main window, at the place where the person was last. */
  open(place: string | null = null): BrowserWindow {
    const { state, icon, name, hidden } = this.#options;
    const { window: before, last_place } = state.current;
    const areas = screen.getAllDisplays().map(({ workArea }) => workArea);
    const window = new BrowserWindow({
      width: 1080,
      height: 760,
      ...placed(before, areas),
      minWidth: 360,
      minHeight: 400,
      title: name,
      icon,
      show: false,
      backgroundColor: background(),
      webPreferences: this.#preferences(),
    });
    this.#main = window;
    this.#lock(window.webContents);
    if (before?.maximized) window.maximize();
    if (before?.full_screen) window.setFullScreen(true);
    window.once("ready-to-show", () => {
      if (!hidden) window.show();
    });
    window.on("close", (event) => {
      this.#remember();
      if (this.#options.quitting()) return;
      event.preventDefault(); // the app stays in the tray, and the agents go on working
      window.hide();
    });
    window.on("closed", () => {
      this.#main = null;
      this.#hears = false;
    });
    for (const event of ["resize", "move", "maximize", "unmaximize", "enter-full-screen", "leave-full-screen"] as const)
      window.on(event as "resize", () => {
        this.#remember();
      });
    window.webContents.on("did-navigate-in-page", (_event, url, isMainFrame) => {
      if (isMainFrame && isOurs(url)) state.set({ last_place: new URL(url).hash || null });
    });
    window.webContents.on("did-start-navigation", (_event, _url, inPlace, isMainFrame) => {
      if (isMainFrame && !inPlace) this.#hears = false;
    });
    window.webContents.on("did-finish-load", () => {
      this.#hears = true;
      this.#go(null);
    });
    window.webContents.on("render-process-gone", (_event, { reason }) => {
      this.#hears = false;
      if (reason === "clean-exit") return;
      // Not during the event: Electron 9 destroys the page then, and the app would end with SIGSEGV.
      setTimeout(() => {
        if (!window.isDestroyed()) window.webContents.reload();
      }, RELOAD_MS);
    });
    void window.loadURL(address(place ?? last_place ?? HOME));
    return window;
  }

  /** Shows the main window, at `place` when one is given. */
  show(place: string | null = null): void {
    const window = this.#main;
    if (window === null) {
      this.open(place);
      return;
    }
    if (window.isMinimized()) window.restore();
    window.show();
    window.focus();
    this.#go(place);
  }

  #go(place: string | null): void {
    this.#going = place ?? this.#going;
    if (!this.#hears || this.#going === null) return;
    this.#main?.webContents.send(EVENTS.go, this.#going);
    this.#going = null;
  }

  /** Shows or hides the small window above all others. */
  toggleQuick(): void {
    const window = this.#quick;
    if (window?.isVisible()) {
      window.hide();
      return;
    }
    this.#showQuick(window ?? this.#openQuick());
  }

  closeQuick(): void {
    this.#quick?.destroy();
    this.#quick = null;
  }

  #showQuick(window: BrowserWindow): void {
    const { workArea } = screen.getDisplayNearestPoint(screen.getCursorScreenPoint());
    const { width } = window.getBounds();
    window.setPosition(Math.round(workArea.x + (workArea.width - width) / 2), workArea.y + 80);
    window.show();
    window.focus();
  }

  #openQuick(): BrowserWindow {
    const { icon, name } = this.#options;
    const window = new BrowserWindow({
      width: 460,
      height: 560,
      title: `${name}, quick panel`,
      icon,
      show: false,
      backgroundColor: background(),
      frame: false,
      resizable: true,
      fullscreenable: false,
      skipTaskbar: true,
      alwaysOnTop: true,
      webPreferences: this.#preferences(),
    });
    this.#quick = window;
    this.#lock(window.webContents);
    window.webContents.on("before-input-event", (event, input) => {
      if (input.type !== "keyDown" || input.key !== "Escape" || input.isAutoRepeat) return;
      event.preventDefault();
      window.hide();
    });
    window.on("close", (event) => {
      if (this.#options.quitting()) return;
      event.preventDefault();
      window.hide();
    });
    window.on("closed", () => {
      this.#quick = null;
    });
    void window.loadURL(address("#/new"));
    return window;
  }

  #preferences(): Electron.WebPreferences {
    return {
      preload: join(this.#options.folder, "preload.cjs"),
      nodeIntegration: false,
      contextIsolation: true,
      sandbox: true,
      webSecurity: true,
      webviewTag: false,
      navigateOnDragDrop: false,
      spellcheck: true,
    };
  }

  /** Pages can't leave the app's own pages; safe links open in the system's browser. */
  #lock(page: WebContents): void {
    page.setWindowOpenHandler(({ url }) => {
      if (isSafeLink(url)) void shell.openExternal(url);
      return { action: "deny" };
    });
    page.on("will-navigate", (event, url) => {
      if (isOurs(url)) return;
      event.preventDefault();
      if (isSafeLink(url)) void shell.openExternal(url);
    });
    page.on("will-attach-webview", (event) => {
      event.preventDefault();
    });
  }

  #remember(): void {
    const window = this.#main;
    if (window === null || window.isDestroyed() || window.isMinimized()) return;
    const { x, y, width, height } = window.getNormalBounds();
    this.#options.state.set({
      window: { x, y, width, height, maximized: window.isMaximized(), full_screen: window.isFullScreen() },
    });
  }
}

/** The page's own background colour, so that nothing flashes before the page is drawn. */
function background(): string {
  return nativeTheme.shouldUseDarkColors ? "#17161b" : "#ffffff";
}

function address(place: string): string {
  return `${ORIGIN}/index.html${place}`;
}
