// The app's main process: sets up all parts in order, and connects them.
import { mkdirSync, promises as files, watch } from "node:fs";
import { dirname, join } from "node:path";
import type { HostRuntimeInfo } from "@aster-sidecar/client";
import { app, dialog, globalShortcut, Notification, protocol, shell } from "electron";
import type { Actions } from "./app/actions.js";
import { answerCalls, CLIENT } from "./app/ipc.js";
import { HIDDEN } from "./app/login-entry.js";
import { setStartOnLogin } from "./app/login.js";
import { setMenu } from "./app/menu.js";
import { openTray } from "./app/tray.js";
import { checkForUpdates } from "./app/updates.js";
import { Windows } from "./app/windows.js";
import { BRAND } from "./brand.js";
import { exportDiagnostics } from "./diagnostics.js";
import { Attention, type News, type Picture } from "./host/attention.js";
import { EVENTS } from "./host/channels.js";
import { deepLink, SCHEME } from "./host/checks.js";
import { Sockets } from "./host/sockets.js";
import { ownClient, ownWire } from "./host/wire.js";
import { page } from "./pages.js";
import { chosenRoot, holdsData, moveData, RootRefused } from "./root.js";
import { StateFile, StateTooNew } from "./state.js";
import { OVERRIDE, PROTOCOL, Supervisor, wordsOf } from "./supervisor/index.js";

const assets = join(__dirname, "..", "assets");
const ui = join(__dirname, "ui");

protocol.registerSchemesAsPrivileged([
  { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
]);
app.setName(BRAND.name);
// A second profile, for development and tests.
if (process.env["ASTER_SHELL_PROFILE"]) app.setPath("userData", process.env["ASTER_SHELL_PROFILE"]);
if (process.platform === "win32") app.setAppUserModelId(BRAND.app_id);
if (process.platform === "linux") {
  app.setDesktopName(`${BRAND.app_id}.desktop`);
  // Without it a Wayland session has no global hotkeys.
  app.commandLine.appendSwitch("enable-features", "GlobalShortcutsPortal");
}

if (app.requestSingleInstanceLock()) {
  void app.whenReady().then(onReady).catch(fail);
} else {
  app.quit(); // the first instance gets this one's arguments
}

function fail(cause: unknown): void {
  const title = cause instanceof StateTooNew ? "This version is too old" : `${BRAND.name} can't start`;
  const hint = cause instanceof StateTooNew ? "\n\nUpdate the app; nothing was changed." : "";
  dialog.showErrorBox(title, wordsOf(cause) + hint);
  app.exit(1);
}

async function onReady(): Promise<void> {
  const home = app.getPath("userData");
  const state = new StateFile(join(home, "desktop-state.json"), (cause) => {
    supervisor.log.add("shell", `desktop-state.json can't be written: ${wordsOf(cause)}`);
  });
  let supervisor = supervise(state.current.runtime_root ?? join(home, "data"));
  let quitting: "no" | "stopping" | "now" = "no";
  let picture: Picture = { waiting: 0, unread: 0, flags: {}, browser: null };
  let hotkey_problem: string | null = null;

  function supervise(data_dir: string): Supervisor {
    return new Supervisor({
      framework: "electron",
      port: BRAND.port,
      data_dir,
      logs_dir: join(data_dir, "logs"),
      places: {
        override: process.env[OVERRIDE],
        bundled: app.isPackaged ? [process.resourcesPath, dirname(process.execPath)] : [],
        development: app.isPackaged ? undefined : join(app.getAppPath(), "..", ".."),
      },
    });
  }

  const actions: Actions = {
    name: BRAND.name,
    development: !app.isPackaged,
    show: (place) => {
      windows.show(place ?? null);
    },
    toggleQuick: () => {
      if (isOn("ambient")) windows.toggleQuick();
    },
    engine: (what) => supervisor[what]().catch(() => undefined), // onStatus reports errors
    chooseRoot,
    openLogs: () => told("The logs could not be opened", openLogs),
    exportDiagnostics: () => told("The diagnostics could not be exported", bundle),
    openInBrowser: () =>
      told("The browser could not be opened", async () => {
        const { url } = await client.call<{ url: string }>("POST", "/api/handoff", {});
        await shell.openExternal(url);
      }),
    async sayUpdates() {
      const { message = "" } = await checkForUpdates(BRAND.update_feed);
      await dialog.showMessageBox({ type: "info", message, buttons: ["OK"] });
    },
    setNotifications(on) {
      state.set({ notifications: on });
      setMenu(actions, state.current);
      paint();
    },
    setStartOnLogin(on) {
      const command = app.isPackaged ? [process.execPath] : [process.execPath, app.getAppPath()];
      setStartOnLogin(on, { name: BRAND.name, app_id: BRAND.app_id, command });
      state.set({ start_on_login: on });
      setMenu(actions, state.current);
      paint();
    },
    quit: () => {
      app.quit();
    },
  };

  // what a page can call

  const sockets = new Sockets(() => supervisor.endpoint, CLIENT);
  const wire = ownWire(() => supervisor, sockets);
  const client = ownClient(wire);
  answerCalls({
    supervisor: () => supervisor,
    sockets,
    runtimeInfo,
    pickFolder: () => pickFolder("Choose a folder"),
    saveFile,
    openLogs,
    exportDiagnostics: bundle,
    checkForUpdates: () => checkForUpdates(BRAND.update_feed),
  });
  protocol.handle(SCHEME, async ({ method, url }) => {
    const { status, headers, body } = await page(ui, method, url);
    return new Response(new Uint8Array(body), { status, headers });
  });

  const windows = new Windows({
    state,
    folder: __dirname,
    icon: join(assets, "icon.png"),
    name: BRAND.name,
    hidden: process.argv.includes(HIDDEN),
    quitting: () => quitting !== "no",
  });
  const trayIcon = join(assets, process.platform === "darwin" ? "trayTemplate.png" : "tray.png");
  let tray: ReturnType<typeof openTray> = null;
  let ambient = false;
  const attention = new Attention(client, wire, {
    onPicture(next) {
      picture = next;
      setAmbient();
      paint();
    },
    onNews: notify,
  });

  setMenu(actions, state.current);
  setAmbient();
  windows.open(placeIn(process.argv));
  observe(supervisor);
  app.on("second-instance", (_event, argv) => {
    windows.show(placeIn(argv));
  });
  app.on("open-url", (event, url) => {
    event.preventDefault();
    windows.show(deepLink(url, BRAND.link_scheme));
  });
  app.on("activate", () => {
    windows.show();
  });
  app.on("window-all-closed", () => undefined); // closing hides; only Quit quits
  app.on("before-quit", quit);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
    process.on(signal, () => {
      app.quit();
    });
  if (!app.isPackaged && process.env["ASTER_DEVELOPMENT"]) reloadOnChange(ui, windows);
  if (app.isPackaged) app.setAsDefaultProtocolClient(BRAND.link_scheme);
  if (state.notice !== null) void dialog.showMessageBox({ type: "warning", message: state.notice, buttons: ["OK"] });
  await supervisor.start().catch(() => undefined); // as above

  // -- the engine ------------------------------------------------------------------------------------------------

  function observe(watched: Supervisor): void {
    watched.onStatus((status) => {
      windows.tell(EVENTS.status, status);
      if (status === "ready") attention.retry();
      paint();
      if (status === "crashed") void explain();
    });
  }

  /** The supervisor gave up: shows what happened, and what can be done. */
  async function explain(): Promise<void> {
    const { problem } = supervisor.info;
    const { response } = await dialog.showMessageBox({
      type: "error",
      message: `${BRAND.name}'s engine does not run`,
      detail: [problem?.message, problem?.hint].filter(Boolean).join("\n\n"),
      buttons: ["Try again", "Open logs", "Later"],
      defaultId: 0,
      cancelId: 2,
    });
    if (response === 0) await actions.engine("start");
    if (response === 1) await actions.openLogs();
  }

  function runtimeInfo(): HostRuntimeInfo {
    const { data_dir, logs_dir } = supervisor;
    const { binary, transport } = supervisor.info;
    return {
      surface: "native",
      framework: "electron",
      app_version: app.getVersion(),
      protocol: PROTOCOL,
      engine_status: supervisor.status,
      data_dir,
      logs_dir: logs_dir ?? "",
      config_path: join(data_dir, "config.toml"),
      workspace_path: join(data_dir, "workspace"),
      engine: binary?.path ?? "",
      engine_transport: transport,
    };
  }

  async function chooseRoot(): Promise<void> {
    const from = supervisor.data_dir;
    const folder = await pickFolder("Where to keep conversations, settings and logs");
    if (folder === null) return;
    try {
      const to = chosenRoot(folder, [app.getAppPath(), process.resourcesPath, dirname(process.execPath)]);
      if (to === from) return;
      const adopt = holdsData(to);
      const { response } = await dialog.showMessageBox({
        type: "question",
        message: adopt ? "Use the data that are there?" : "Move all data there?",
        detail: `From ${from}\nto ${to}\n\n${adopt ? "What is in the first stays where it is." : "The engine stops while they are moved."}`,
        buttons: [adopt ? "Use them" : "Move", "Cancel"],
        defaultId: 0,
        cancelId: 1,
      });
      if (response !== 0) return;
      await supervisor.retire(); // permanently: a start or a late log line would create the old directory again
      let next = from;
      try {
        if (!adopt) moveData(from, to);
        state.set({ runtime_root: to });
        state.flush();
        next = to;
      } finally {
        supervisor = supervise(next);
        observe(supervisor);
        await supervisor.start().catch(() => undefined);
      }
    } catch (cause) {
      if (cause instanceof RootRefused) dialog.showErrorBox("Not there", cause.message);
      else dialog.showErrorBox("The data could not be moved", wordsOf(cause));
    }
  }

  // -- what a person sees ----------------------------------------------------------------------------------------

  function isOn(flag: string): boolean {
    return picture.flags[flag] !== false; // a flag that the daemon does not list counts as on
  }

  /** Shows tray, quick panel and hotkey, or removes them while the flag is off. */
  function setAmbient(): void {
    if (isOn("ambient") === ambient) return;
    ambient = !ambient;
    if (ambient) {
      tray = openTray(trayIcon, actions);
      setHotkey();
      return;
    }
    tray?.close();
    tray = null;
    globalShortcut.unregisterAll();
    windows.closeQuick();
  }

  function setHotkey(): void {
    if (globalShortcut.isRegistered(BRAND.hotkey)) return;
    const taken = !globalShortcut.register(BRAND.hotkey, () => {
      actions.toggleQuick();
    });
    hotkey_problem = taken ? `${BRAND.hotkey} belongs to another app` : null;
    if (!taken) return;
    supervisor.log.add("shell", hotkey_problem ?? "");
    if (state.current.notifications && Notification.isSupported())
      new Notification({ title: BRAND.name, body: `${hotkey_problem}: the quick panel opens from the tray.` }).show();
  }

  function paint(): void {
    const { notifications, start_on_login } = state.current;
    const { waiting, unread, browser } = picture;
    const { status } = supervisor;
    tray?.show({ status, waiting, unread, browser, notifications, start_on_login, hotkey_problem });
    app.setBadgeCount(waiting + unread);
  }

  function notify({ notification_id, kind, title, body, session_id }: News): void {
    if (windows.focused || !state.current.notifications || !isOn("desktop_notifications")) return;
    if (!Notification.isSupported()) return;
    const shown = new Notification({ title, body });
    shown.on("click", () => {
      void attention.markRead(notification_id);
      windows.show(
        kind === "service_crashed" ? "#/settings/services" : session_id === null ? null : `#/s/${session_id}`,
      );
    });
    shown.show();
  }

  async function pickFolder(title: string): Promise<string | null> {
    const options: Electron.OpenDialogOptions = { title, properties: ["openDirectory", "createDirectory"] };
    const { main } = windows;
    const { canceled, filePaths } = await (main
      ? dialog.showOpenDialog(main, options)
      : dialog.showOpenDialog(options));
    return canceled ? null : (filePaths[0] ?? null);
  }

  async function saveFile(name: string, bytes: Uint8Array): Promise<string | null> {
    const options: Electron.SaveDialogOptions = {
      title: "Save the file",
      defaultPath: join(app.getPath("downloads"), name),
      properties: ["createDirectory", "showOverwriteConfirmation"],
    };
    const { main } = windows;
    const { canceled, filePath } = await (main ? dialog.showSaveDialog(main, options) : dialog.showSaveDialog(options));
    if (canceled || !filePath) return null;
    await files.writeFile(filePath, bytes);
    return filePath;
  }

  async function openLogs(): Promise<void> {
    const { logs_dir } = supervisor;
    if (logs_dir === null) return;
    mkdirSync(logs_dir, { recursive: true, mode: 0o700 });
    const problem = await shell.openPath(logs_dir);
    if (problem) throw new Error(problem);
  }

  async function bundle(): Promise<string> {
    const { window, notifications, start_on_login, runtime_root } = state.current;
    const path = await exportDiagnostics(supervisor, join(supervisor.data_dir, "diagnostics"), {
      app_version: app.getVersion(),
      versions: { ...process.versions },
      platform: `${process.platform} ${process.arch} ${process.getSystemVersion()}`,
      state: { window, notifications, start_on_login, runtime_root: runtime_root !== null },
    });
    shell.showItemInFolder(path);
    return path;
  }

  // -- the end ---------------------------------------------------------------------------------------------------

  function quit(event: Electron.Event): void {
    if (quitting === "now") return;
    event.preventDefault();
    if (quitting === "stopping") return;
    quitting = "stopping";
    attention.close();
    globalShortcut.unregisterAll();
    windows.main?.hide();
    windows.closeQuick();
    void supervisor
      .stop()
      .then(() => supervisor.log.flush())
      .finally(() => {
        state.flush();
        quitting = "now";
        app.quit();
      });
  }
}

/** During development: the windows reload the page after each build. */
function reloadOnChange(folder: string, windows: Windows): void {
  let timer: NodeJS.Timeout | undefined;
  mkdirSync(folder, { recursive: true });
  watch(folder, () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      windows.reload();
    }, 300);
  });
}

/** For something that the person asked for: shows its error. */
async function told(title: string, act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (cause) {
    dialog.showErrorBox(title, wordsOf(cause));
  }
}

function placeIn(argv: readonly string[]): string | null {
  for (const argument of argv) {
    const place = deepLink(argument, BRAND.link_scheme);
    if (place !== null) return place;
  }
  return null;
}
