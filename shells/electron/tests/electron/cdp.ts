// The part of Chromium's and Node's debugging protocol that driving a window needs; every version of both supports it.
import { once } from "node:events";
import WebSocket from "ws";

interface Said {
  id?: number;
  result?: Record<string, unknown>;
  error?: { message: string };
}

export class Cdp {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<
    number,
    { resolve: (result: Record<string, unknown>) => void; reject: (cause: Error) => void }
  >();
  #count = 0;

  static async connect(url: string): Promise<Cdp> {
    const socket = new WebSocket(url, { perMessageDeflate: false, maxPayload: 256 * 1024 * 1024 });
    await once(socket, "open");
    return new Cdp(socket);
  }

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("error", () => undefined); // the close event is enough
    socket.on("message", (data: Buffer) => {
      const { id, result, error } = JSON.parse(data.toString("utf8")) as Said;
      const waiting = this.#waiting.get(id ?? -1);
      if (id === undefined || !waiting) return;
      this.#waiting.delete(id);
      if (error) waiting.reject(new Error(error.message));
      else waiting.resolve(result ?? {});
    });
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("the window is gone"));
      this.#waiting.clear();
    });
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  send(method: string, params: object = {}): Promise<Record<string, unknown>> {
    this.#count += 1;
    const id = this.#count;
    return new Promise((resolve, reject) => {
      if (this.#socket.readyState !== WebSocket.OPEN) {
        reject(new Error("the window is gone"));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  /** The value of an expression, as JSON; a promise is awaited. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = (await this.send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      includeCommandLineAPI: true, // `require` in the main process
      userGesture: true,
    })) as {
      result: { value: T; description?: string };
      exceptionDetails?: { text: string; exception?: { description?: string } };
    };
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  close(): void {
    this.#socket.close();
  }
}
