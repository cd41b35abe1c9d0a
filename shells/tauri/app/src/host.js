// `window.asterHost`: the functions that the app offers to the page. Runs before the page's own scripts, in its top frame
// only.
(() => {
  const tauri = window.__TAURI_INTERNALS__;
  const label = tauri.metadata.currentWindow.label;

  const ask = (command, given, options) =>
    tauri.invoke(command, given, options).catch((cause) => {
      throw cause instanceof Error ? cause : new Error(String(cause));
    });

  /** Listens for one event of the app; `listening` resolves when it does. */
  const listen = (event) => {
    const listeners = new Set();
    const take = ({ payload }) => {
      for (const listener of [...listeners]) listener(payload);
    };
    const listening = ask("plugin:event|listen", {
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
    return { listening, on };
  };

  const socket = listen("aster:socket-event");
  const status = listen("aster:runtime-status");
  const go = listen("aster:go");

  const host = {
    getRuntimeInfo: () => ask("get_runtime_info"),
    startEngine: () => ask("start_engine"),
    stopEngine: () => ask("stop_engine"),
    restartEngine: () => ask("restart_engine"),
    pickFolder: () => ask("pick_folder"),
    openLogs: () => ask("open_logs"),
    exportDiagnostics: () => ask("export_diagnostics"),
    checkForUpdates: () => ask("check_for_updates"),
    saveAttachment: (attachmentId, name) => ask("save_attachment", { attachmentId, name }),
    request: (method, path, body) => ask("request", { method, path, body: body ?? null }),
    // Halves of characters can't be encoded, and are replaced.
    upload: async (name, bytes) => {
      const filename = encodeURIComponent(name.replace(/\p{Surrogate}/gu, "\ufffd"));
      return ask("upload", bytes, { headers: { "X-Filename": filename } });
    },
    download: async (attachmentId) => {
      const said = new Uint8Array(await ask("download", { attachmentId }));
      const end = said.indexOf(10); // the first line is JSON
      return { ...JSON.parse(new TextDecoder().decode(said.subarray(0, end))), bytes: said.slice(end + 1) };
    },
    // Its first events may arrive before the answer, so the page has to listen first.
    openSocket: (url) => socket.listening.then(() => ask("open_socket", { url })),
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
    // Once it listens, it asks for the place where it was sent while it loaded.
    go.listening
      .then(() => ask("take_place"))
      .then((place) => {
        if (place !== null) window.location.hash = place;
      })
      .catch(() => undefined);
    // One call after the other, so that the last place is the one that is kept.
    let remembered = Promise.resolve();
    window.addEventListener("hashchange", () => {
      remembered = remembered.then(() => ask("remember_place", { place: window.location.hash })).catch(() => undefined);
    });
  }
  if (label === "quick")
    window.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.repeat) ask("hide_quick").catch(() => undefined);
    });
})();
