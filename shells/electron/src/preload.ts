// `window.asterHost`: the functions that the app offers to the page. Runs sandboxed; the page never gets Electron
// itself.
import type { AsterHost, EngineStatus, HostSocketEvent } from "@aster-sidecar/client";
import { contextBridge, ipcRenderer } from "electron";
import { CALLS, EVENTS } from "./host/channels.js";

/** Calls back with each message on a channel, without Electron's event. Returns a function that ends this. */
function on(channel: string, listener: (said: unknown) => void): () => void {
  const take = (_event: unknown, said: unknown): void => {
    listener(said);
  };
  ipcRenderer.on(channel, take);
  return () => {
    ipcRenderer.removeListener(channel, take);
  };
}

const host: AsterHost = {
  getRuntimeInfo: () => ipcRenderer.invoke(CALLS.getRuntimeInfo) as ReturnType<AsterHost["getRuntimeInfo"]>,
  startEngine: () => ipcRenderer.invoke(CALLS.startEngine) as Promise<void>,
  stopEngine: () => ipcRenderer.invoke(CALLS.stopEngine) as Promise<void>,
  restartEngine: () => ipcRenderer.invoke(CALLS.restartEngine) as Promise<void>,
  pickFolder: () => ipcRenderer.invoke(CALLS.pickFolder) as Promise<string | null>,
  openLogs: () => ipcRenderer.invoke(CALLS.openLogs) as Promise<void>,
  exportDiagnostics: () => ipcRenderer.invoke(CALLS.exportDiagnostics) as Promise<string>,
  checkForUpdates: () => ipcRenderer.invoke(CALLS.checkForUpdates) as ReturnType<AsterHost["checkForUpdates"]>,
  saveAttachment: (id, name) => ipcRenderer.invoke(CALLS.saveAttachment, id, name) as Promise<string | null>,
  request: (method, path, body) =>
    ipcRenderer.invoke(CALLS.request, method, path, body) as ReturnType<AsterHost["request"]>,
  upload: (name, bytes) => ipcRenderer.invoke(CALLS.upload, name, bytes) as ReturnType<AsterHost["upload"]>,
  download: (id) => ipcRenderer.invoke(CALLS.download, id) as ReturnType<AsterHost["download"]>,
  openSocket: (url) => ipcRenderer.invoke(CALLS.openSocket, url) as Promise<string>,
  sendSocket: (id, data) => ipcRenderer.invoke(CALLS.sendSocket, id, data) as Promise<void>,
  closeSocket: (id) => ipcRenderer.invoke(CALLS.closeSocket, id) as Promise<void>,
  onSocketEvent: (listener) =>
    on(EVENTS.socket, (said) => {
      listener(said as HostSocketEvent);
    }),
  onRuntimeStatus: (listener) =>
    on(EVENTS.status, (said) => {
      listener(said as EngineStatus);
    }),
};

contextBridge.exposeInMainWorld("asterHost", host);

on(EVENTS.go, (place) => {
  window.location.hash = String(place);
});
