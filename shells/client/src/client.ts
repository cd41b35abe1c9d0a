// The daemon's API as functions: one per call, all through one transport.
import { delay_s } from "./backoff.js";
import { AsterError, open } from "./errors.js";
import { follow, type Feed, type FollowOptions } from "./feed.js";
import { hostOf, hostTransport, type HostWire } from "./host.js";
import { httpTransport, queryOf, type HttpOptions } from "./http.js";
import { socketTransport, socketUrl } from "./socket.js";
import type { Transport, UploadOptions } from "./transport.js";
import type * as wire from "./types.js";

export interface ClientOptions extends HttpOptions {
  /** Use this native host instead of HTTP. */
  host?: HostWire;
  /**
   * `http`: use `fetch` for everything, also for the stream, where a page would use a WebSocket. Or give your own
   * transport.
   */
  transport?: Transport | "http";
}

export interface CallOptions {
  signal?: AbortSignal;
}

export interface SendOptions extends CallOptions {
  /** How many times to try if the daemon can't be reached. Default: 5, which takes about four seconds. */
  tries?: number;
}

/** A message to send: an attachment may be what `upload` has returned. */
export interface MessageToSend extends Omit<wire.ChatRequest, "attachments"> {
  attachments?: readonly (wire.AttachmentRef | wire.AttachmentInfo)[];
}

export interface Page {
  /** Where to continue: `next_before` of the previous page. */
  before?: string | null;
  /** 1 to 500. Default: 50. */
  limit?: number;
}

export interface SessionQuery extends Page {
  agent_id?: string;
  /** Only the archived sessions, instead of only the others. */
  archived?: boolean;
  /** The trash: deleted sessions that can be restored, the last deleted first. */
  deleted?: boolean;
}

export interface AuditQuery extends Page {
  session_id?: string;
  agent_id?: string;
  tool?: string;
  decision?: "allow" | "deny";
  /** RFC 3339: only decisions from this time on. */
  since?: string;
  /** RFC 3339: only decisions before this time. */
  until?: string;
  /** Where to continue: `next` of the previous page. */
  before?: string | null;
  /** Instead of `before`: `next` of the previous page, or `0` to begin. Then the list is oldest first. */
  after?: string | null;
}

export type Client = ReturnType<typeof createClient>;

const TRIES = 5;

/** The largest attachment, in bytes. */
export const ATTACHMENT_MOST = 25 * 1024 * 1024;
/** The most attachments of a message. */
export const ATTACHMENTS_MOST = 20;

/**
 * Creates a client. By default it uses the page's native host (`window.asterHost`) if there is one. Otherwise it uses
 * the page's own address: over a WebSocket in a browser, over HTTP elsewhere or with a given `fetch`. Every call
 * rejects with AsterError, or with the reason of its signal.
 */
export function createClient(options: ClientOptions = {}) {
  const host = options.host ?? (options.url === undefined ? hostOf() : null);
  const transport =
    typeof options.transport === "object"
      ? options.transport
      : host
        ? hostTransport({ host, ...options })
        : webTransport(options);

  /** Calls any endpoint and returns the answer's `data`. `path` includes its query; `body` is an object. */
  async function call<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    { signal }: CallOptions = {},
  ): Promise<T> {
    const answer = await transport.request(method, path, body === undefined ? undefined : JSON.stringify(body), signal);
    return open(answer.status, answer.body) as T;
  }

  function chat({ attachments = [], ...body }: MessageToSend, options?: CallOptions): Promise<wire.ChatStarted> {
    const files = attachments.length > 0 ? { attachments: attachments.map(refOf) } : {};
    return call("POST", "/api/chat", { ...body, ...files }, options);
  }

  /**
   * Stores a file for a message: a name with its extension, and at most `ATTACHMENT_MOST` bytes. A file that no message
   * refers to is deleted after a day.
   */
  async function upload(
    name: string,
    content: Uint8Array | Blob,
    options: UploadOptions = {},
  ): Promise<wire.AttachmentInfo> {
    const bytes = content instanceof Blob ? new Uint8Array(await content.arrayBuffer()) : content;
    options.signal?.throwIfAborted();
    const answer = await transport.upload(name, bytes, options);
    return open(answer.status, answer.body) as wire.AttachmentInfo;
  }

  /**
   * Sends a message so that it counts only once: with a `client_message_id`, and again with the same one while the
   * daemon can't be reached. A message that the daemon refused is not sent again. Rejects with the last error.
   */
  async function send(body: MessageToSend, { signal, tries = TRIES }: SendOptions = {}): Promise<wire.ChatStarted> {
    const message = { ...body, client_message_id: body.client_message_id ?? mintId() };
    for (let failures = 1; ; failures += 1) {
      try {
        return await chat(message, signal ? { signal } : {});
      } catch (error) {
        if (!(error instanceof AsterError && error.unreachable) || failures >= tries) throw error;
        await pause(delay_s(failures), signal);
      }
    }
  }

  return {
    transport,
    call,
    chat,
    send,
    upload,
    /** The content of a file that was attached. */
    download: (attachment_id: string, { signal }: CallOptions = {}): Promise<Blob> =>
      transport.download(attachment_id, signal),
    /** Ends turns: one turn, all of a session, or all of the agent. */
    cancel: (body: wire.CancelRequest, options?: CallOptions): Promise<wire.Cancelled> =>
      call("POST", "/api/cancel", body, options),
    /** Answers an approval request. The first answer counts; a later one rejects with `approval_resolved`. */
    approve: (body: wire.ApproveRequest, options?: CallOptions): Promise<wire.Approved> =>
      call("POST", "/api/approve", body, options),
    approvals: (
      query: { agent_id?: string; session_id?: string } = {},
      options?: CallOptions,
    ): Promise<wire.ApprovalInfo[]> => call("GET", "/api/approvals" + queryOf(query), undefined, options),
    /**
     * Answers or declines a question. The first answer counts; a later one rejects with `question_resolved`. Answers that
     * don't fit reject with `answers_invalid`, and the question stays open.
     */
    answer: (body: wire.AnswerRequest, options?: CallOptions): Promise<wire.QuestionResolved> =>
      call("POST", "/api/answer", body, options),
    questions: (
      query: { agent_id?: string; session_id?: string } = {},
      options?: CallOptions,
    ): Promise<wire.QuestionInfo[]> => call("GET", "/api/questions" + queryOf(query), undefined, options),
    /** All that waits for a person: approval requests and questions, oldest first. */
    inbox: (
      query: { agent_id?: string; session_id?: string } = {},
      options?: CallOptions,
    ): Promise<wire.InboxEntry[]> => call("GET", "/api/inbox" + queryOf(query), undefined, options),
    status: (agent_id: string, session_id?: string, options?: CallOptions): Promise<wire.Status> =>
      call("GET", "/api/status" + queryOf({ agent_id, session_id }), undefined, options),
    /** A page of messages, oldest first; the newest page without `before`. */
    history: (
      agent_id: string,
      session_id?: string,
      page: Page = {},
      options?: CallOptions,
    ): Promise<wire.HistoryPage> =>
      call("GET", "/api/history" + queryOf({ agent_id, session_id, ...page }), undefined, options),
    clearHistory: (agent_id: string, session_id?: string, options?: CallOptions): Promise<wire.HistoryDeleted> =>
      call("DELETE", "/api/history" + queryOf({ agent_id, session_id }), undefined, options),
    /** Everything for a first picture, from one moment. `sessions`: how many of them; default 16. */
    snapshot: (query: { sessions?: number } = {}, options?: CallOptions): Promise<wire.Snapshot> =>
      call("GET", "/api/snapshot" + queryOf(query), undefined, options),
    /** The agents; with a session, as its folder has them. */
    agents: ({ session_id, ...options }: CallOptions & { session_id?: string } = {}): Promise<wire.AgentInfo[]> =>
      call("GET", "/api/agents" + queryOf({ session_id }), undefined, options),
    tools: (options?: CallOptions): Promise<wire.ToolInfo[]> => call("GET", "/api/tools", undefined, options),
    models: (options?: CallOptions): Promise<wire.ModelInfo[]> => call("GET", "/api/models", undefined, options),
    /** Checks what would happen to a call, and why. Nothing runs. */
    check: (body: wire.CheckRequest, options?: CallOptions): Promise<wire.CheckAnswer> =>
      call("POST", "/api/permissions/check", body, options),
    shutdown: (options?: CallOptions): Promise<wire.ShuttingDown> => call("POST", "/api/shutdown", undefined, options),
    /** Its answer has no envelope, and it needs no token. */
    health: async ({ signal }: CallOptions = {}): Promise<wire.Health> => {
      const { status, body } = await transport.request("GET", "/health", undefined, signal);
      return (status === 200 ? JSON.parse(body) : open(status, body)) as wire.Health;
    },
    config: {
      get: (options?: CallOptions): Promise<wire.ConfigView> => call("GET", "/api/config", undefined, options),
      /** `null` removes a value that was set. */
      set: (patch: wire.ConfigPatch, options?: CallOptions): Promise<wire.ConfigView> =>
        call("POST", "/api/config", patch, options),
    },
    sessions: {
      list: (query: SessionQuery = {}, options?: CallOptions): Promise<wire.SessionPage> =>
        call("GET", "/api/sessions" + queryOf({ ...query }), undefined, options),
      /** Searches titles and messages. The answer's `hits` has the places in messages. */
      search: (q: string, query: SessionQuery = {}, options?: CallOptions): Promise<wire.SessionPage> =>
        call("GET", "/api/sessions" + queryOf({ ...query, q }), undefined, options),
      /** The messages of one conversation that contain `q`, newest first. */
      find: (session_id: string, q: string, query: Page = {}, options?: CallOptions): Promise<wire.FoundMessages> =>
        call("GET", `${session(session_id)}/find` + queryOf({ ...query, q }), undefined, options),
      get: (session_id: string, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("GET", session(session_id), undefined, options),
      create: (body: wire.SessionCreate = {}, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("POST", "/api/sessions", body, options),
      rename: (session_id: string, title: string, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("PATCH", session(session_id), { title }, options),
      archive: (session_id: string, archived = true, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("PATCH", session(session_id), { archived }, options),
      pin: (session_id: string, pinned = true, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("PATCH", session(session_id), { pinned }, options),
      /** Changes any of its fields: its folder, model, effort, mode and agent too. `null` inherits these again. */
      change: (session_id: string, patch: wire.SessionPatch, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("PATCH", session(session_id), patch, options),
      /** Moves it to the trash. `purge` deletes it permanently, also if it is in the trash. */
      delete: (
        session_id: string,
        { purge, ...options }: CallOptions & { purge?: boolean } = {},
      ): Promise<wire.SessionDeleted> =>
        call("DELETE", session(session_id) + (purge === true ? "?purge=true" : ""), undefined, options),
      /** Restores a deleted session as it was. Does nothing if it is not deleted. */
      restore: (session_id: string, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("POST", `${session(session_id)}/restore`, undefined, options),
      /**
       * Copies the conversation into a new session, up to and with the turn that this message of the person began; all
       * of it without one.
       */
      fork: (session_id: string, message_id?: string, options?: CallOptions): Promise<wire.SessionInfo> =>
        call("POST", `${session(session_id)}/fork`, message_id === undefined ? {} : { message_id }, options),
      /**
       * Takes a message that began a turn, and everything after it, out of the conversation. Rejects with `agent_busy`
       * while a turn runs.
       */
      rewind: (session_id: string, body: wire.RewindRequest, options?: CallOptions): Promise<wire.Rewound> =>
        call("POST", `${session(session_id)}/rewind`, body, options),
      /** Undoes the last rewind, and what it did to files. Possible until the next message is sent. */
      unrewind: (session_id: string, body: wire.UnrewindRequest = {}, options?: CallOptions): Promise<wire.Rewound> =>
        call("POST", `${session(session_id)}/unrewind`, body, options),
      /** What its turns changed in files; with diffs if it is asked for one turn. */
      changes: (session_id: string, turn_id?: string, options?: CallOptions): Promise<wire.SessionChanges> =>
        call("GET", `${session(session_id)}/changes` + queryOf({ turn_id }), undefined, options),
    },
    /**
     * Undoes changes to files. Rejects with `revert_conflict` if files changed since; its `details` is a list of
     * `NotReverted`, and nothing was written.
     */
    revert: (body: wire.RevertRequest, options?: CallOptions): Promise<wire.Reverted> =>
      call("POST", "/api/changes/revert", body, options),
    /** The directories in a directory, for a picker; by default in the daemon's work folder. */
    folders: (query: { path?: string; hidden?: boolean } = {}, options?: CallOptions): Promise<wire.FolderList> =>
      call("GET", "/api/folders" + queryOf({ ...query }), undefined, options),
    trust: {
      /** The project that contains a path, and what trusting it lets in; by default of the daemon's work folder. */
      get: (path?: string, options?: CallOptions): Promise<wire.TrustView> =>
        call("GET", "/api/trust" + queryOf({ path }), undefined, options),
      /**
       * Trusts a project. `digest` is that of the view that the person saw; rejects with `trust_changed` if the files
       * have changed since, and its `details` is a new view.
       */
      add: (body: wire.TrustRequest, options?: CallOptions): Promise<wire.TrustView> =>
        call("POST", "/api/trust", body, options),
      remove: (path: string, options?: CallOptions): Promise<wire.TrustView> =>
        call("DELETE", "/api/trust" + queryOf({ path }), undefined, options),
    },
    rules: {
      list: (options?: CallOptions): Promise<wire.RuleInfo[]> =>
        call("GET", "/api/permissions/rules", undefined, options),
      add: (body: wire.RuleCreate, options?: CallOptions): Promise<wire.RuleInfo> =>
        call("POST", "/api/permissions/rules", body, options),
      remove: (rule_id: string, options?: CallOptions): Promise<wire.RuleDeleted> =>
        call("DELETE", `/api/permissions/rules/${encodeURIComponent(rule_id)}`, undefined, options),
    },
    /** The record of decisions about tool calls, newest first. */
    audit: (query: AuditQuery = {}, options?: CallOptions): Promise<wire.DecisionPage> =>
      call("GET", "/api/audit" + queryOf({ ...query }), undefined, options),
    /** Opens the event stream and reconnects it when it breaks. */
    follow: (options: FollowOptions): Feed => follow(transport, options),
  };
}

function webTransport(options: ClientOptions): Transport {
  const url = options.transport === "http" || options.fetch !== undefined ? null : socketUrl(options.url);
  return url === null ? httpTransport(options) : socketTransport(options, url);
}

function session(session_id: string): string {
  return `/api/sessions/${encodeURIComponent(session_id)}`;
}

function refOf({ attachment_id, ...ref }: wire.AttachmentRef | wire.AttachmentInfo): wire.AttachmentRef {
  return attachment_id != null ? { attachment_id } : { path: "path" in ref ? (ref.path ?? null) : null };
}

/** A new `client_message_id`: random enough to be unique, also where `crypto.randomUUID` is missing. */
export function mintId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return "cm_" + Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function pause(seconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, seconds * 1000);
    if (signal?.aborted) stop();
    else signal?.addEventListener("abort", stop, { once: true });
  });
}
