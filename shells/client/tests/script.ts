// A transport whose events and times a test sets, for cases that the real daemon does not produce on request.
import {
  AsterError,
  type AsterEvent,
  type Clock,
  type EventOf,
  type StreamListener,
  type StreamQuery,
  type Transport,
} from "../src/index.js";

/** A clock that moves only with `pass`. */
export class TestClock implements Clock {
  #now = 1_000_000;
  #timers: { at: number; callback: () => void }[] = [];
  /** The requested delays, in ms. */
  readonly waits: number[] = [];
  random = (): number => 1;

  now(): number {
    return this.#now;
  }

  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.waits.push(ms);
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  pass(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= until).sort((a, b) => a.at - b.at);
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
  }

  /** The system sleeps: the clock moves on, but no timer fires. Every timer becomes late by this time. */
  sleep(ms: number): void {
    this.#now += ms;
    for (const timer of this.#timers) timer.at += ms;
  }

  get timers(): number {
    return this.#timers.length;
  }
}

export interface Opened {
  query: StreamQuery;
  listener: StreamListener;
  closed: boolean;
}

type Answers = Record<string, unknown>;

export class Script implements Transport {
  readonly streams: Opened[] = [];
  readonly asked: string[] = [];
  /** `data` by the request's path without its query; a function is called, and an error is thrown. */
  answers: Answers = {};

  request = async (method: string, path: string): Promise<{ status: number; body: string }> => {
    this.asked.push(`${method} ${path}`);
    const key = path.split("?")[0] ?? "";
    const answer = this.answers[key];
    const data: unknown = await (typeof answer === "function" ? (answer as () => unknown)() : answer);
    if (data instanceof AsterError) throw data;
    if (data === undefined) throw new Error(`the script has no answer to ${path}`);
    return { status: 200, body: JSON.stringify({ id: "req", success: true, data }) };
  };

  upload = (): Promise<never> => Promise.reject(new Error("a script takes no files"));

  download = (): Promise<never> => Promise.reject(new Error("a script has no files"));

  stream = (query: StreamQuery, listener: StreamListener): (() => void) => {
    const opened = { query, listener, closed: false };
    this.streams.push(opened);
    return () => {
      opened.closed = true;
    };
  };

  get open(): Opened {
    const last = this.streams.at(-1);
    if (!last) throw new Error("no stream was opened");
    return last;
  }

  say(...events: AsterEvent[]): void {
    for (const event of events) this.open.listener.event(event);
  }

  break(error = new AsterError(0, "unreachable", "broken by the test")): void {
    this.open.listener.end(error);
  }
}

let seq = 100;

/** An event of a session with the next seq. */
export function event<Type extends AsterEvent["type"]>(
  type: Type,
  data: EventOf<Type>["data"],
  place: Partial<Pick<AsterEvent, "agent_id" | "session_id" | "turn_id" | "seq" | "time">> = {},
): AsterEvent {
  const where = { agent_id: "default", session_id: "s", turn_id: "t" };
  const transient = ["connected", "heartbeat", "resync"].includes(type);
  const number = transient ? null : (seq += 1);
  return { type, ...where, seq: number, time: "2026-11-21T00:00:00.000Z", ...place, data } as unknown as AsterEvent;
}

export function connected(data: Partial<EventOf<"connected">["data"]> = {}): AsterEvent {
  return event("connected", {
    client_id: "client",
    framework: "web",
    instance_id: "instance",
    protocol: 1,
    last_seq: seq,
    heartbeat_s: 15,
    ...data,
  });
}
