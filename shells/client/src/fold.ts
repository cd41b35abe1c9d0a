// A conversation built from its events, in the same way as the daemon builds its history. Applying an event that the
// history already includes changes nothing. So a history may be read while events arrive, and the events are then
// applied to it.
import type { Copies } from "./sharing.js";
import {
  askedOf,
  attachmentsOf,
  ended,
  messageOf,
  NO_LIVE,
  noticeOf,
  toolOf,
  turnState,
  usageOf,
  type HistoryEntry,
  type LiveTurnEntry,
  type MessageEntry,
  type NoticeEntry,
  type SessionEntry,
  type ToolEntry,
  type TurnEntry,
} from "./state.js";
import type { AsterEvent, EventOf } from "./types.js";

type Chunk = EventOf<"text_chunk"> | EventOf<"thinking_chunk">;
type Call = EventOf<"tool_start"> | EventOf<"tool_end"> | EventOf<"approval_required">;
type Kind = "text" | "thinking";

/** The most characters of a running tool's output that are kept. */
export const OUTPUT_MOST = 64 * 1024;

/** An index of one session's history. */
export class Ledger {
  /** message_id → its index in the history. */
  readonly places = new Map<string, number>();
  /** turn_id → the answer's message_id. */
  readonly answers = new Map<string, string>();
  /** Messages that streamed, by message_id: how many code points are known. */
  readonly lengths = new Map<string, Record<Kind, number>>();
  /** Compactions in the history, by message_id: events may report them again. */
  readonly told = new Map<string, string[]>();
  /** Messages on an older page that is not loaded. */
  readonly elsewhere = new Set<string>();

  constructor(messages: readonly MessageEntry[]) {
    this.begin(messages);
  }

  /** Indexes these messages instead of those before. */
  begin(messages: readonly MessageEntry[]): void {
    this.places.clear();
    this.answers.clear();
    this.told.clear();
    for (const [place, message] of messages.entries()) {
      this.add(message, place);
      const notices = message.parts.filter((part): part is NoticeEntry => part.type === "notice");
      if (notices.length > 0) this.told.set(message.message_id, notices.map(wordsOf));
    }
  }

  add({ message_id, turn_id, role }: MessageEntry, place: number): void {
    this.places.set(message_id, place);
    if (role === "assistant") this.answers.set(turn_id, message_id);
  }
}

/**
 * Applies one event to a session with a history. Returns false if something is missing and the history must be read
 * again.
 */
export function fold(copies: Copies, session: SessionEntry, ledger: Ledger, event: AsterEvent): boolean {
  if (session.history === null) return true;
  const view = new View(copies, session, ledger);
  switch (event.type) {
    case "message_added":
      view.add(messageOf(event.data.message));
      return true;
    case "text_chunk":
    case "thinking_chunk":
      return view.chunk(event);
    case "tool_start":
    case "tool_end":
    case "approval_required":
      return view.call(event);
    case "approval_resolved":
      view.edited(event);
      return true;
    case "question_asked":
      return view.asked(event);
    case "question_answered":
      view.answered(event);
      return true;
    case "tool_progress":
      view.progress(event);
      return true;
    case "error":
      view.notice(event.turn_id, noticeOf(event.data.code, event.data.message, event.data.hint));
      view.tell(event.turn_id, { error: event.data });
      return true;
    case "history_compacted":
      view.notice(event.turn_id, noticeOf("history_compacted", compacted(event)));
      return true;
    case "model_retry":
      view.tell(event.turn_id, { retry: event.data });
      return true;
    case "status_change":
      view.status(event);
      return true;
    case "done":
      view.done(event);
      return true;
    case "history_rewound":
      return view.rewound(event);
    default:
      return true;
  }
}

/** The sentence that the daemon's history has. */
function compacted({ data: { messages_before, messages_after } }: EventOf<"history_compacted">): string {
  return messages_after < messages_before
    ? `Earlier messages were summarised for the model (${messages_before} became ${messages_after}).`
    : "Earlier messages were shortened for the model.";
}

/** One session while an event is applied to it. */
class View {
  readonly #copies: Copies;
  readonly #session: SessionEntry;
  readonly #ledger: Ledger;

  constructor(copies: Copies, session: SessionEntry, ledger: Ledger) {
    this.#copies = copies;
    this.#session = session;
    this.#ledger = ledger;
  }

  get #history(): HistoryEntry {
    return this.#copies.at(this.#session, "history");
  }

  add(message: MessageEntry): void {
    const { message_id, turn_id, role } = message;
    const known = this.#session.history?.turns[turn_id];
    if (role === "user" && (known === undefined || (known.message_id === null && ended(known.state)))) {
      // Also if the message is already here: its turn's state was read a moment before or after the message.
      this.#turn({ turn_id, state: "queued", message_id: null });
    }
    if (this.#ledger.places.has(message_id)) return;
    const messages = this.#copies.at(this.#history, "messages");
    this.#ledger.add(message, messages.length);
    messages.push(message);
    if (role === "assistant") this.#turn({ turn_id, state: turnState(message.status), message_id });
  }

  chunk({ type, turn_id, data }: Chunk): boolean {
    const answer = this.#answer(data.message_id);
    if (answer === null) return this.#missing(data.message_id, turn_id);
    if (answer === undefined) return true;
    const kind = type === "text_chunk" ? "text" : "thinking";
    const lengths = this.#lengths(answer);
    const known = lengths[kind] - data.offset;
    if (known < 0) return false;
    const fresh = known === 0 ? data.delta : Array.from(data.delta).slice(known).join("");
    if (fresh === "") return true;
    lengths[kind] += codePoints(fresh);
    const message = this.#copyOf(data.message_id);
    if (kind === "text") message.text += fresh;
    const parts = this.#copies.at(message, "parts");
    const last = parts.at(-1);
    if (last?.type === kind) {
      const part = this.#copies.at(parts, parts.length - 1) as { text: string };
      part.text += fresh;
    } else {
      parts.push(this.#copies.own({ type: kind, text: fresh }));
    }
    this.#goesOn(turn_id);
    return true;
  }

  call({ type, turn_id, data }: Call): boolean {
    const answer = this.#answer(data.message_id);
    if (answer === null) return this.#missing(data.message_id, turn_id);
    if (answer === undefined) return true;
    const known = answer.parts.find((part) => part.type === "tool" && part.call_id === data.call_id);
    if (known !== undefined && over((known as ToolEntry).state)) return true;
    const part = this.#tool(data.message_id, data.call_id, data.name);
    if (type === "tool_end") {
      if (data.arguments != null) part.arguments = data.arguments;
      part.risk = data.risk ?? part.risk;
      part.display = data.display ?? part.display;
      part.state = data.outcome;
      part.result = data.result ?? null;
      part.error = data.error ?? null;
      part.duration_ms = data.duration_ms;
      part.truncated = data.truncated ?? false;
      part.attachments = attachmentsOf(data.attachments);
      if (this.#session.live.calls[data.call_id]) {
        Reflect.deleteProperty(this.#copies.at(this.#copies.at(this.#session, "live"), "calls"), data.call_id);
      }
    } else {
      part.arguments = data.arguments;
      part.risk = data.risk;
      part.display = data.display;
      part.state = type === "tool_start" ? "running" : "pending";
      if ("decided_by" in data) part.decided_by = data.decided_by;
      if ("reason" in data) {
        part.reason = data.reason;
        part.preview = data.preview ?? null;
      }
    }
    this.#goesOn(turn_id);
    return true;
  }

  /** A person may have changed the arguments. */
  edited({ turn_id, data }: EventOf<"approval_resolved">): void {
    const part = data.arguments != null && this.#openCall(turn_id, data.call_id);
    if (part) part.arguments = data.arguments ?? {};
  }

  /** A call asks a person. A running call may do so, too. */
  asked({ turn_id, data }: EventOf<"question_asked">): boolean {
    const answer = this.#answer(data.message_id);
    if (answer === null) return this.#missing(data.message_id, turn_id);
    if (answer === undefined) return true;
    const known = answer.parts.find((part) => part.type === "tool" && part.call_id === data.call_id) as
      ToolEntry | undefined;
    if (known && (over(known.state) || known.question?.question_id === data.question_id)) return true;
    const part = this.#tool(data.message_id, data.call_id, data.name);
    part.arguments = data.arguments;
    if (part.state !== "running") Object.assign(part, { state: "pending", reason: data.reason });
    part.question = askedOf(data);
    this.#goesOn(turn_id);
    return true;
  }

  answered({ turn_id, data }: EventOf<"question_answered">): void {
    const part = this.#openCall(turn_id, data.call_id);
    if (part?.question?.question_id !== data.question_id) return;
    const { outcome, answers = null, note = null } = data;
    part.question = { ...part.question, outcome, answers, note };
  }

  progress({ turn_id, data }: EventOf<"tool_progress">): void {
    const message_id = this.#ledger.answers.get(turn_id ?? "");
    const answer = message_id === undefined ? null : this.#answer(message_id);
    const part = answer?.parts.find((part) => part.type === "tool" && part.call_id === data.call_id);
    if (part === undefined || over((part as ToolEntry).state)) return;
    const calls = this.#copies.at(this.#copies.at(this.#session, "live"), "calls");
    calls[data.call_id] ??= { progress: null, message: null, output: [], cut: false };
    const live = this.#copies.at(calls, data.call_id);
    live.progress = data.progress ?? live.progress;
    live.message = data.message ?? live.message;
    if (data.delta == null) return;
    const output = this.#copies.at(live, "output");
    const stream = data.stream ?? "stdout";
    if (output.at(-1)?.stream === stream) this.#copies.at(output, output.length - 1).text += data.delta;
    else output.push(this.#copies.own({ stream, text: data.delta }));
    let much = output.reduce((sum, piece) => sum + piece.text.length, 0) - OUTPUT_MOST;
    if (much < OUTPUT_MOST) return; // cut in large steps, so that a flood is not copied at each piece
    live.cut = true;
    while (output[0] !== undefined && output[0].text.length <= much) much -= output.shift()?.text.length ?? 0;
    if (output[0] !== undefined) this.#copies.at(output, 0).text = output[0].text.slice(much);
  }

  notice(turn_id: string | null, notice: NoticeEntry): void {
    const message_id = this.#ledger.answers.get(turn_id ?? "");
    if (message_id === undefined || !this.#answer(message_id)) return;
    const told = this.#ledger.told.get(message_id) ?? [];
    const place = told.indexOf(wordsOf(notice));
    if (place >= 0) told.splice(place, 1);
    else this.#copies.at(this.#copyOf(message_id), "parts").push(notice);
  }

  tell(turn_id: string | null, news: Partial<LiveTurnEntry>): void {
    if (turn_id === null) return;
    const turns = this.#copies.at(this.#copies.at(this.#session, "live"), "turns");
    turns[turn_id] = { retry: null, error: null, stop_reason: null, ...turns[turn_id], ...news };
  }

  status({ turn_id, data: { state } }: EventOf<"status_change">): void {
    const turn = this.#session.history?.turns[turn_id ?? ""];
    if (turn === undefined || ended(turn.state) || (state !== "running" && state !== "waiting_approval")) return;
    const waits = state === "waiting_approval";
    this.#turn({ ...turn, state: waits ? "waiting" : "running" });
    if (turn.message_id !== null) this.#copyOf(turn.message_id).status = waits ? state : "streaming";
  }

  done({ turn_id, data }: EventOf<"done">): void {
    if (turn_id === null) return;
    const { stop_reason } = data;
    const status = stop_reason === "denied" || stop_reason === "limit" ? "complete" : stop_reason;
    const message_id = this.#ledger.answers.get(turn_id) ?? null;
    const { turns, messages } = this.#history;
    if (turns[turn_id] !== undefined) this.#turn({ turn_id, message_id, state: turnState(status) });
    for (const message of messages) {
      if (message.turn_id !== turn_id || over(message.status)) continue;
      const copy = this.#copyOf(message.message_id);
      copy.status = message.role === "user" ? "complete" : status;
      if (message.role === "assistant") copy.usage = usageOf(data.usage);
      this.#ledger.lengths.delete(message.message_id);
    }
    const live = this.#session.live.turns[turn_id];
    this.#session.live = { ...NO_LIVE, turns: live ? { [turn_id]: live } : {} };
    this.tell(turn_id, { stop_reason, retry: null });
  }

  /**
   * Removes the messages of these turns, wherever they are: a turn that overtook others may leave messages behind it.
   * Returns false if so few messages are left that older ones must be read.
   */
  rewound({ data }: EventOf<"history_rewound">): boolean {
    const gone = new Set(data.turn_ids);
    const { messages } = this.#history;
    const left = messages.filter(({ turn_id }) => !gone.has(turn_id));
    if (left.length === messages.length) return true;
    const history = this.#copies.at(this.#session, "history");
    history.messages = this.#copies.own(left);
    const turns = this.#copies.at(history, "turns");
    const live = this.#copies.at(this.#copies.at(this.#session, "live"), "turns");
    for (const turn_id of gone) {
      Reflect.deleteProperty(turns, turn_id);
      Reflect.deleteProperty(live, turn_id);
    }
    this.#ledger.begin(left);
    return left.length > 0 || history.next_before === null;
  }

  // -- finding and copying ---------------------------------------------------------------------------------------------

  /** The answer if it is still streaming; undefined if it is finished, null if it is not loaded. */
  #answer(message_id: string): MessageEntry | null | undefined {
    const place = this.#ledger.places.get(message_id);
    const message = place === undefined ? undefined : this.#session.history?.messages[place];
    if (message === undefined) return null;
    return over(message.status) ? undefined : message;
  }

  /** Whether there is a reason for which a message is not loaded. */
  #missing(message_id: string, turn_id: string | null): boolean {
    const turn = this.#session.history?.turns[turn_id ?? ""];
    return this.#ledger.elsewhere.has(message_id) || (turn !== undefined && ended(turn.state));
  }

  #copyOf(message_id: string): MessageEntry {
    return this.#copies.at(this.#copies.at(this.#history, "messages"), this.#ledger.places.get(message_id) ?? -1);
  }

  /** A call that has not ended, as a copy that may be changed. */
  #openCall(turn_id: string | null, call_id: string): ToolEntry | null {
    const message_id = this.#ledger.answers.get(turn_id ?? "");
    const answer = message_id === undefined ? null : this.#answer(message_id);
    const known = answer?.parts.find((part) => part.type === "tool" && part.call_id === call_id);
    if (!answer || known === undefined || over((known as ToolEntry).state)) return null;
    return this.#tool(answer.message_id, call_id, "");
  }

  #tool(message_id: string, call_id: string, name: string): ToolEntry {
    const parts = this.#copies.at(this.#copyOf(message_id), "parts");
    const place = parts.findIndex((part) => part.type === "tool" && part.call_id === call_id);
    if (place >= 0) return this.#copies.at(parts, place) as ToolEntry;
    const part = this.#copies.own(toolOf(call_id, name));
    parts.push(part);
    return part;
  }

  #turn(turn: TurnEntry): void {
    const known = this.#session.history?.turns[turn.turn_id];
    if (known?.state === turn.state && known.message_id === turn.message_id) return;
    this.#copies.at(this.#history, "turns")[turn.turn_id] = turn;
  }

  #goesOn(turn_id: string | null): void {
    if (turn_id !== null && this.#session.live.turns[turn_id]?.retry) this.tell(turn_id, { retry: null });
  }

  #lengths(message: MessageEntry): Record<Kind, number> {
    let lengths = this.#ledger.lengths.get(message.message_id);
    if (lengths === undefined) {
      const thoughts = message.parts.map((part) => (part.type === "thinking" ? codePoints(part.text) : 0));
      lengths = { text: codePoints(message.text), thinking: thoughts.reduce((sum, count) => sum + count, 0) };
      this.#ledger.lengths.set(message.message_id, lengths);
    }
    return lengths;
  }
}

function wordsOf({ code, message }: NoticeEntry): string {
  return `${code}: ${message}`;
}

/** Whether a message or a call has ended: it no longer changes. */
function over(state: MessageEntry["status"] | ToolEntry["state"]): boolean {
  return !["pending", "streaming", "waiting_approval", "running"].includes(state);
}

export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}
