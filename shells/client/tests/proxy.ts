// A TCP proxy between client and daemon that cuts, refuses, swallows and becomes silent.
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { onTestFinished } from "vitest";

export class Proxy {
  /** While true, connections are refused. */
  refusing = false;
  /** How many of the daemon's answers are dropped, each together with its connection. */
  swallow = 0;
  /** Connections that stay open but pass nothing on, in either direction. */
  readonly #holes = new Set<Socket>();
  /** The number of connections so far. */
  connections = 0;
  readonly #server: Server;
  readonly #pairs = new Set<[Socket, Socket]>();

  constructor(port: () => number) {
    this.#server = createServer((near) => {
      if (this.refusing) {
        near.destroy();
        return;
      }
      this.connections += 1;
      const far = connect(port(), "127.0.0.1");
      const pair: [Socket, Socket] = [near, far];
      this.#pairs.add(pair);
      const end = (): void => {
        near.destroy();
        far.destroy();
        this.#pairs.delete(pair);
      };
      for (const socket of pair) socket.on("error", end).on("close", end);
      near.on("data", (data: Buffer) => {
        if (this.#holes.has(near)) return;
        // The daemon accepts only its own address as Host.
        const text = data.toString("latin1").replaceAll(this.url.slice(7), `127.0.0.1:${port()}`);
        far.write(Buffer.from(text, "latin1"));
      });
      far.on("data", (data: Buffer) => {
        if (this.#holes.has(near)) return;
        if (this.swallow > 0) {
          this.swallow -= 1;
          end();
        } else {
          near.write(data);
        }
      });
    });
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stops passing anything on over the current connections, as after a sleep. New ones work. */
  hole(): void {
    for (const [near] of this.#pairs) this.#holes.add(near);
  }

  /** Breaks every connection. */
  cut(): void {
    for (const [near] of this.#pairs) near.destroy();
  }

  async open(): Promise<this> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    onTestFinished(() => {
      this.cut();
      this.#server.close();
    });
    return this;
  }
}
