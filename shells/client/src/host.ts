// The transport through a native shell: `window.asterHost` relays requests, so the page needs neither token nor port.
import { AsterError, isObject, refusal, unreachable } from "./errors.js";
import type { Answer, StreamListener, StreamQuery, Transport } from "./transport.js";
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

/** The functions of `window.asterHost`. This client needs the last five; the others are for the page. */
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
  request(method: string, path: string, body?: string): Promise<Answer>;
  openSocket(url: string): Promise<string>;
  sendSocket(id: string, data: string): Promise<void>;
  closeSocket(id: string): Promise<void>;
  onSocketEvent(listener: (event: HostSocketEvent) => void): () => void;
}

export type HostWire = Pick<AsterHost, "request" | "openSocket" | "sendSocket" | "closeSocket" | "onSocketEvent">;

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
  async function request(method: string, path: string, body?: string, signal?: AbortSignal): Promise<Answer> {
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
    const asked = host.request(method, path, body).catch((cause: unknown) => {
      throw unreachable("the shell has no answer from the daemon", cause);
    });
    return Promise.race([asked, gone]).finally(give);
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

  return { request, stream };
}
