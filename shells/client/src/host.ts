// The transport through a native shell: `window.asterHost` relays requests, so the page needs neither token nor port.
import { AsterError, isObject, notAFile, refusal, unreachable } from "./errors.js";
import {
  checkSize,
  type Answer,
  type StreamListener,
  type StreamQuery,
  type Transport,
  type UploadOptions,
} from "./transport.js";
import type { AsterEvent, Failure } from "./types.js";

export type EngineStatus = "starting" | "ready" | "restarting" | "stopped" | "crashed";

export interface HostRuntimeInfo {
  surface: "native";
  framework: "electron" | "tauri" | "wails";
  app_version: string;
  protocol: number;
  engine_status: EngineStatus;
  data_dir: string;
  logs_dir: string;
  config_path: string;
  workspace_path: string;
  engine: string;
  engine_transport: "tcp" | "unix_socket";
}

export interface HostSocketEvent {
  id: string;
  type: "open" | "message" | "close" | "error";
  data?: string;
  code?: number;
  reason?: string;
}

/** An answer of the daemon to `GET /api/attachments/{attachment_id}`. */
export interface HostFile {
  status: number;
  media_type: string;
  /** The file. If `status` is not 200, the daemon's refusal: an envelope, as JSON in UTF-8. */
  bytes: Uint8Array;
}

/** The functions of `window.asterHost`. This client needs those of `HostWire`; the others are for the page. */
export interface AsterHost {
  getRuntimeInfo(): Promise<HostRuntimeInfo>;
  startEngine(): Promise<void>;
  stopEngine(): Promise<void>;
  restartEngine(): Promise<void>;
  pickFolder(): Promise<string | null>;
  openLogs(): Promise<void>;
  exportDiagnostics(): Promise<string>;
  checkForUpdates(): Promise<{ supported: boolean; message?: string }>;
  onRuntimeStatus(listener: (status: EngineStatus) => void): () => void;
  /**
   * Lets the person choose where to save an attachment; the dialog suggests `name` in the folder for downloads. Returns
   * the path of the written file, or null if the person cancels. Rejects if the daemon refuses it, or if it can't be
   * written.
   */
  saveAttachment(attachment_id: string, name: string): Promise<string | null>;
  request(method: string, path: string, body?: string): Promise<Answer>;
  /**
   * Sends a file to `POST /api/attachments` and returns the daemon's answer, including refusals. Rejects if the file has
   * more than 25 MiB; then nothing is sent.
   */
  upload(name: string, bytes: Uint8Array): Promise<Answer>;
  download(attachment_id: string): Promise<HostFile>;
  openSocket(url: string): Promise<string>;
  sendSocket(id: string, data: string): Promise<void>;
  closeSocket(id: string): Promise<void>;
  onSocketEvent(listener: (event: HostSocketEvent) => void): () => void;
}

/** What this client needs of a host. A host without the last two carries no files. */
export type HostWire = Pick<AsterHost, "request" | "openSocket" | "sendSocket" | "closeSocket" | "onSocketEvent"> &
  Partial<Pick<AsterHost, "upload" | "download">>;

export const SOCKET_URL = "aster-host://engine/ws";

export interface HostOptions {
  host: HostWire;
  /** The longest wait for an answer, in seconds. */
  timeout_s?: number;
}

const TIMEOUT_S = 60;

/** The native host of this page, or null in a browser. */
export function hostOf(scope: object = globalThis): AsterHost | null {
  return (scope as { asterHost?: AsterHost }).asterHost ?? null;
}

export function hostTransport({ host, timeout_s = TIMEOUT_S }: HostOptions): Transport {
  /** Waits for the host's answer, at most `timeout_s`. The signal ends only the wait. */
  async function answered<T>(signal: AbortSignal | undefined, ask: () => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    let give: () => void = () => undefined;
    const gone = new Promise<never>((_, reject) => {
      const timer = setTimeout(() => {
        reject(unreachable(`no answer within ${timeout_s} s`));
      }, timeout_s * 1000);
      const abort = (): void => {
        reject(signal?.reason as Error);
      };
      signal?.addEventListener("abort", abort, { once: true });
      give = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
    });
    const asked = ask().catch((cause: unknown) => {
      throw unreachable("the shell has no answer from the daemon", cause);
    });
    return Promise.race([asked, gone]).finally(give);
  }

  function request(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Answer> {
    return answered(signal, () => host.request(method, path, body));
  }

  async function upload(name: string, bytes: Uint8Array, { signal, progress }: UploadOptions = {}): Promise<Answer> {
    checkSize(bytes);
    const answer = await answered(signal, () => {
      if (!host.upload) throw noFiles();
      return host.upload(name, bytes);
    });
    progress?.(bytes.byteLength);
    return answer;
  }

  async function download(attachment_id: string, signal?: AbortSignal): Promise<Blob> {
    const { status, media_type, bytes } = await answered(signal, () => {
      if (!host.download) throw noFiles();
      return host.download(attachment_id);
    });
    if (status !== 200) notAFile(status, new TextDecoder().decode(bytes));
    return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: media_type }); // not shared with another thread
  }

  function stream({ after, agent_id, session_id, types }: StreamQuery, listener: StreamListener): () => void {
    const requestId = `sub_${Math.random().toString(36).slice(2)}`;
    const payload = { after, agent_id, session_id, types }; // JSON leaves out what is undefined
    let socket: string | null = null;
    let early: HostSocketEvent[] = []; // events that arrive before the host has returned the socket's id
    let over = false;

    function close(): void {
      over = true;
      off();
      if (socket !== null) host.closeSocket(socket).catch(() => undefined);
    }

    function end(error: AsterError): void {
      if (over) return;
      close();
      listener.end(error);
    }

    function take(event: HostSocketEvent): void {
      if (over || event.id !== socket) return;
      if (event.type === "open") {
        host
          .sendSocket(socket, JSON.stringify({ id: requestId, type: "subscribe", payload }))
          .catch((cause: unknown) => {
            end(unreachable("the shell could not subscribe", cause));
          });
      } else if (event.type === "message") {
        read(event.data ?? "");
      } else {
        end(unreachable(event.reason ?? "the stream broke off"));
      }
    }

    function read(text: string): void {
      let said: unknown;
      try {
        said = JSON.parse(text);
      } catch (cause) {
        end(unreachable("the stream makes no sense", cause));
        return;
      }
      if (!isObject(said)) return;
      if (typeof said["type"] === "string") listener.event(said as unknown as AsterEvent);
      else if (said["id"] === requestId && said["success"] === false) end(refusal(400, said as unknown as Failure));
    }

    const off = host.onSocketEvent((event) => {
      if (socket === null) early.push(event);
      else take(event);
    });
    host.openSocket(SOCKET_URL).then(
      (id) => {
        socket = id;
        if (over) {
          host.closeSocket(id).catch(() => undefined);
          return;
        }
        for (const event of early) take(event);
        early = [];
      },
      (cause: unknown) => {
        end(unreachable("the shell has no connection to the daemon", cause));
      },
    );
    return close;
  }

  return { request, upload, download, stream };
}

function noFiles(): AsterError {
  return new AsterError(0, "not_supported", "this app carries no files", "update the app");
}
