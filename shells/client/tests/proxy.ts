// A TCP proxy between client and daemon that cuts, refuses, swallows and goes silent.
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { once } from "node:events";
import { onTestFinished } from "vitest";

export class Proxy {
  /** Connections are refused as long as this holds. */
  refusing = false;
  /** What the daemon answers is lost, and the connection with it, as often as this says. */
  swallow = 0;
  /** Connections that nothing comes through any more, in neither direction, and that are not closed. */
  readonly #holes = new Set<Socket>();
  /** Connections so far. */
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
        // The daemon answers to its own address only.
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

  /** Lets nothing more through the connections there are, as after a sleep; new ones are as always. */
  hole(): void {
    for (const [near] of this.#pairs) this.#holes.add(near);
  }

  /** Breaks every connection there is. */
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
