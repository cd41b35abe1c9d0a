// Makes Electron 9 look like the current version, as far as this app needs it. For tests only.
import { Readable } from "node:stream";
import * as real from "electron";

interface OldProtocol {
  registerStreamProtocol(
    scheme: string,
    answer: (request: { method: string; url: string }, done: (said: object) => void) => void,
  ): void;
}

class OldResponse {
  readonly bytes: Uint8Array;
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(bytes: Uint8Array, { status, headers }: { status: number; headers: Record<string, string> }) {
    this.bytes = bytes;
    this.status = status;
    this.headers = headers;
  }
}

const old = real as unknown as typeof import("electron") & { protocol: OldProtocol };

if (!("handle" in old.protocol)) {
  Object.assign(globalThis, { Response: OldResponse });
  Object.assign(old.protocol, {
    handle(scheme: string, answer: (request: { method: string; url: string }) => Promise<OldResponse>) {
      (old.protocol as OldProtocol).registerStreamProtocol(scheme, ({ method, url }, done) => {
        void answer({ method, url }).then(({ status, headers, bytes }) => {
          done({ statusCode: status, headers, data: Readable.from([Buffer.from(bytes)]) });
        });
      });
    },
  });

  old.app.on("web-contents-created", (_event, page) => {
    if ("setWindowOpenHandler" in page && typeof page.setWindowOpenHandler === "function") return;
    Object.assign(page, {
      setWindowOpenHandler(decide: (asked: { url: string }) => unknown) {
        page.on("new-window" as "did-navigate", (event, url) => {
          event.preventDefault();
          decide({ url });
        });
      },
    });
  });

  const handle = old.ipcMain.handle.bind(old.ipcMain);
  old.ipcMain.handle = (channel, answer) => {
    handle(channel, (event, ...given: unknown[]) => {
      const frame = { url: event.sender.getURL(), parent: null };
      Object.defineProperty(event, "senderFrame", { value: frame });
      return answer(event, ...given) as unknown;
    });
  };
}

export const {
  app,
  autoUpdater,
  BrowserWindow,
  dialog,
  globalShortcut,
  ipcMain,
  Menu,
  nativeImage,
  nativeTheme,
  protocol,
  screen,
  session,
  shell,
  Tray,
} = old;

/** Replaces the system's notifications, because no desktop shows them here. */
class Recorded {
  static shown: { title: string; body: string; click: () => void }[] = [];
  static isSupported = (): boolean => true;
  readonly #said: { title: string; body: string };
  #click: () => void = () => undefined;

  constructor(said: { title: string; body: string }) {
    this.#said = said;
  }

  on(_event: "click", listener: () => void): void {
    this.#click = listener;
  }

  show(): void {
    Recorded.shown.push({ ...this.#said, click: this.#click });
  }
}

export const Notification = process.env["ASTER_TEST_DESKTOP"] ? old.Notification : Recorded;
Object.assign(globalThis, { shownNotifications: Recorded.shown });
