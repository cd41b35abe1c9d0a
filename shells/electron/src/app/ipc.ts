// Answers the page's calls: only from the app's own pages, only from a window's top frame, only in the expected form.
import type { HostFile, HostRuntimeInfo } from "@aster-sidecar/client";
import { ipcMain, type IpcMainInvokeEvent } from "electron";
import { CALLS, EVENTS, type CallName } from "../host/channels.js";
import {
  checkAttachment,
  checkRequest,
  checkSocketUrl,
  checkUpload,
  fileName,
  isOurs,
  Refused,
} from "../host/checks.js";
import type { Sockets } from "../host/sockets.js";
import type { Content, Supervisor } from "../supervisor/index.js";

const TIMEOUT_MS = 60_000;
/** How long a page's call waits for an engine that is starting, before it fails. */
const PATIENCE_MS = 5_000;
/** The name under which approvals are answered in this window. */
export const CLIENT = "the app window";

export interface Services {
  /** The current supervisor: it is replaced when the data directory changes. */
  supervisor(): Supervisor;
  sockets: Sockets;
  runtimeInfo(): HostRuntimeInfo;
  pickFolder(): Promise<string | null>;
  /** Lets the person choose where to save a file. Returns its path, or null if the person cancels. */
  saveFile(name: string, bytes: Uint8Array): Promise<string | null>;
  openLogs(): Promise<void>;
  exportDiagnostics(): Promise<string>;
  checkForUpdates(): Promise<{ supported: boolean; message?: string }>;
}

type Answerer = (event: IpcMainInvokeEvent, ...given: unknown[]) => unknown;

export function answerCalls(services: Services): void {
  const { sockets } = services;
  const supervisor = (): Supervisor => services.supervisor();
  const attachment = async (id: unknown): Promise<Content> => {
    const path = checkAttachment(id);
    await supervisor().reachable(PATIENCE_MS);
    return supervisor().fetch({ method: "GET", path, timeout_ms: TIMEOUT_MS, client: CLIENT });
  };
  const known = new Set<number>();
  const answers: Record<CallName, Answerer> = {
    getRuntimeInfo: () => services.runtimeInfo(),
    startEngine: () => supervisor().start(),
    stopEngine: () => supervisor().stop(),
    restartEngine: () => supervisor().restart(),
    pickFolder: () => services.pickFolder(),
    openLogs: () => services.openLogs(),
    exportDiagnostics: () => services.exportDiagnostics(),
    checkForUpdates: () => services.checkForUpdates(),
    async request(_event, method, path, body) {
      const checked = checkRequest(method, path, body);
      await supervisor().reachable(PATIENCE_MS);
      return supervisor().call({ ...checked, timeout_ms: TIMEOUT_MS, client: CLIENT });
    },
    async upload(_event, name, bytes) {
      const body = checkUpload(name, bytes);
      await supervisor().reachable(PATIENCE_MS);
      const path = "/api/attachments";
      return supervisor().call({ method: "POST", path, body, timeout_ms: TIMEOUT_MS, client: CLIENT });
    },
    async download(_event, id): Promise<HostFile> {
      const { status, media_type, bytes } = await attachment(id);
      return { status, media_type, bytes: new Uint8Array(bytes) };
    },
    async saveAttachment(_event, id, name) {
      const plain = fileName(name);
      const { status, bytes } = await attachment(id);
      if (status !== 200) throw new Refused(errorIn(bytes) ?? `the daemon answered ${status}`);
      return services.saveFile(plain, bytes);
    },
    async openSocket(event, url) {
      checkSocketUrl(url);
      await supervisor().reachable(PATIENCE_MS);
      const page = event.sender;
      const owner = `window ${page.id}`;
      if (!known.has(page.id)) {
        known.add(page.id);
        const end = (): void => {
          sockets.closeAll(owner);
        };
        page.on("did-navigate", end); // not for navigation within the page
        page.on("render-process-gone", end);
        page.on("destroyed", () => {
          known.delete(page.id);
          end();
        });
      }
      return sockets.open(owner, url, (said) => {
        if (!page.isDestroyed()) page.send(EVENTS.socket, said);
      });
    },
    sendSocket(event, id, data) {
      sockets.send(`window ${event.sender.id}`, id, data);
    },
    closeSocket(event, id) {
      sockets.close(`window ${event.sender.id}`, id);
    },
  };
  for (const [name, channel] of Object.entries(CALLS) as [CallName, string][]) {
    ipcMain.handle(channel, (event, ...given: unknown[]) => {
      checkSender(event);
      return answers[name](event, ...given);
    });
  }
}

/** The words of a refusal; null if there are none. */
function errorIn(envelope: Buffer): string | null {
  try {
    const { error } = JSON.parse(envelope.toString("utf8")) as { error?: unknown };
    return typeof error === "string" ? error : null;
  } catch {
    return null;
  }
}

function checkSender({ senderFrame }: IpcMainInvokeEvent): void {
  if (senderFrame?.parent !== null || !isOurs(senderFrame.url)) throw new Refused("only the app's own page may ask");
}
