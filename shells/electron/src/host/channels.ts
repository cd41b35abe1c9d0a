// Every name that crosses between page and main process. Nothing else is listened to.

/** What the page asks for; each is answered. */
export const CALLS = {
  getRuntimeInfo: "aster:get-runtime-info",
  startEngine: "aster:start-engine",
  stopEngine: "aster:stop-engine",
  restartEngine: "aster:restart-engine",
  pickFolder: "aster:pick-folder",
  openLogs: "aster:open-logs",
  exportDiagnostics: "aster:export-diagnostics",
  checkForUpdates: "aster:check-for-updates",
  request: "aster:request",
  openSocket: "aster:open-socket",
  sendSocket: "aster:send-socket",
  closeSocket: "aster:close-socket",
} as const;

/** What the page is told. */
export const EVENTS = {
  socket: "aster:socket-event",
  status: "aster:runtime-status",
  /** Where in the app to go: what stands behind # in the page's address. */
  go: "aster:go",
} as const;

export type CallName = keyof typeof CALLS;
