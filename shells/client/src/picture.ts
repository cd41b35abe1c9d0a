// The picture while it changes: the next one is a copy of the published one and shares everything that did not change.
import { guarded } from "./feed.js";
import { Copies, reconcile } from "./sharing.js";
import { EMPTY, type AgentEntry, type Picture, type SessionEntry, type StoreState } from "./state.js";
import type { State } from "./types.js";

/** When to publish. The callback is called once, however many changes there are until then. */
export type Schedule = (publish: () => void) => void;

/** From the most to the least active state: an agent has the first one that any of its sessions has. */
const LIVELIEST = ["running", "waiting_approval", "queued"] as const;

export class PictureDraft {
  readonly copies = new Copies();
  /** The last published picture. */
  state: Picture = EMPTY;
  /** The current picture. Change it with `draft`, `session` and `put`. */
  next: Picture = EMPTY;
  /** The complete picture must be read again. */
  stale = true;
  readonly #listeners = new Set<() => void>();
  readonly #schedule: Schedule;
  readonly #isOpen: (session_id: string) => boolean;
  #scheduled = false;
  #disordered = false;

  /** `isOpen`: whether a session stays in the picture although it is archived. */
  constructor(schedule: Schedule | undefined, isOpen: (session_id: string) => boolean) {
    this.#schedule = schedule ?? soon;
    this.#isOpen = isOpen;
  }

  // -- reading ---------------------------------------------------------------------------------------------------------

  /** Calls back after each publication. Returns a function that ends this. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Resolves with the first published picture for which `holds` is true. */
  until(holds: (state: StoreState) => boolean): Promise<StoreState> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!holds(this.state)) return;
        leave();
        resolve(this.state);
      };
      const leave = this.subscribe(look);
      look();
    });
  }

  // -- changing --------------------------------------------------------------------------------------------------------

  /** The next picture, as a copy that may be changed. */
  draft(): Picture {
    if (this.next === this.state) this.next = this.copies.own({ ...this.state });
    return this.next;
  }

  /** A session of the next picture, as a copy that may be changed. */
  session(session_id: string): SessionEntry {
    return this.copies.at(this.copies.at(this.draft(), "sessions"), session_id);
  }

  /** Adds a session, or replaces the one with the same id. */
  put(session: SessionEntry): void {
    this.copies.at(this.draft(), "sessions")[session.session_id] = session;
    this.#disordered = true;
  }

  /** Removes a session, what waits in it, and its rules. */
  remove(session_id: string): void {
    const draft = this.draft();
    if (draft.sessions[session_id]) Reflect.deleteProperty(this.copies.at(draft, "sessions"), session_id);
    if (draft.approvals.some((question) => question.session_id === session_id)) {
      draft.approvals = draft.approvals.filter((question) => question.session_id !== session_id);
    }
    if (draft.questions.some((question) => question.session_id === session_id)) {
      draft.questions = draft.questions.filter((question) => question.session_id !== session_id);
    }
    if (draft.rules.some((rule) => rule.session_id === session_id)) {
      draft.rules = draft.rules.filter((rule) => rule.session_id !== session_id);
    }
    this.#disordered = true;
  }

  connection(news: Partial<Picture["connection"]>): void {
    const draft = this.draft();
    draft.connection = reconcile(draft.connection, { ...draft.connection, ...news });
  }

  /** Computes the order of the sessions and the agents' states again before the next publication. */
  disorder(): void {
    this.#disordered = true;
  }

  // -- publishing ------------------------------------------------------------------------------------------------------

  /** Publishes soon. */
  changed(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      if (this.#scheduled) this.publish();
    });
  }

  publish(): void {
    this.#scheduled = false;
    if (this.#disordered) this.#order();
    if (this.next === this.state) return;
    this.state = this.next;
    this.copies.publish();
    for (const listener of [...this.#listeners]) guarded(listener);
  }

  /** Computes what depends on the sessions: which ones are listed, their order, and the agents' states. */
  #order(): void {
    this.#disordered = false;
    const { approvals, questions } = this.next;
    const waiting = new Set([...approvals, ...questions].map(({ session_id }) => session_id));
    for (const { session_id, archived } of Object.values(this.next.sessions)) {
      if (!archived || this.#isOpen(session_id) || waiting.has(session_id)) continue;
      Reflect.deleteProperty(this.copies.at(this.draft(), "sessions"), session_id);
    }
    const sessions = Object.values(this.next.sessions);
    const order = sessions
      .filter(({ archived }) => !archived)
      .sort(
        (a, b) =>
          Number(b.pinned) - Number(a.pinned) ||
          compare(b.updated_at, a.updated_at) ||
          compare(b.session_id, a.session_id),
      )
      .map(({ session_id }) => session_id);
    const shared = reconcile(this.next.order, order);
    if (shared !== this.next.order) this.draft().order = shared;
    const agents = reconcile(
      this.next.agents,
      this.next.agents.map((agent) =>
        agent.state === "failed" ? agent : { ...agent, state: liveliest(agent, sessions) },
      ),
    );
    if (agents !== this.next.agents) this.draft().agents = agents;
  }
}

function liveliest(agent: AgentEntry, sessions: SessionEntry[]): State {
  const states = new Set(sessions.filter(({ agent_id }) => agent_id === agent.id).map(({ state }) => state));
  return LIVELIEST.find((state) => states.has(state)) ?? "idle";
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** At the next frame. A hidden page has no frames: there, and in Node, a timer is used. */
function soon(publish: () => void): void {
  if (typeof requestAnimationFrame !== "function") {
    setTimeout(publish, 16);
    return;
  }
  const once = (): void => {
    cancelAnimationFrame(frame);
    clearTimeout(timer);
    publish();
  };
  const frame = requestAnimationFrame(once);
  const timer = setTimeout(once, 100);
}
