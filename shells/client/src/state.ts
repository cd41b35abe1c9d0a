// What the store contains: a page's complete picture of the daemon, as immutable values.
import type { AsterError } from "./errors.js";
import type { Link } from "./feed.js";
import type * as wire from "./types.js";

/** Readers must not change anything in a state. */
export type Immutable<T> = T extends AsterError
  ? T
  : T extends readonly (infer Item)[]
    ? readonly Immutable<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: Immutable<T[Key]> }
      : T;

export type StoreState = Immutable<Picture>;
export type Session = Immutable<SessionEntry>;
export type Message = Immutable<MessageEntry>;
export type Part = Immutable<PartEntry>;
export type ToolPart = Immutable<ToolEntry>;
/** A file of a message or of a tool's result. */
export type Attachment = Immutable<AttachmentEntry>;
export type Turn = Immutable<TurnEntry>;
export type Agent = Immutable<AgentEntry>;
export type History = Immutable<HistoryEntry>;
export type LiveCall = Immutable<LiveCallEntry>;
export type LiveTurn = Immutable<LiveTurnEntry>;
export type Answered = Immutable<AnsweredEntry>;
/** A question that waits for a person. */
export type Question = Immutable<QuestionEntry>;
/** One field of a question's form. */
export type Field = Immutable<FieldEntry>;
export type AnsweredQuestion = Immutable<AnsweredQuestionEntry>;
export type McpServer = Immutable<McpEntry>;

export interface Picture {
  connection: Connection;
  /** The first picture has been read. */
  ready: boolean;
  /** The picture is up to date: the stream is open, and everything was read. Otherwise it may be outdated. */
  current: boolean;
  /** Why the picture could not be read (again), or null. Further tries follow. */
  problem: AsterError | null;
  agents: AgentEntry[];
  /**
   * By `session_id`: the newest sessions, those loaded since, and those with events. Archived sessions are here only
   * while they are open, or an approval request or a question of theirs waits.
   */
  sessions: Record<string, SessionEntry>;
  /** Ids of `sessions` without the archived ones: pinned ones first, then by newest activity. */
  order: string[];
  /** Where the next page of sessions begins; null at the end. */
  sessions_before: string | null;
  /** All approval requests that wait for a person, of all sessions, oldest first. */
  approvals: wire.ApprovalInfo[];
  /** Approval requests that were resolved while this store watched, by `call_id`: how, and by whom. The newest 50. */
  answered: Record<string, AnsweredEntry>;
  /** All questions that wait for a person, of all sessions, oldest first. */
  questions: QuestionEntry[];
  /** Questions that ended while this store watched, by `question_id`: how, and by whom. The newest 50. */
  answered_questions: Record<string, AnsweredQuestionEntry>;
  config: wire.ConfigView | null;
  /** The rules as they were stored, also those that have expired since then. */
  rules: wire.RuleInfo[];
  /** The daemon itself, at the moment when the picture was read. */
  daemon: wire.DaemonInfo | null;
  /** What needs a person's attention: the newest 50, newest first. `unread` counts all of them. */
  notifications: NotificationEntry[];
  unread: number;
  flags: wire.FlagInfo[];
  onboarding: wire.Onboarding | null;
  services: ServiceEntry[];
  /** The MCP servers, in the order of config.toml. */
  mcp: McpEntry[];
  /** What a person should know about this daemon. */
  warnings: wire.Warning[];
}

export type FieldEntry = Required<wire.QuestionField>;
export type QuestionEntry = Required<Omit<wire.QuestionInfo, "fields">> & { fields: FieldEntry[] };
export type AskedEntry = Required<Omit<wire.AskedQuestion, "fields">> & { fields: FieldEntry[] };
export type NotificationEntry = Required<wire.Notification>;
export type ServiceEntry = Required<wire.ServiceInfo>;
export type McpEntry = Required<wire.McpServerInfo>;

export interface Connection extends Link {
  framework: wire.Health["framework"] | null;
  protocol: number | null;
  /** New at every start of the daemon. */
  instance_id: string | null;
}

/** `state` is the most active one of the agent's sessions that the store knows. */
export type AgentEntry = Required<Omit<wire.AgentInfo, "sessions">>;

type RewindFields = "forked_from" | "rewind" | "changed_files";

/** The fields of `SessionInfo` without the counts, which no event reports. */
export interface SessionEntry extends Omit<
  wire.SessionInfo,
  "messages" | "pending_approvals" | "pending_questions" | "deleted_at" | "restorable_until" | "context" | RewindFields
> {
  /** How much of the model's context window it fills; null: no model was asked yet. */
  context: Required<wire.Context> | null;
  /** The session that it was forked from, or null. */
  forked_from: Required<wire.ForkedFrom> | null;
  /** The last rewind, while it can be undone. */
  rewind: wire.RewindInfo | null;
  /** How many paths its turns changed. */
  changed_files: number;
  /** The messages, once `open` has fetched them. */
  history: HistoryEntry | null;
  /** `open` was called, and the messages are being read. */
  loading: boolean;
  /** Details of the current or last turn that only events report: a page that is opened later does not have them. */
  live: LiveEntry;
}

export interface HistoryEntry {
  /** Oldest first. */
  messages: MessageEntry[];
  /** There are older messages: `loadOlder` fetches them. */
  next_before: string | null;
  /** By `turn_id`; only turns whose messages are loaded. */
  turns: Record<string, TurnEntry>;
}

export interface TurnEntry {
  turn_id: string;
  state: "queued" | "running" | "waiting" | "done" | "failed" | "cancelled" | "interrupted";
  /** The id of the answer; null before there is one. */
  message_id: string | null;
}

export interface MessageEntry extends Omit<wire.WireMessage, "parts" | "context" | "usage"> {
  parts: PartEntry[];
  context: Record<string, unknown> | null;
  /** The usage of the complete turn, once it has ended. */
  usage: wire.Usage | null;
}

export type AttachmentEntry = Required<wire.AttachmentInfo>;
export type PartEntry = TextEntry | ThinkingEntry | ToolEntry | NoticeEntry | ImageEntry | FileEntry;
type WirePart<Type> = Required<Extract<wire.WireMessage["parts"][number], { type: Type }>>;
export type TextEntry = WirePart<"text">;
export type ThinkingEntry = WirePart<"thinking">;
export type ToolEntry = Omit<WirePart<"tool">, "attachments" | "question"> & {
  /** Files in the result. */
  attachments: AttachmentEntry[] | null;
  /** The last question that the call asked, and its answers. */
  question: AskedEntry | null;
};
export type NoticeEntry = WirePart<"notice">;
export type ImageEntry = WirePart<"image">;
export type FileEntry = WirePart<"file">;

export interface LiveEntry {
  /** Running tools, by `call_id`. */
  calls: Record<string, LiveCallEntry>;
  /** Details of turns that are not in their messages, by `turn_id`. */
  turns: Record<string, LiveTurnEntry>;
}

export interface LiveCallEntry {
  /** 0 to 1. */
  progress: number | null;
  message: string | null;
  /** The newest 64 Ki characters of what it printed. */
  output: { stream: "stdout" | "stderr"; text: string }[];
  /** The beginning of the output was dropped. */
  cut: boolean;
}

export interface LiveTurnEntry {
  /** The request to the model is being repeated. */
  retry: wire.EventOf<"model_retry">["data"] | null;
  error: wire.EventOf<"error">["data"] | null;
  stop_reason: wire.EventOf<"done">["data"]["stop_reason"] | null;
}

export type AnsweredEntry = Pick<
  wire.EventOf<"approval_resolved">["data"],
  "call_id" | "decision" | "resolved_by" | "resolved_at"
> & {
  note: string | null;
  /** Another client answered it. */
  elsewhere: boolean;
  /** The question, if the store knew it. */
  question: wire.ApprovalInfo | null;
};

export type AnsweredQuestionEntry = Required<wire.EventOf<"question_answered">["data"]> & {
  /** Another client answered it. */
  elsewhere: boolean;
  /** The question, if the store knew it. */
  question: QuestionEntry | null;
};

export const EMPTY: Picture = {
  connection: {
    state: "reconnecting",
    failures: 0,
    error: null,
    framework: null,
    protocol: null,
    instance_id: null,
  },
  ready: false,
  current: false,
  problem: null,
  agents: [],
  sessions: {},
  order: [],
  sessions_before: null,
  approvals: [],
  answered: {},
  questions: [],
  answered_questions: {},
  config: null,
  rules: [],
  daemon: null,
  notifications: [],
  unread: 0,
  flags: [],
  onboarding: null,
  services: [],
  mcp: [],
  warnings: [],
};

export const NO_LIVE: LiveEntry = { calls: {}, turns: {} };

/** The session's turns that have not ended: the current one and the queued ones. */
export function openTurns(session: Session): readonly Turn[] {
  return Object.values(session.history?.turns ?? {}).filter((turn) => !ended(turn.state));
}

/** The approval requests of one session, oldest first. */
export function approvalsOf(state: StoreState, session_id: string): readonly Immutable<wire.ApprovalInfo>[] {
  return state.approvals.filter((question) => question.session_id === session_id);
}

/** The questions of one session, oldest first. */
export function questionsOf(state: StoreState, session_id: string): readonly Question[] {
  return state.questions.filter((question) => question.session_id === session_id);
}

export function ended(state: TurnEntry["state"]): boolean {
  return state !== "queued" && state !== "running" && state !== "waiting";
}

// -- from the wire to the state: absent fields become null, as in answers ----------------------------------------------

export function agentOf({ sessions: _, ...info }: wire.AgentInfo): AgentEntry {
  return { ...info, source: info.source ?? "builtin", path: info.path ?? null, problems: info.problems ?? [] };
}

export function sessionOf({
  messages: _,
  pending_approvals: __,
  pending_questions: ___,
  deleted_at: ____,
  restorable_until: _____,
  ...info
}: wire.SessionInfo): SessionEntry {
  return {
    ...info,
    context: contextOf(info.context),
    forked_from: info.forked_from ? { message_id: null, ...info.forked_from } : null,
    rewind: info.rewind ?? null,
    changed_files: info.changed_files ?? 0,
    history: null,
    loading: false,
    live: NO_LIVE,
  };
}

export function contextOf(context?: wire.Context | null): SessionEntry["context"] {
  return context ? { window_tokens: null, ...context } : null;
}

export function messageOf(message: wire.WireMessage): MessageEntry {
  return {
    ...message,
    parts: message.parts.map(partOf),
    context: message.context ?? null,
    usage: message.usage ? usageOf(message.usage) : null,
  };
}

export function usageOf(usage: wire.Usage): Required<wire.Usage> {
  return { input_tokens: 0, output_tokens: 0, requests: 0, cost_usd: null, ...usage };
}

function partOf(part: wire.WireMessage["parts"][number]): PartEntry {
  switch (part.type) {
    case "tool":
      return {
        ...toolOf(part.call_id, part.name),
        ...part,
        attachments: attachmentsOf(part.attachments),
        question: part.question ? askedOf(part.question) : null,
      };
    case "image":
    case "file":
      return { ...part, width: part.width ?? null, height: part.height ?? null };
    case "notice":
      return noticeOf(part.code, part.message, part.hint);
    default:
      return part;
  }
}

function fieldOf(field: wire.QuestionField): FieldEntry {
  return {
    options: null,
    labels: null,
    other: false,
    default: null,
    required: true,
    whole: false,
    minimum: null,
    maximum: null,
    min_length: null,
    max_length: null,
    format: null,
    ...field,
  };
}

export function questionOf(given: wire.QuestionInfo): QuestionEntry {
  return { server: null, url: null, ...given, fields: given.fields.map(fieldOf) };
}

export function askedOf(given: wire.AskedQuestion): AskedEntry {
  const { question_id, reason, fields, server = null, url = null, outcome = null, answers = null, note = null } = given;
  return { question_id, reason, fields: fields.map(fieldOf), server, url, outcome, answers, note };
}

export function attachmentsOf(given: wire.AttachmentInfo[] | null | undefined): AttachmentEntry[] | null {
  return given?.map((info) => ({ ...info, width: info.width ?? null, height: info.height ?? null })) ?? null;
}

/** A call with nothing else known about it. */
export function toolOf(call_id: string, name: string): ToolEntry {
  return {
    type: "tool",
    call_id,
    name,
    arguments: {},
    risk: "low",
    state: "pending",
    decided_by: null,
    reason: null,
    display: null,
    preview: null,
    question: null,
    result: null,
    error: null,
    duration_ms: null,
    truncated: false,
    attachments: null,
  };
}

export function noticeOf(code: string, message: string, hint?: string | null): NoticeEntry {
  return { type: "notice", code, message, hint: hint ?? null };
}

export function notificationOf(given: wire.Notification): NotificationEntry {
  const { notification_id, kind, title, body, created_at, read } = given;
  const { agent_id = null, session_id = null, turn_id = null, call_id = null } = given;
  return { notification_id, kind, title, body, agent_id, session_id, turn_id, call_id, created_at, read };
}

export function serviceOf(service: wire.ServiceInfo): ServiceEntry {
  return { pid: null, last_start: null, last_exit: null, next_restart: null, ...service };
}

export function mcpOf(server: wire.McpServerInfo): McpEntry {
  return {
    pid: null,
    ready_since: null,
    error: null,
    hint: null,
    problems: [],
    failures: 0,
    next_try: null,
    protocol: null,
    implementation: null,
    tools: 0,
    changed_tools: 0,
    resources: 0,
    prompts: 0,
    agents: null,
    ...server,
  };
}

/** Whether a flag is on. A flag that the daemon does not list is on. */
export function isOn(state: Pick<StoreState, "flags">, name: string): boolean {
  return state.flags.find((flag) => flag.name === name)?.value !== false;
}

export function ruleOf(rule: wire.RuleInfo): wire.RuleInfo {
  return {
    conditions: [],
    agent_id: null,
    session_id: null,
    expires_at: null,
    made_by: null,
    made_for: null,
    ...rule,
  };
}

/** The state of a turn whose answer has this status. */
export function turnState(status: wire.WireMessage["status"]): TurnEntry["state"] {
  switch (status) {
    case "pending":
    case "streaming":
      return "running";
    case "waiting_approval":
      return "waiting";
    case "complete":
      return "done";
    default:
      return status;
  }
}

/** The turns of a page of messages. `whole`: the page begins where the session begins. */
export function turnsOf(messages: MessageEntry[], status: wire.Status, whole: boolean): Record<string, TurnEntry> {
  const turns: Record<string, TurnEntry> = {};
  const atStart = new Set<string>(); // turns of messages before the first answer: theirs may be on an older page
  let answers = 0;
  for (const { role, turn_id, message_id, status: how } of messages) {
    if (role === "assistant") {
      turns[turn_id] = { turn_id, state: turnState(how), message_id };
      answers += 1;
    } else if (turns[turn_id] === undefined) {
      turns[turn_id] = { turn_id, state: "cancelled", message_id: null };
      if (answers === 0 && !whole) atStart.add(turn_id);
    }
  }
  for (const turn of Object.values(turns)) {
    if (turn.message_id !== null) continue;
    // A turn without an answer: it is queued, has just begun, or was cancelled before it began.
    if (status.queue.includes(turn.turn_id)) turn.state = "queued";
    else if (status.turn_id === turn.turn_id) turn.state = "running";
    else if (atStart.has(turn.turn_id)) Reflect.deleteProperty(turns, turn.turn_id);
  }
  return turns;
}
