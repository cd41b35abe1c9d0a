// `window.asterHost`: what the page can ask of the app. Runs before the page's own scripts, in its top frame only.
(() => {
  const tauri = window.__TAURI_INTERNALS__;
  const label = tauri.metadata.currentWindow.label;

  const ask = (command, given) =>
    tauri.invoke(command, given).catch((cause) => {
      throw cause instanceof Error ? cause : new Error(String(cause));
    });

  /** Hears one event of the app; `heard` resolves when it does. */
  const hear = (event) => {
    const listeners = new Set();
    const take = ({ payload }) => {
      for (const listener of [...listeners]) listener(payload);
    };
    const heard = ask("plugin:event|listen", {
      event,
      target: { kind: "WebviewWindow", label },
      handler: tauri.transformCallback(take),
    });
    const on = (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    };
    return { heard, on };
  };

  const socket = hear("aster:socket-event");
  const status = hear("aster:runtime-status");
  const go = hear("aster:go");

  const host = {
    getRuntimeInfo: () => ask("get_runtime_info"),
    startEngine: () => ask("start_engine"),
    stopEngine: () => ask("stop_engine"),
    restartEngine: () => ask("restart_engine"),
    pickFolder: () => ask("pick_folder"),
    openLogs: () => ask("open_logs"),
    exportDiagnostics: () => ask("export_diagnostics"),
    checkForUpdates: () => ask("check_for_updates"),
    request: (method, path, body) => ask("request", { method, path, body: body ?? null }),
    // Its first events may come before the answer.
    openSocket: (url) => socket.heard.then(() => ask("open_socket", { url })),
    sendSocket: (id, data) => ask("send_socket", { id, data }),
    closeSocket: (id) => ask("close_socket", { id }),
    onSocketEvent: socket.on,
    onRuntimeStatus: status.on,
  };
  Object.defineProperty(window, "asterHost", { value: Object.freeze(host), enumerable: true });

  go.on((place) => {
    window.location.hash = String(place);
  });
  if (label === "main") {
    // From now on it hears; where it was sent before, it asks for.
    go.heard
      .then(() => ask("take_place"))
      .then((place) => {
        if (place !== null) window.location.hash = place;
      })
      .catch(() => undefined);
    // One after the other, so that the last is the one that stays.
    let told = Promise.resolve();
    window.addEventListener("hashchange", () => {
      told = told.then(() => ask("remember_place", { place: window.location.hash })).catch(() => undefined);
    });
  }
  if (label === "quick")
    window.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.repeat) ask("hide_quick").catch(() => undefined);
    });
})();
