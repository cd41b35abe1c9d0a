// The registration of a host, and the calls of its tools. docs/protocol.md describes the calls of the API; README.md
// lists what each implementation of a host has to do.
import { BACKOFF, delay_s, type Backoff } from "./backoff.js";
import type { Client } from "./client.js";
import { report, type AsterError } from "./errors.js";
import type { Feed, Link } from "./feed.js";
import type { AsterEvent, EventOf } from "./types.js";
import type { components } from "./wire.js";

type Registered = components["schemas"]["HostRegistered"];
type CallInfo = Omit<components["schemas"]["HostCallInfo"], "accepted">;

const CONCURRENCY = 8;
const FILES_MOST = 20;
const PROGRESS_CHARS = 2_000;
const ERROR_CHARS = 8_000;
/** How long `close` waits for the daemon, in ms. */
const CLOSE_MS = 3_000;
/** After so many errors of the daemon itself, a result counts as the reason for them. */
const BUGS_MOST = 3;
const TYPES = ["host_call", "host_cancel"];

const CLOSED = "The program stopped lending this tool while the call ran. How much of it was done is not known.";
const RESTARTED = "The program was restarted while it ran this call. How much of it was done is not known.";

/** Codes that end a call: there is nothing left to answer. */
const OVER = new Set(["host_call_ended", "host_call_not_found", "call_not_yours"]);

/** A call, as `run` gets it. */
export interface CallContext {
  readonly call_id: string;
  readonly agent_id: string;
  readonly session_id: string;
  readonly turn_id: string;
  /** When the daemon stops waiting for the result (RFC 3339); null: never. */
  readonly deadline: string | null;
  /** Aborted when nobody waits for the result any more: the call was cancelled or is too late, or `close` was called. */
  readonly signal: AbortSignal;
  /** Shows how far the call is: a message, a share from 0 to 1, or both. The newest one counts. */
  readonly progress: (message?: string, share?: number) => void;
  /**
   * Adds a file to the result; a call has at most 20. Rejects with AsterError if the daemon refuses the file, or with
   * the signal's reason.
   */
  readonly attach: (name: string, content: Blob | Uint8Array) => Promise<void>;
}

/** Whether the tools are offered to agents. */
export interface LenderState {
  readonly online: boolean;
  /** Why they are not; null while there is no reason yet, and after `close`. */
  readonly error: AsterError | null;
}

export interface Lender {
  readonly instance: string;
  readonly state: LenderState;
  /** Resolves when the tools are offered for the first time. Rejects if the daemon refuses them, or after `close`. */
  readonly ready: Promise<void>;
  /** Tries to register now, also if the daemon has refused it or somebody has removed this program. */
  retry(): void;
  /** Takes the tools back. Running calls are aborted and end with an error. Resolves when the daemon knows. */
  close(): Promise<void>;
}

/** A tool: its definition for the daemon, and what runs it. */
export interface Runner {
  readonly definition: object;
  readonly idempotent: boolean;
  run(given: unknown, context: CallContext): Promise<unknown>;
}

export interface LendingOptions {
  name: string;
  tools: ReadonlyMap<string, Runner>;
  replace?: boolean;
  instance?: string;
  concurrency?: number;
  onState?: (state: LenderState) => void;
  backoff?: Backoff;
}

interface Lease {
  readonly host_id: string;
  readonly lease: string;
  readonly beat_ms: number;
}

interface Attached {
  readonly name: string;
  readonly content: Blob | Uint8Array;
  attachment_id: string;
}

type Outcome = { result: unknown } | { error: string };

/** A call that has begun or waits to, until its result is delivered. */
class Call {
  /** The daemon has recorded that this instance has it. */
  accepted = false;
  /** An accept had no answer, so the daemon may have recorded it. */
  doubtful = false;
  outcome: Outcome | null = null;
  readonly files: Attached[] = [];
  /** Progress that was not sent yet. */
  news: { message?: string; progress?: number } | null = null;
  telling = false;
  readonly #end = new AbortController();

  constructor(readonly info: CallInfo) {}

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  get over(): boolean {
    return this.signal.aborted;
  }

  cancel(words: string): void {
    this.#end.abort(new Error(words));
  }
}

export class Lending implements Lender {
  readonly instance: string;
  readonly ready: Promise<void>;
  readonly #client: Client;
  readonly #options: LendingOptions;
  readonly #backoff: Backoff;
  readonly #feed: Feed;
  readonly #calls = new Map<string, Call>();
  #queue: Call[] = [];
  #running = 0;

  #link: Link | null = null;
  #daemon: string | null = null;
  #lease: Lease | null = null;
  #registration: Promise<void> | null = null;
  /** Events of calls during a registration, whose answer may not list them. */
  #early: EventOf<"host_call">[] = [];
  #replace: boolean;
  #failures = 0;
  /** The daemon has refused these tools, or they were removed: only `retry` or another daemon help. */
  #refused = false;
  #error: AsterError | null = null;
  #state: LenderState = { online: false, error: null };
  #closing: Promise<void> | null = null;

  #retryTimer: ReturnType<typeof setTimeout> | undefined;
  #beatTimer: ReturnType<typeof setTimeout> | undefined;
  #beatenAt = 0;
  #beating: Lease | null = null;
  /** What waits for a registration, or for a time. */
  readonly #resting = new Set<() => void>();
  #settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  readonly #hidden = (event: Event): void => {
    if (!(event as PageTransitionEvent).persisted) void this.close();
  };

  constructor(client: Client, options: LendingOptions) {
    this.#client = client;
    this.#options = options;
    this.#backoff = options.backoff ?? { ...BACKOFF, most_s: 5 };
    this.#replace = options.replace ?? false;
    this.instance = options.instance ?? mintInstance();
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.ready.catch(() => undefined); // `state` has the error as well
    this.#feed = client.follow({
      types: TYPES,
      onEvent: (event) => {
        this.#take(event);
      },
      onLink: (link) => {
        this.#link = link;
        if (link.error && link.error.status >= 400 && link.error.status < 500) this.#reject(link.error);
        this.#say();
      },
      ...(options.backoff && { backoff: options.backoff }),
    });
    if (typeof document !== "undefined") globalThis.addEventListener("pagehide", this.#hidden);
  }

  get state(): LenderState {
    return this.#state;
  }

  retry(): void {
    this.#refused = false;
    this.#feed.retry();
    if (this.#lease === null && this.#link?.state === "connected") this.#register();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  // -- the registration ------------------------------------------------------------------------------------------------

  #take(event: AsterEvent): void {
    if (this.#closing) return;
    if (event.type === "connected") {
      const another = event.data.instance_id !== this.#daemon;
      this.#daemon = event.data.instance_id;
      if (another) {
        this.#refused = false;
        this.#lease = null;
      }
      if (this.#lease) this.#beat();
      else this.#register();
    } else if (event.type === "resync") {
      this.#register(); // events are lost; the answer lists the calls
    } else if (event.type === "host_cancel") {
      this.#early = this.#early.filter(({ data }) => data.call_id !== event.data.call_id);
      this.#cancel(event.data.call_id);
    } else if (event.type === "host_call") {
      if (this.#lease) this.#called(event);
      else if (this.#registration) this.#early.push(event);
    }
    // A hidden page has slow timers, but its events come in time.
    if (this.#lease && Date.now() - this.#beatenAt >= this.#lease.beat_ms) this.#beat();
  }

  #register(): void {
    if (this.#closing || this.#registration || this.#refused) return;
    clearTimeout(this.#retryTimer);
    const { name, tools } = this.#options;
    const body = {
      name,
      instance: this.instance,
      tools: [...tools.values()].map(({ definition }) => definition),
      replace: this.#replace,
    };
    this.#registration = this.#client.call<Registered>("POST", "/api/hosts", body).then(
      (answer) => {
        this.#registration = null;
        this.#registered(answer);
      },
      (error: unknown) => {
        this.#registration = null;
        this.#notRegistered(error);
      },
    );
  }

  #registered({ host_id, lease, heartbeat_s, calls }: Registered): void {
    this.#lease = { host_id, lease, beat_ms: heartbeat_s * 500 };
    const early = this.#early.splice(0);
    if (this.#closing) return;
    this.#refused = false;
    this.#replace = false; // otherwise two instances would replace each other forever
    this.#failures = 0;
    this.#error = null;
    for (const { accepted, ...info } of calls) this.#listed(info, accepted);
    for (const event of early) this.#called(event);
    this.#settle?.resolve();
    this.#settle = null;
    this.#expectBeat(this.#lease);
    this.#say();
    this.#wake();
  }

  #notRegistered(error: unknown): void {
    this.#early = [];
    if (this.#closing) return;
    const { status } = codeOf(error);
    if (status >= 400 && status < 500) {
      this.#lease = null;
      this.#queue.splice(0).forEach(({ info }) => this.#calls.delete(info.call_id));
      this.#refused = [400, 404, 413, 422].includes(status);
      this.#reject(error as AsterError);
    }
    this.#error = error as AsterError;
    this.#say();
    this.#failures += 1;
    this.#retryTimer = setTimeout(
      () => {
        if (this.#link?.state === "connected") this.#register();
      },
      delay_s(this.#failures, this.#backoff) * 1000,
    );
  }

  #expectBeat({ beat_ms }: Lease): void {
    this.#beatenAt = Date.now();
    clearTimeout(this.#beatTimer);
    this.#beatTimer = setTimeout(() => {
      this.#beat();
    }, beat_ms);
  }

  #beat(): void {
    const held = this.#lease;
    if (!held || this.#closing) return;
    this.#expectBeat(held);
    if (this.#beating === held) return; // the last one has no answer yet
    this.#beating = held;
    this.#post(held, "heartbeat")
      .catch((error: unknown) => {
        this.#failed(error, held);
      })
      .finally(() => {
        if (this.#beating === held) this.#beating = null;
      })
      .catch(report);
  }

  /** Looks at an error of a request that needs the lease. */
  #failed(error: unknown, held: Lease): void {
    const { code } = codeOf(error);
    if ((code !== "lease_lost" && code !== "host_not_found") || this.#lease !== held || this.#closing) return;
    this.#lease = null;
    clearTimeout(this.#beatTimer);
    this.#error = error as AsterError;
    if (code === "host_not_found") this.#refused = true; // a person has removed this program
    this.#say();
    this.#register();
  }

  #reject(error: Error): void {
    this.#settle?.reject(error);
    this.#settle = null;
  }

  #say(): void {
    const linked = this.#link?.state === "connected";
    const online = linked && this.#lease !== null && !this.#closing;
    const error = online || this.#closing ? null : ((linked ? null : this.#link?.error) ?? this.#error);
    const before = this.#state;
    this.#state = { online, error };
    if (online === before.online && error?.code === before.error?.code) return;
    try {
      this.#options.onState?.(this.#state);
    } catch (thrown) {
      report(thrown);
    }
  }

  async #post(held: Lease, what: string, fields: object = {}, signal?: AbortSignal): Promise<unknown> {
    const path = `/api/hosts/${encodeURIComponent(held.host_id)}/${what}`;
    return this.#client.call("POST", path, { lease: held.lease, ...fields }, signal ? { signal } : {});
  }

  // -- calls -----------------------------------------------------------------------------------------------------------

  #called({ data, agent_id, session_id, turn_id }: EventOf<"host_call">): void {
    if (data.host_id !== this.#lease?.host_id) return;
    const { call_id, tool, deadline = null } = data;
    const ids = { agent_id: agent_id ?? "", session_id: session_id ?? "", turn_id: turn_id ?? "" };
    this.#begin(new Call({ call_id, tool, arguments: data.arguments, deadline, ...ids }));
  }

  /** A call that has not ended, from the answer to a registration. */
  #listed(info: CallInfo, accepted: boolean): void {
    const known = this.#calls.get(info.call_id);
    if (known) {
      known.accepted ||= accepted;
      return;
    }
    const call = new Call(info);
    call.accepted = accepted;
    // Another process with the same instance has accepted it.
    if (accepted && this.#options.tools.get(info.tool)?.idempotent !== true) call.outcome = { error: RESTARTED };
    this.#begin(call);
  }

  #begin(call: Call): void {
    if (this.#calls.has(call.info.call_id)) return;
    this.#calls.set(call.info.call_id, call);
    this.#queue.push(call);
    this.#pump();
  }

  #pump(): void {
    while (this.#running < (this.#options.concurrency ?? CONCURRENCY)) {
      const call = this.#queue.shift();
      if (!call) return;
      this.#running += 1;
      this.#work(call).catch(report);
    }
  }

  #cancel(call_id: string): void {
    const call = this.#calls.get(call_id);
    if (!call) return;
    call.cancel("the call was cancelled, or its time is over");
    if (this.#queue.includes(call)) {
      this.#queue = this.#queue.filter((one) => one !== call);
      this.#calls.delete(call_id);
    }
    this.#wake();
  }

  async #work(call: Call): Promise<void> {
    try {
      if (call.outcome === null && (await this.#accept(call))) call.outcome = await this.#run(call);
    } finally {
      this.#running -= 1;
      this.#pump();
    }
    if (call.outcome) await this.#deliver(call, call.outcome);
    this.#calls.delete(call.info.call_id);
  }

  /** Takes a call. Returns whether this instance has it now, and has to run it. */
  async #accept(call: Call): Promise<boolean> {
    for (let failures = 1; ; failures += 1) {
      const held = await this.#held(call);
      if (held === null) return false;
      if (call.accepted) return true;
      try {
        await this.#post(held, "accept", { call_id: call.info.call_id });
        call.accepted = true;
        return !call.over;
      } catch (error) {
        const { code, status } = codeOf(error);
        if (OVER.has(code)) return false;
        if (code === "host_call_taken") {
          call.accepted = call.doubtful;
          return call.accepted && !call.over;
        }
        if (status === 0 || status >= 500) call.doubtful = true;
        this.#failed(error, held);
        await this.#rest(delay_s(failures, this.#backoff) * 1000);
      }
    }
  }

  async #run(call: Call): Promise<Outcome> {
    const { call_id, tool, agent_id, session_id, turn_id, deadline } = call.info;
    const context: CallContext = {
      ...{ call_id, agent_id, session_id, turn_id, deadline, signal: call.signal },
      progress: (message, share) => {
        call.news = {
          ...(message !== undefined && { message: words(message, PROGRESS_CHARS) }),
          ...(share !== undefined && { progress: Math.min(1, Math.max(0, share)) }),
        };
        if (!call.telling) this.#tell(call).catch(report);
      },
      attach: async (name, content) => {
        if (call.files.length >= FILES_MOST) throw new Error(`a result has at most ${FILES_MOST} files`);
        const file: Attached = { name, content, attachment_id: "" };
        call.files.push(file);
        try {
          await this.#upload(file, call.signal);
        } catch (error) {
          call.files.splice(call.files.indexOf(file), 1);
          throw error;
        }
      },
    };
    try {
      const runner = this.#options.tools.get(tool);
      if (!runner) throw new Error(`the program lends no tool ${tool}`);
      const result = await runner.run(call.info.arguments, context);
      // What is kept must not change with the object, and JSON has no `undefined`.
      return { result: JSON.parse(JSON.stringify(result ?? null)) as unknown };
    } catch (error) {
      return { error: wordsOf(error) };
    } finally {
      call.news = null;
    }
  }

  /** Sends the newest progress, one request at a time. */
  async #tell(call: Call): Promise<void> {
    call.telling = true;
    while (call.news !== null && !call.over) {
      const { news } = call;
      call.news = null;
      const held = this.#lease;
      if (held === null) break; // nothing is lost: more of it follows
      await this.#post(held, "progress", { call_id: call.info.call_id, ...news }).catch((error: unknown) => {
        this.#failed(error, held);
      });
    }
    call.telling = false;
  }

  /** Uploads a file, and again while the daemon can't be reached. */
  async #upload(file: Attached, signal: AbortSignal): Promise<void> {
    for (let failures = 1; ; failures += 1) {
      signal.throwIfAborted();
      try {
        ({ attachment_id: file.attachment_id } = await this.#client.upload(file.name, file.content, { signal }));
        return;
      } catch (error) {
        if (signal.aborted || !isUnreachable(error)) throw error;
        await this.#rest(delay_s(failures, this.#backoff) * 1000);
      }
    }
  }

  /** Sends a result until the daemon has it, or says that the call has ended. */
  async #deliver(call: Call, outcome: Outcome): Promise<void> {
    let sent = outcome;
    let renewed = false;
    for (let failures = 1; ; failures += 1) {
      const held = await this.#held(call);
      if (held === null) return;
      try {
        await this.#post(held, "results", answer(call, sent));
        return;
      } catch (error) {
        const { code, status } = codeOf(error);
        if (OVER.has(code)) return;
        const gone = code === "attachment_not_found";
        if (gone && !renewed) {
          renewed = await this.#renew(call);
        } else if (gone || [400, 413, 422].includes(status) || (status === 500 && failures >= BUGS_MOST)) {
          if (sent !== outcome) throw error;
          sent = { error: `the result could not be delivered: ${wordsOf(error)}` };
          call.files.length = 0;
          continue;
        } else {
          this.#failed(error, held);
        }
        await this.#rest(delay_s(failures, this.#backoff) * 1000);
      }
    }
  }

  /** Uploads the files again that the daemon has deleted. Returns false if it can't be reached. */
  async #renew(call: Call): Promise<boolean> {
    try {
      for (const file of call.files) {
        ({ attachment_id: file.attachment_id } = await this.#client.upload(file.name, file.content));
      }
      return true;
    } catch (error) {
      return !isUnreachable(error);
    }
  }

  // -- waiting ---------------------------------------------------------------------------------------------------------

  /** The lease, as soon as there is one; null if the call is over or `close` was called. */
  async #held(call: Call): Promise<Lease | null> {
    for (;;) {
      if (call.over || this.#closing) return null;
      if (this.#lease) return this.#lease;
      await this.#rest();
    }
  }

  /** Waits `ms` milliseconds, but not longer than until the next registration. */
  #rest(ms?: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#resting.delete(end);
        resolve();
      };
      const timer = ms === undefined ? undefined : setTimeout(end, ms);
      this.#resting.add(end);
    });
  }

  #wake(): void {
    for (const end of [...this.#resting]) end();
  }

  async #close(): Promise<void> {
    await Promise.resolve(); // #closing is set
    if (typeof document !== "undefined") globalThis.removeEventListener("pagehide", this.#hidden);
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#beatTimer);
    this.#say();
    this.#reject(new Error("the tools were taken back"));
    const open = [...this.#calls.values()].filter((call) => call.accepted && !call.over);
    const answers = open.map((call) => answer(call, call.outcome ?? { error: CLOSED }));
    this.#wake();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_MS)));
    const leave = async (): Promise<void> => {
      await this.#registration;
      const held = this.#lease;
      if (held === null) return;
      await Promise.allSettled(answers.map((body) => this.#post(held, "results", body)));
      await this.#post(held, "leave");
    };
    const left = leave().catch(() => undefined); // after some seconds the daemon notices it by itself
    for (const call of this.#calls.values()) call.cancel("the program has taken its tools back");
    await Promise.race([left, late]);
    clearTimeout(timer);
    this.#feed.close(); // not before: a page that is closed can send only over its open socket
  }
}

function answer({ info, files }: Call, outcome: Outcome): object {
  const attachments = files.map(({ attachment_id }) => attachment_id).filter((id) => id !== "");
  return { call_id: info.call_id, ...outcome, attachments };
}

/** `status` and `code` of an AsterError. The class itself is in the main bundle, which this one does not contain. */
function codeOf(error: unknown): { status: number; code: string } {
  const { status, code } = error as Partial<AsterError>;
  return { status: status ?? 0, code: code ?? "" };
}

function isUnreachable(error: unknown): boolean {
  const { status, code } = codeOf(error);
  return code === "unreachable" || status >= 500;
}

function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message || error.name : String(error);
  return words(text, ERROR_CHARS) || "the tool failed";
}

/** A text of at most `most` characters, and without halves of characters. */
function words(text: string, most: number): string {
  return text.slice(0, most).replace(/\p{Surrogate}/gu, "\ufffd");
}

function mintInstance(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
