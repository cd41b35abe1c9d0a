// All channel names between page and main process. Nothing else is received.

/** The page's calls; each is answered. */
export const CALLS = {
  getRuntimeInfo: "aster:get-runtime-info",
  startEngine: "aster:start-engine",
  stopEngine: "aster:stop-engine",
  restartEngine: "aster:restart-engine",
  pickFolder: "aster:pick-folder",
  openLogs: "aster:open-logs",
  exportDiagnostics: "aster:export-diagnostics",
  checkForUpdates: "aster:check-for-updates",
  saveAttachment: "aster:save-attachment",
  request: "aster:request",
  upload: "aster:upload",
  download: "aster:download",
  openSocket: "aster:open-socket",
  sendSocket: "aster:send-socket",
  closeSocket: "aster:close-socket",
} as const;

/** Events for the page. */
export const EVENTS = {
  socket: "aster:socket-event",
  status: "aster:runtime-status",
  /** The place to open in the app: the part of the page's address after #. */
  go: "aster:go",
} as const;

export type CallName = keyof typeof CALLS;
