// One stream for all tabs and windows of a browser. A browser opens six connections to a host over HTTP/1.1, over all
// its tabs: with a stream for each, the seventh tab waits for ever, and calls wait with it.
//
// The tabs form a group by a name. The one that holds the group's Web Lock leads: it has the stream and passes on what
// comes over a BroadcastChannel. Each tab keeps its own place, each event says what stood before it, so that a tab sees
// when it has missed some and fetches them itself. Whoever hears nothing from the leader takes the lock away from it.
// docs/decisions/0021-one-stream-for-all-tabs.md
import { AsterError, unreachable } from "./errors.js";
import { follow, type Feed } from "./feed.js";
import type { StreamListener, StreamQuery, Transport } from "./transport.js";
import type { AsterEvent, EventOf } from "./types.js";
import { onSleep, onWake } from "./wake.js";

/** Stands before a group's name; changes with what the tabs say to each other. */
const PREFIX = "aster-sidecar/stream/1/";
/** Longest wait for a word of the leader, in ms: shorter than that of a check (feed.ts), which goes on to the next one. */
const ANSWER_MS = 1_000;
/** How late its heartbeat may be, in ms. */
const GRACE_MS = 1_000;

type Connected = EventOf<"connected">;

/** What tabs say to each other. `term` rises with each leader: what an earlier one says does not count any more. */
type Said =
  | { type: "hello" }
  | ({ from: string; term: number } & (
      | { type: "lead" | "wait" }
      | { type: "up"; connected: Connected; position: number }
      | { type: "event"; event: AsterEvent; before: number }
      | { type: "down"; error: Pick<AsterError, "status" | "code" | "message" | "hint" | "details" | "id"> }
    ));

/** One reader of this tab. */
interface Member {
  query: StreamQuery;
  listener: StreamListener;
  /** The seq up to which it has got everything; null: it waits for its first. */
  position: number | null;
  /** `waiting` for the stream, `joined`, or `behind`: it is fetching what it lacks by a stream of its own. */
  state: "waiting" | "joined" | "behind";
  /** Closes the stream of its own. */
  own: () => void;
}

/** Whether tabs of this page's origin can find each other. Files have no origin that is theirs alone. */
export function canShare(): boolean {
  return (
    typeof location !== "undefined" &&
    location.protocol !== "file:" &&
    location.origin !== "null" &&
    typeof BroadcastChannel === "function" &&
    typeof navigator !== "undefined" &&
    // Neither is there in a page that is not secure, or in an old engine.
    (navigator as Partial<Navigator>).locks !== undefined &&
    (crypto as Partial<Crypto>).subtle !== undefined
  );
}

/** The transport, with one stream for all tabs whose `nameOf` says the same. */
export function share(inner: Transport, nameOf: () => Promise<string>): Transport {
  const groups = new Map<string, Group>();

  function groupOf(name: string): Group {
    const group = groups.get(name) ?? new Group(PREFIX + name, inner);
    groups.set(name, group);
    return group;
  }

  function stream(query: StreamQuery, listener: StreamListener): () => void {
    let closed = false;
    let close: () => void = () => undefined;
    const begin = (attach: () => () => void): void => {
      if (closed) return;
      close = attach();
      if (closed as boolean) close();
    };
    nameOf().then(
      (name) => {
        begin(() => groupOf(name).attach(query, listener));
      },
      () => {
        begin(() => inner.stream(query, listener)); // it says what is wrong
      },
    );
    return () => {
      closed = true;
      close();
    };
  }

  return { request: inner.request, stream };
}

class Group {
  readonly #name: string;
  readonly #inner: Transport;
  readonly #id = crypto.randomUUID();
  readonly #members = new Set<Member>();
  #channel: BroadcastChannel | null = null;
  #ends: (() => void)[] = [];
  /** Counts what was asked of the lock: only the newest request counts. */
  #request = 0;
  #withdraw: () => void = () => undefined;
  #release: () => void = () => undefined;
  /** The stream, in the tab that leads. */
  #upstream: Feed | null = null;
  #leads = false;
  #leader = "";
  #term = 0;
  /** How the stream was opened, and the seq up to which it was passed on. */
  #connected: Connected | null = null;
  #position: number | null = null;
  #heardAt = 0;
  #asking: ReturnType<typeof setTimeout> | null = null;
  #watching: ReturnType<typeof setTimeout> | null = null;
  /** It was a member before: the focus is no reason to lead any more until it comes anew. */
  #settled = false;
  /** Locks or channels are refused here. */
  #alone = false;

  constructor(name: string, inner: Transport) {
    this.#name = name;
    this.#inner = inner;
  }

  attach(query: StreamQuery, listener: StreamListener): () => void {
    if (this.#alone) return this.#inner.stream(query, listener);
    const member: Member = { query, listener, position: null, state: "waiting", own: () => undefined };
    this.#members.add(member);
    this.#join();
    if (this.#leads) this.#answer();
    else this.#ask();
    return () => {
      this.#drop(member);
    };
  }

  // -- the group -------------------------------------------------------------------------------------------------------

  #join(): void {
    if (this.#channel !== null || this.#alone) return;
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      this.#goAlone();
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<Said>) => {
      this.#hear(data);
    };
    const sleep = (): void => {
      this.#fall(unreachable("the page stood still"));
    };
    const wake = (): void => {
      if (!this.#leads && looked()) this.#lock(true);
    };
    this.#ends = [onSleep(sleep), onWake(wake)];
    this.#lock(!this.#settled && looked());
    this.#settled = true;
    this.#heardAt = Date.now();
  }

  #drop(member: Member): void {
    if (!this.#members.delete(member)) return;
    member.own();
    if (this.#members.size === 0) this.#leave();
  }

  #leave(): void {
    this.#request += 1;
    this.#withdraw();
    this.#standDown();
    for (const end of this.#ends) end();
    this.#ends = [];
    this.#channel?.close();
    this.#channel = null;
    this.#connected = null;
    this.#position = null;
    this.#answered();
    if (this.#watching !== null) clearTimeout(this.#watching);
    this.#watching = null;
  }

  /** Nothing is shared here after all. */
  #goAlone(): void {
    this.#alone = true;
    const members = [...this.#members];
    this.#leave();
    for (const member of members) {
      if (member.state !== "behind") {
        member.state = "behind";
        const { query, position } = member;
        member.own = this.#inner.stream({ ...query, after: position ?? query.after }, member.listener);
      }
    }
  }

  /** Asks to lead: when it is this tab's turn, or at once, whoever leads now. */
  #lock(steal: boolean): void {
    this.#withdraw();
    const mine = (this.#request += 1);
    const turn = new AbortController();
    this.#withdraw = () => {
      turn.abort();
    };
    const held = (): Promise<void> | undefined => {
      if (mine !== this.#request) return undefined;
      this.#lead();
      return new Promise((resolve) => (this.#release = resolve));
    };
    navigator.locks.request(this.#name, steal ? { steal } : { signal: turn.signal }, held).catch((error: unknown) => {
      if (mine !== this.#request) return;
      // Another tab has taken it; or locks are refused to this page.
      if (error instanceof DOMException && error.name === "AbortError") this.#give();
      else this.#goAlone();
    });
  }

  /** Leads no more, and waits for its turn. */
  #give(): void {
    this.#standDown();
    this.#heardAt = Date.now();
    this.#lock(false);
    this.#watch();
    if ([...this.#members].some(({ state }) => state === "waiting")) this.#ask();
  }

  #standDown(): void {
    this.#leads = false;
    this.#upstream?.close();
    this.#upstream = null;
    this.#release();
    this.#release = () => undefined;
  }

  // -- the tab that leads ----------------------------------------------------------------------------------------------

  #lead(): void {
    this.#answered();
    this.#leads = true;
    this.#leader = this.#id;
    this.#term = Math.max(Date.now(), this.#term + 1);
    this.#connected = null;
    this.#say({ type: "lead" });
    // From where the reader of this tab stands who has got least.
    const places = [...this.#members].map(({ query, position }) => position ?? query.after);
    this.#position = places.reduce(
      (least, place) => (place === null || (least ?? place) < place ? least : place),
      null,
    );
    const upstream = follow(this.#inner, {
      after: this.#position,
      onEvent: (event) => {
        this.#pass(event);
      },
      onLink: ({ error }) => {
        if (error !== null && this.#leads) this.#down(error);
      },
    });
    if (this.#leads as boolean) this.#upstream = upstream;
    else upstream.close(); // it failed at once
  }

  #pass(event: AsterEvent): void {
    if (!this.#leads) return;
    if (event.type === "connected") {
      this.#position ??= event.data.last_seq;
      this.#announce(event);
      return;
    }
    const before = this.#position ?? 0;
    if (event.type === "resync") this.#position = event.data.last_seq;
    else if (event.seq !== null) this.#position = event.seq;
    this.#say({ type: "event", event, before });
    this.#deliver(event, before);
  }

  /** Tells those who wait how the stream stands. One that was silent is looked at first. */
  #answer(): void {
    if (this.#upstream === null) return;
    this.#say({ type: "wait" });
    if (!this.#upstream.check() && this.#connected !== null) this.#announce(this.#connected);
  }

  #announce(connected: Connected): void {
    const position = this.#position ?? 0;
    this.#say({ type: "up", connected, position });
    this.#up(connected, position);
  }

  #down(error: AsterError): void {
    const { status, code, message, hint, details, id } = error;
    this.#say({ type: "down", error: { status, code, message, hint, details, id } });
    this.#fall(error);
  }

  #say(said: { type: Said["type"] } & Record<string, unknown>): void {
    this.#channel?.postMessage(said.type === "hello" ? said : { ...said, from: this.#id, term: this.#term });
  }

  // -- the tabs that follow --------------------------------------------------------------------------------------------

  /** Asks the leader whether it is there; one that does not answer is relieved. */
  #ask(): void {
    this.#say({ type: "hello" });
    this.#asking ??= setTimeout(() => {
      this.#asking = null;
      this.#lock(true);
    }, ANSWER_MS);
  }

  #answered(): void {
    if (this.#asking !== null) clearTimeout(this.#asking);
    this.#asking = null;
  }

  /** One timer: set anew when it rings, not with each event. */
  #watch(): void {
    if (this.#watching !== null || this.#leads || this.#connected === null) return;
    const patience_ms = this.#connected.data.heartbeat_s * 1000 + GRACE_MS;
    const left_ms = Math.min(this.#heardAt + patience_ms - Date.now(), patience_ms);
    this.#watching = setTimeout(
      () => {
        this.#watching = null;
        if (!this.#leads && Date.now() - this.#heardAt >= patience_ms) {
          this.#heardAt = Date.now();
          this.#ask();
        }
        this.#watch();
      },
      Math.max(left_ms, GRACE_MS),
    );
  }

  #hear(said: Said): void {
    if (said.type === "hello") {
      if (this.#leads) this.#answer();
      return;
    }
    const { term, from } = said;
    if (term < this.#term || (term === this.#term && from < this.#leader)) return; // it leads no more
    this.#term = term;
    this.#leader = from;
    if (this.#leads) this.#give();
    this.#heardAt = Date.now();
    this.#answered();
    if (said.type === "up") this.#up(said.connected, said.position);
    else if (said.type === "event") this.#deliver(said.event, said.before);
    else if (said.type === "down") {
      const { status, code, message, hint, details, id } = said.error;
      this.#fall(new AsterError(status, code, message, hint, details, id));
    }
  }

  // -- the readers of this tab -----------------------------------------------------------------------------------------

  /** The stream stands: who waited begins, who has read goes on. */
  #up(connected: Connected, position: number): void {
    const before = this.#connected;
    const same = before?.data.instance_id === connected.data.instance_id;
    const renewed = before?.data.client_id !== connected.data.client_id;
    this.#connected = connected;
    this.#position = position;
    for (const member of [...this.#members]) {
      if (member.state === "waiting") {
        member.position = member.query.after ?? position;
        if (member.position === position) this.#admit(member);
        else this.#catchUp(member);
      } else if (member.state === "joined") {
        const place = member.position ?? 0;
        // What a leader before it passed on comes again, and is dropped. A daemon over other data has other numbers.
        if (place !== position && !(place > position && same)) this.#catchUp(member);
        else if (renewed) this.#greet(member);
      }
    }
    this.#watch();
  }

  #admit(member: Member): void {
    member.own();
    member.own = () => undefined;
    member.state = "joined";
    this.#greet(member);
  }

  #greet({ listener, position }: Member): void {
    if (this.#connected === null) return;
    const { data } = this.#connected;
    listener.event({ ...this.#connected, data: { ...data, last_seq: position ?? data.last_seq } });
  }

  #deliver(event: AsterEvent, before: number): void {
    if (event.type === "resync") this.#position = event.data.last_seq;
    else if (event.seq !== null) this.#position = event.seq;
    for (const member of [...this.#members]) {
      if (member.state !== "joined") continue;
      const place = member.position ?? 0;
      if (event.type === "resync") member.position = event.data.last_seq;
      else if (event.seq !== null) {
        if (event.seq <= place) continue;
        if (before > place) {
          this.#catchUp(member);
          continue;
        }
        member.position = event.seq;
      }
      if (passes(member.query, event)) member.listener.event(event);
    }
  }

  /** Fetches what a reader lacks by a stream of its own, from its place up to that of the others. */
  #catchUp(member: Member): void {
    let judged = false;
    let over = false;
    let close: () => void = () => undefined;
    member.state = "behind";
    member.own = () => {
      over = true;
      close();
    };
    close = this.#inner.stream(
      { after: member.position },
      {
        event: (event) => {
          if (over) return;
          const place = member.position ?? 0;
          if (event.type === "connected") {
            judged = place <= event.data.last_seq; // else `resync` follows
          } else if (event.type === "resync") {
            judged = true;
            member.position = event.data.last_seq;
          } else if (event.seq !== null) {
            if (event.seq <= place) return;
            member.position = event.seq;
          }
          if (passes(member.query, event)) member.listener.event(event);
          // What comes from here on says what stood before it: a gap would show.
          if (judged && !(over as boolean) && (member.position ?? 0) >= (this.#position ?? 0)) this.#admit(member);
        },
        end: (error) => {
          if (!over) this.#end(member, error);
        },
      },
    );
    if (over as boolean) close();
  }

  #end(member: Member, error: AsterError): void {
    this.#drop(member);
    member.listener.end(error);
  }

  /** The stream is gone, for all readers. */
  #fall(error: AsterError): void {
    const members = [...this.#members];
    for (const member of members) this.#drop(member);
    for (const member of members) member.listener.end(error);
  }
}

/** Whether the person looks at this page: it is not throttled, and the daemon hears from its own stream where they are. */
function looked(): boolean {
  return typeof document !== "undefined" && document.visibilityState === "visible" && document.hasFocus();
}

/** The daemon's own rule of what a stream sees. */
function passes({ agent_id, session_id, types }: StreamQuery, event: AsterEvent): boolean {
  if (event.type === "connected" || event.type === "heartbeat" || event.type === "resync") return true;
  const within = (wanted: string | undefined, has: string | null): boolean =>
    wanted === undefined || has === null || has === wanted;
  return (
    within(agent_id, event.agent_id) &&
    within(session_id, event.session_id) &&
    (types === undefined || types.includes(event.type))
  );
}
