// Made by `npm run generate` from the daemon's OpenAPI document. Don't edit it.
/* eslint-disable */

export interface paths {
  "/health": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Health
     * @description Whether the daemon is up. Not in an envelope, and no token is asked.
     */
    get: operations["health"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/chat": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Chat
     * @description Send a message to an agent. It is recorded when this answers; what comes of it is on the event stream.
     */
    post: operations["chat"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/cancel": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Cancel
     * @description Cancel turns: one, a session's, or all of the agent. Running tools are ended. Idempotent.
     */
    post: operations["cancel"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/approve": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Approve
     * @description Answer a permission request. The first answer counts.
     */
    post: operations["approve"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/status": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Status
     * @description What the agent is doing.
     */
    get: operations["status"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/history": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * History
     * @description A page of the conversation, oldest first.
     */
    get: operations["history"];
    put?: never;
    post?: never;
    /**
     * Clear History
     * @description Delete the conversation's messages. Refused while a turn runs or waits.
     */
    delete: operations["clear_history"];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/config": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Get Config
     * @description The effective configuration, each value with its source, secrets masked.
     */
    get: operations["get_config"];
    /**
     * Set Config
     * @description Change any of the settable keys; `null` goes back to the value below. Takes effect at once.
     */
    put: operations["set_config_put"];
    /**
     * Set Config
     * @description Change any of the settable keys; `null` goes back to the value below. Takes effect at once.
     */
    post: operations["set_config"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/agents": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Agents
     * @description All agents, and the files that should be one but are broken.
     */
    get: operations["agents"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/events": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Events
     * @description The event stream (SSE). `Last-Event-ID` or `?after=` resumes; neither: from now on.
     */
    get: operations["events"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/approvals": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Approvals
     * @description All decisions that wait for a person, oldest first.
     */
    get: operations["approvals"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/sessions": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Sessions
     * @description A page of conversations, newest activity first.
     */
    get: operations["sessions"];
    put?: never;
    /**
     * Create Session
     * @description Start a conversation.
     */
    post: operations["create_session"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/sessions/{session_id}": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Get Session
     * @description One conversation.
     */
    get: operations["get_session"];
    put?: never;
    post?: never;
    /**
     * Delete Session
     * @description Delete a conversation and all that is in it. Refused while a turn runs or waits.
     */
    delete: operations["delete_session"];
    options?: never;
    head?: never;
    /**
     * Patch Session
     * @description Rename, archive, bring back.
     */
    patch: operations["patch_session"];
    trace?: never;
  };
  "/api/permissions/rules": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Rules
     * @description The stored answers that hold now.
     */
    get: operations["rules"];
    put?: never;
    /**
     * Add Rule
     * @description Store a rule.
     */
    post: operations["add_rule"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/permissions/rules/{rule_id}": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    post?: never;
    /**
     * Delete Rule
     * @description Delete a rule.
     */
    delete: operations["delete_rule"];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/permissions/check": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Check
     * @description What would happen to this call, and why. Nothing runs.
     */
    post: operations["check"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/tools": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Tools
     * @description All tools, with the schema of their arguments.
     */
    get: operations["tools"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/models": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Models
     * @description Models that can be chosen, the chosen one first, with those of the model servers that run on this machine.
     */
    get: operations["models"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/shutdown": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Shutdown
     * @description Stop the daemon: what waits or is queued stays for its next life.
     */
    post: operations["shutdown"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/openapi.json": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Openapi
     * @description This contract, the events included.
     */
    get: operations["openapi"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
}
export type webhooks = Record<string, never>;
export interface components {
  schemas: {
    /**
     * ApproveRequest
     * @description Answer a pending approval. `note` reaches the model on a denial; `arguments` replace the call's own.
     */
    ApproveRequest: {
      /** Agent Id */
      agent_id: string;
      /** Call Id */
      call_id: string;
      /**
       * Decision
       * @enum {string}
       */
      decision: "allow" | "deny" | "allow_always" | "deny_always";
      /** Note */
      note?: string | null;
      /** Arguments */
      arguments?: {
        [key: string]: unknown;
      } | null;
    };
    /**
     * CancelRequest
     * @description Cancel one turn, a session's turns, or (neither given) every turn of the agent. Idempotent.
     */
    CancelRequest: {
      /** Agent Id */
      agent_id: string;
      /** Session Id */
      session_id?: string | null;
      /** Turn Id */
      turn_id?: string | null;
    };
    /**
     * ChatRequest
     * @description Say something to an agent. Without `session_id`: the agent's default session.
     */
    ChatRequest: {
      /** Agent Id */
      agent_id: string;
      /** Message */
      message: string;
      /** Session Id */
      session_id?: string | null;
      /**
       * Context
       * @description a small object that the agent's instructions and tools can read for this turn
       */
      context?: {
        [key: string]: unknown;
      } | null;
      /**
       * Client Message Id
       * @description the same id with the same body answers the same turn again
       */
      client_message_id?: string | null;
      /**
       * If Busy
       * @default queue
       * @enum {string}
       */
      if_busy?: "queue" | "steer" | "reject" | "interrupt";
    };
    /**
     * CheckRequest
     * @description What would happen to this call? Nothing runs.
     */
    CheckRequest: {
      /** Tool */
      tool: string;
      /** Arguments */
      arguments?: {
        [key: string]: unknown;
      };
      /**
       * Agent Id
       * @default default
       */
      agent_id?: string;
      /** Session Id */
      session_id?: string | null;
    };
    /**
     * ConfigPatch
     * @description Any subset of the settable keys. `null` forgets what was set here or in the file: flag, environment, default.
     */
    ConfigPatch: {
      /** Model */
      model?: string | null;
      /** Permission Mode */
      permission_mode?: ("auto_approve" | "smart_approve" | "always_ask") | null;
      /** Work Dir */
      work_dir?: string | null;
      /** Approval Timeout S */
      approval_timeout_s?: number | null;
      /** On Unattended */
      on_unattended?: ("wait" | "deny") | null;
      /** Max Requests */
      max_requests?: number | null;
      /** Max Tool Calls */
      max_tool_calls?: number | null;
      /** Max Tokens */
      max_tokens?: number | null;
      /** Max Turn S */
      max_turn_s?: number | null;
    };
    /**
     * RuleCreate
     * @description `kind` exact (default), beneath (a directory) or any; `value` is the target: a path, a command, an origin.
     */
    RuleCreate: {
      /**
       * Decision
       * @enum {string}
       */
      decision: "allow" | "deny";
      /** Tool */
      tool: string;
      /**
       * Kind
       * @default exact
       * @enum {string}
       */
      kind?: "exact" | "beneath" | "any";
      /**
       * Value
       * @default
       */
      value?: string;
      /** Agent Id */
      agent_id?: string | null;
      /** Session Id */
      session_id?: string | null;
      /** Expires In S */
      expires_in_s?: number | null;
    };
    /** SessionCreate */
    SessionCreate: {
      /**
       * Agent Id
       * @default default
       */
      agent_id?: string;
      /** Title */
      title?: string | null;
    };
    /** SessionPatch */
    SessionPatch: {
      /** Title */
      title?: string | null;
      /** Archived */
      archived?: boolean | null;
    };
    /**
     * AgentProblem
     * @description Why an agent's file is left out, or not used. `id` is what it would be called, `line` null for the whole file.
     */
    AgentProblem: {
      /** Id */
      id: string;
      /**
       * Source
       * @enum {string}
       */
      source: "builtin" | "code" | "user" | "project";
      /** Path */
      path: string;
      /**
       * Line
       * @default null
       */
      line?: number | null;
      /** Reason */
      reason: string;
    };
    /** AgentsChangedEvent */
    AgentsChangedEvent: {
      /** Agents */
      agents: string[];
      /**
       * Problems
       * @default []
       */
      problems?: components["schemas"]["AgentProblem"][];
    };
    /**
     * ApprovalRequiredEvent
     * @description A call waits for a person. `display` is the exact thing that will run; `remember` what "always" would cover.
     */
    ApprovalRequiredEvent: {
      /** Message Id */
      message_id: string;
      /** Call Id */
      call_id: string;
      /** Name */
      name: string;
      /** Arguments */
      arguments: {
        [key: string]: unknown;
      };
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Reason */
      reason: string;
      /** Display */
      display: string;
      /**
       * Remember
       * @default null
       */
      remember?: string | null;
      /**
       * Expires At
       * @default null
       */
      expires_at?: string | null;
    };
    /**
     * ApprovalResolvedEvent
     * @description Answered, expired, or gone with its turn. `resolved_by` names the client that answered.
     */
    ApprovalResolvedEvent: {
      /** Call Id */
      call_id: string;
      /**
       * Decision
       * @enum {string}
       */
      decision: "allow" | "deny" | "allow_always" | "deny_always" | "expired" | "cancelled";
      /** Resolved By */
      resolved_by: string;
      /**
       * Resolved At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      resolved_at: string;
      /**
       * Note
       * @default null
       */
      note?: string | null;
      /**
       * Arguments
       * @default null
       */
      arguments?: {
        [key: string]: unknown;
      } | null;
      /** @default null */
      rule?: components["schemas"]["RuleInfo"] | null;
    };
    /** ConfigChangedEvent */
    ConfigChangedEvent: {
      /** Changed */
      changed: {
        [key: string]: components["schemas"]["ConfigValue"];
      };
    };
    /** ConfigValue */
    ConfigValue: {
      /** Value */
      value: unknown;
      /**
       * Source
       * @enum {string}
       */
      source: "api" | "flag" | "environment" | "project" | "file" | "default";
      /**
       * Settable
       * @default true
       */
      settable?: boolean;
    };
    /**
     * ConnectedEvent
     * @description Always first on a stream. It has no seq of its own; its SSE id is the cursor from which the stream goes on.
     */
    ConnectedEvent: {
      /** Client Id */
      client_id: string;
      /**
       * Framework
       * @enum {string}
       */
      framework: "tauri" | "electron" | "wails" | "web";
      /** Instance Id */
      instance_id: string;
      /** Protocol */
      protocol: number;
      /** Last Seq */
      last_seq: number;
      /** Heartbeat S */
      heartbeat_s: number;
    };
    /**
     * DoneEvent
     * @description Exactly one per turn, always its last event.
     */
    DoneEvent: {
      /** Message Id */
      message_id: string;
      /**
       * Stop Reason
       * @enum {string}
       */
      stop_reason: "complete" | "cancelled" | "denied" | "limit" | "failed" | "interrupted";
      usage: components["schemas"]["Usage"];
    };
    /**
     * ErrorEvent
     * @description What went wrong and what a person can do. `retry_after_s` is the provider's own word.
     */
    ErrorEvent: {
      /** Code */
      code: string;
      /** Message */
      message: string;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Retryable
       * @default false
       */
      retryable?: boolean;
      /**
       * Severity
       * @default error
       * @enum {string}
       */
      severity?: "error" | "warning";
      /**
       * Retry After S
       * @default null
       */
      retry_after_s?: number | null;
    };
    /**
     * Failure
     * @description Every refusal: `code` is stable, `error` and `hint` are for people.
     */
    Failure: {
      /** Id */
      id: string;
      /**
       * Success
       * @default false
       * @constant
       */
      success?: false;
      /** Error */
      error: string;
      /** Code */
      code: string;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Details
       * @default null
       */
      details?: unknown | null;
    };
    /**
     * HeartbeatEvent
     * @description Every `heartbeat_s`; carries no seq of its own.
     */
    HeartbeatEvent: {
      /** Last Seq */
      last_seq: number;
    };
    /** HistoryClearedEvent */
    HistoryClearedEvent: {
      /** Deleted */
      deleted: number;
    };
    /**
     * HistoryCompactedEvent
     * @description The model's own view of the conversation was summarised; the history people see keeps every message.
     */
    HistoryCompactedEvent: {
      /** Messages Before */
      messages_before: number;
      /** Messages After */
      messages_after: number;
      /** Tokens Before */
      tokens_before: number;
      /** Context Window */
      context_window: number;
      /**
       * Reason
       * @enum {string}
       */
      reason: "near_window" | "over_window";
    };
    /**
     * Message
     * @description One message of a history. `text` is the concatenation that `text_chunk` offsets count in.
     */
    Message: {
      /** Message Id */
      message_id: string;
      /** Turn Id */
      turn_id: string;
      /** Session Id */
      session_id: string;
      /**
       * Role
       * @enum {string}
       */
      role: "user" | "assistant";
      /** Text */
      text: string;
      /** Parts */
      parts: (
        | components["schemas"]["TextPart"]
        | components["schemas"]["ThinkingPart"]
        | components["schemas"]["ToolPart"]
        | components["schemas"]["NoticePart"]
      )[];
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
      /**
       * Status
       * @enum {string}
       */
      status: "pending" | "streaming" | "waiting_approval" | "complete" | "cancelled" | "failed" | "interrupted";
      /**
       * Context
       * @default null
       */
      context?: {
        [key: string]: unknown;
      } | null;
      /** @default null */
      usage?: components["schemas"]["Usage"] | null;
    };
    /** MessageAddedEvent */
    MessageAddedEvent: {
      message: components["schemas"]["Message"];
    };
    /**
     * ModelRetryEvent
     * @description A request to the provider failed for a passing reason and will be tried again in `delay_s`.
     */
    ModelRetryEvent: {
      /** Code */
      code: string;
      /** Message */
      message: string;
      /** Attempt */
      attempt: number;
      /** Max Attempts */
      max_attempts: number;
      /** Delay S */
      delay_s: number;
    };
    /**
     * NoticePart
     * @description Something that happened to the turn: an error, a limit, a compaction.
     */
    NoticePart: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "notice";
      /** Code */
      code: string;
      /** Message */
      message: string;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
    };
    /**
     * ResyncEvent
     * @description The cursor can't be served: read /api/history and /api/approvals, then go on from `last_seq`.
     */
    ResyncEvent: {
      /**
       * Reason
       * @enum {string}
       */
      reason: "trimmed" | "future" | "malformed";
      /** Last Seq */
      last_seq: number;
    };
    /**
     * RuleInfo
     * @description A stored answer: which calls it covers, in fields and in words.
     */
    RuleInfo: {
      /** Rule Id */
      rule_id: string;
      /**
       * Decision
       * @enum {string}
       */
      decision: "allow" | "deny";
      /** Tool */
      tool: string;
      /**
       * Kind
       * @enum {string}
       */
      kind: "exact" | "beneath" | "any";
      /** Value */
      value: string;
      /**
       * Agent Id
       * @default null
       */
      agent_id?: string | null;
      /**
       * Session Id
       * @default null
       */
      session_id?: string | null;
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
      /**
       * Expires At
       * @default null
       */
      expires_at?: string | null;
      /** Words */
      words: string;
    };
    /** RulesChangedEvent */
    RulesChangedEvent: {
      /**
       * Change
       * @enum {string}
       */
      change: "added" | "removed";
      rule: components["schemas"]["RuleInfo"];
    };
    /**
     * SessionChangedEvent
     * @description `session` is absent when it was deleted.
     */
    SessionChangedEvent: {
      /**
       * Change
       * @enum {string}
       */
      change: "created" | "updated" | "deleted";
      /** @default null */
      session?: components["schemas"]["SessionInfo"] | null;
    };
    /** SessionInfo */
    SessionInfo: {
      /** Session Id */
      session_id: string;
      /** Agent Id */
      agent_id: string;
      /** Title */
      title: string;
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
      /**
       * Updated At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      updated_at: string;
      /** Archived */
      archived: boolean;
      /** Is Default */
      is_default: boolean;
      /** Messages */
      messages: number;
      /**
       * State
       * @enum {string}
       */
      state: "idle" | "running" | "waiting_approval" | "queued" | "failed";
      /** Pending Approvals */
      pending_approvals: number;
    };
    /** StatusChangeEvent */
    StatusChangeEvent: {
      /**
       * State
       * @enum {string}
       */
      state: "idle" | "running" | "waiting_approval" | "queued" | "failed";
      /**
       * Previous
       * @enum {string}
       */
      previous: "idle" | "running" | "waiting_approval" | "queued" | "failed";
    };
    /**
     * TextChunkEvent
     * @description `offset` counts code points in the message's text, so applying a chunk twice is harmless.
     */
    TextChunkEvent: {
      /** Message Id */
      message_id: string;
      /** Offset */
      offset: number;
      /** Delta */
      delta: string;
    };
    /** TextPart */
    TextPart: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "text";
      /** Text */
      text: string;
    };
    /**
     * ThinkingChunkEvent
     * @description As text_chunk, counted in the message's thinking.
     */
    ThinkingChunkEvent: {
      /** Message Id */
      message_id: string;
      /** Offset */
      offset: number;
      /** Delta */
      delta: string;
    };
    /** ThinkingPart */
    ThinkingPart: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "thinking";
      /** Text */
      text: string;
    };
    /**
     * ToolEndEvent
     * @description A call is over: exactly one of `result` and `error`. A denied call ends without having started.
     */
    ToolEndEvent: {
      /** Message Id */
      message_id: string;
      /** Call Id */
      call_id: string;
      /** Name */
      name: string;
      /**
       * Result
       * @default null
       */
      result?: unknown | null;
      /**
       * Error
       * @default null
       */
      error?: string | null;
      /**
       * Outcome
       * @enum {string}
       */
      outcome: "done" | "failed" | "denied" | "cancelled" | "unknown";
      /** Duration Ms */
      duration_ms: number;
      /**
       * Truncated
       * @default false
       */
      truncated?: boolean;
      /**
       * Arguments
       * @description only where no tool_start and no question came
       * @default null
       */
      arguments?: {
        [key: string]: unknown;
      } | null;
      /**
       * Risk
       * @description as `arguments`
       * @default null
       */
      risk?: ("low" | "medium" | "high") | null;
      /**
       * Display
       * @description as `arguments`
       * @default null
       */
      display?: string | null;
    };
    /**
     * ToolPart
     * @description One tool call as it stands: `unknown` is a call whose end the daemon did not live to see.
     */
    ToolPart: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "tool";
      /** Call Id */
      call_id: string;
      /** Name */
      name: string;
      /** Arguments */
      arguments: {
        [key: string]: unknown;
      };
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /**
       * State
       * @enum {string}
       */
      state: "pending" | "running" | "done" | "failed" | "denied" | "cancelled" | "unknown";
      /**
       * Decided By
       * @default null
       */
      decided_by?: string | null;
      /**
       * Reason
       * @default null
       */
      reason?: string | null;
      /**
       * Display
       * @default null
       */
      display?: string | null;
      /**
       * Result
       * @default null
       */
      result?: unknown | null;
      /**
       * Error
       * @default null
       */
      error?: string | null;
      /**
       * Duration Ms
       * @default null
       */
      duration_ms?: number | null;
      /**
       * Truncated
       * @default false
       */
      truncated?: boolean;
    };
    /**
     * ToolProgressEvent
     * @description How far a tool is, or a piece of its output.
     */
    ToolProgressEvent: {
      /** Call Id */
      call_id: string;
      /**
       * Progress
       * @default null
       */
      progress?: number | null;
      /**
       * Message
       * @default null
       */
      message?: string | null;
      /**
       * Stream
       * @default null
       */
      stream?: ("stdout" | "stderr") | null;
      /**
       * Delta
       * @default null
       */
      delta?: string | null;
    };
    /**
     * ToolStartEvent
     * @description A tool starts now. `decided_by` is rule:<id>, mode:<mode> or person.
     */
    ToolStartEvent: {
      /** Message Id */
      message_id: string;
      /** Call Id */
      call_id: string;
      /** Name */
      name: string;
      /** Arguments */
      arguments: {
        [key: string]: unknown;
      };
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Decided By */
      decided_by: string;
      /** Display */
      display: string;
    };
    /** Usage */
    Usage: {
      /**
       * Input Tokens
       * @default 0
       */
      input_tokens?: number;
      /**
       * Output Tokens
       * @default 0
       */
      output_tokens?: number;
      /**
       * Requests
       * @default 0
       */
      requests?: number;
      /**
       * Cost Usd
       * @default null
       */
      cost_usd?: number | null;
    };
    /** connected */
    connected_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "connected";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: null;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ConnectedEvent"];
    };
    /** text_chunk */
    text_chunk_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "text_chunk";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["TextChunkEvent"];
    };
    /** thinking_chunk */
    thinking_chunk_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "thinking_chunk";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ThinkingChunkEvent"];
    };
    /** tool_start */
    tool_start_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "tool_start";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ToolStartEvent"];
    };
    /** tool_progress */
    tool_progress_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "tool_progress";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ToolProgressEvent"];
    };
    /** tool_end */
    tool_end_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "tool_end";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ToolEndEvent"];
    };
    /** approval_required */
    approval_required_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "approval_required";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ApprovalRequiredEvent"];
    };
    /** approval_resolved */
    approval_resolved_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "approval_resolved";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ApprovalResolvedEvent"];
    };
    /** error */
    error_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "error";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ErrorEvent"];
    };
    /** done */
    done_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "done";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["DoneEvent"];
    };
    /** status_change */
    status_change_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "status_change";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["StatusChangeEvent"];
    };
    /** message_added */
    message_added_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "message_added";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["MessageAddedEvent"];
    };
    /** history_cleared */
    history_cleared_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "history_cleared";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HistoryClearedEvent"];
    };
    /** session_changed */
    session_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "session_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["SessionChangedEvent"];
    };
    /** config_changed */
    config_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "config_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ConfigChangedEvent"];
    };
    /** rules_changed */
    rules_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "rules_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["RulesChangedEvent"];
    };
    /** agents_changed */
    agents_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "agents_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["AgentsChangedEvent"];
    };
    /** model_retry */
    model_retry_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "model_retry";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ModelRetryEvent"];
    };
    /** history_compacted */
    history_compacted_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "history_compacted";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HistoryCompactedEvent"];
    };
    /** heartbeat */
    heartbeat_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "heartbeat";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: null;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HeartbeatEvent"];
    };
    /** resync */
    resync_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "resync";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: null;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ResyncEvent"];
    };
    Event:
      | components["schemas"]["connected_event"]
      | components["schemas"]["text_chunk_event"]
      | components["schemas"]["thinking_chunk_event"]
      | components["schemas"]["tool_start_event"]
      | components["schemas"]["tool_progress_event"]
      | components["schemas"]["tool_end_event"]
      | components["schemas"]["approval_required_event"]
      | components["schemas"]["approval_resolved_event"]
      | components["schemas"]["error_event"]
      | components["schemas"]["done_event"]
      | components["schemas"]["status_change_event"]
      | components["schemas"]["message_added_event"]
      | components["schemas"]["history_cleared_event"]
      | components["schemas"]["session_changed_event"]
      | components["schemas"]["config_changed_event"]
      | components["schemas"]["rules_changed_event"]
      | components["schemas"]["agents_changed_event"]
      | components["schemas"]["model_retry_event"]
      | components["schemas"]["history_compacted_event"]
      | components["schemas"]["heartbeat_event"]
      | components["schemas"]["resync_event"];
    /** Health */
    Health: {
      /**
       * Status
       * @enum {string}
       */
      status: "ok" | "degraded" | "stopping";
      /** Version */
      version: string;
      /** Protocol */
      protocol: number;
      /**
       * Framework
       * @enum {string}
       */
      framework: "tauri" | "electron" | "wails" | "web";
      /** Port */
      port: number;
      /** Pid */
      pid: number;
      /** Instance Id */
      instance_id: string;
      /** Agents */
      agents: number;
      /** Ready */
      ready: boolean;
    };
    /**
     * ChatStarted
     * @description `seq` is that of the `message_added` event: follow from there.
     */
    ChatStarted: {
      /**
       * Status
       * @enum {string}
       */
      status: "started" | "queued" | "steered";
      /** Turn Id */
      turn_id: string;
      /** Message Id */
      message_id: string;
      /** Session Id */
      session_id: string;
      /** Seq */
      seq: number;
    };
    /** Cancelled */
    Cancelled: {
      /**
       * Cancelled
       * @description turn ids
       */
      cancelled: string[];
    };
    /**
     * Approved
     * @description `rule` is what "always" stored, null where it stored nothing.
     */
    Approved: {
      /** Call Id */
      call_id: string;
      /**
       * Decision
       * @enum {string}
       */
      decision: "allow" | "deny" | "allow_always" | "deny_always";
      /**
       * Resolved At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      resolved_at: string;
      /** @default null */
      rule?: components["schemas"]["RuleInfo"] | null;
    };
    /** ErrorInfo */
    ErrorInfo: {
      /** Code */
      code: string;
      /** Message */
      message: string;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Time
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      time: string;
    };
    /** Status */
    Status: {
      /**
       * Id
       * @description the agent's id
       */
      id: string;
      /**
       * State
       * @enum {string}
       */
      state: "idle" | "running" | "waiting_approval" | "queued" | "failed";
      /** Session Id */
      session_id: string;
      /** Turn Id */
      turn_id: string | null;
      /**
       * Queue
       * @description ids of turns that wait for this one, in order
       */
      queue: string[];
      /** Pending Approvals */
      pending_approvals: number;
      /** Model */
      model: string;
      usage: components["schemas"]["Usage"];
      last_error: components["schemas"]["ErrorInfo"] | null;
    };
    /**
     * HistoryPage
     * @description Oldest first. `next_before` asks for the page before this one; null at the beginning.
     */
    HistoryPage: {
      /** Messages */
      messages: components["schemas"]["Message"][];
      /** Next Before */
      next_before: string | null;
    };
    /** HistoryDeleted */
    HistoryDeleted: {
      /** Deleted */
      deleted: number;
    };
    /**
     * ConfigView
     * @description The whole effective configuration; secrets are masked, each value says where it comes from.
     */
    ConfigView: {
      /** Values */
      values: {
        [key: string]: components["schemas"]["ConfigValue"];
      };
      /** Config Path */
      config_path: string;
      /** Data Dir */
      data_dir: string;
      /** Logs Dir */
      logs_dir: string;
      /**
       * Project
       * @description the trusted project whose file is read
       */
      project: string | null;
      /**
       * Problems
       * @description what of the files does not hold, in words
       */
      problems: string[];
    };
    /**
     * AgentInfo
     * @description An agent; one whose file is broken has `state` failed, and `problems` that say why it can't be talked to.
     */
    AgentInfo: {
      /** Id */
      id: string;
      /** Name */
      name: string;
      /** Description */
      description: string;
      /** Model */
      model: string;
      /**
       * State
       * @enum {string}
       */
      state: "idle" | "running" | "waiting_approval" | "queued" | "failed";
      /** Tools */
      tools: string[];
      /** Sessions */
      sessions: number;
      /**
       * Source
       * @default builtin
       * @enum {string}
       */
      source?: "builtin" | "code" | "user" | "project";
      /**
       * Path
       * @default null
       */
      path?: string | null;
      /**
       * Problems
       * @default []
       */
      problems?: components["schemas"]["AgentProblem"][];
    };
    /**
     * ApprovalInfo
     * @description A decision that waits for a person. `display` is exactly what will run.
     */
    ApprovalInfo: {
      /** Call Id */
      call_id: string;
      /** Agent Id */
      agent_id: string;
      /** Session Id */
      session_id: string;
      /** Turn Id */
      turn_id: string;
      /** Name */
      name: string;
      /** Arguments */
      arguments: {
        [key: string]: unknown;
      };
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Reason */
      reason: string;
      /** Display */
      display: string;
      /** Remember */
      remember: string | null;
      /**
       * Requested At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      requested_at: string;
      /** Expires At */
      expires_at: string | null;
    };
    /**
     * SessionPage
     * @description Newest activity first.
     */
    SessionPage: {
      /** Sessions */
      sessions: components["schemas"]["SessionInfo"][];
      /** Next Before */
      next_before: string | null;
    };
    /** SessionDeleted */
    SessionDeleted: {
      /** Session Id */
      session_id: string;
      /**
       * Deleted
       * @description messages that went with it
       */
      deleted: number;
    };
    /** RuleDeleted */
    RuleDeleted: {
      /** Rule Id */
      rule_id: string;
    };
    /** CheckAnswer */
    CheckAnswer: {
      /**
       * Decision
       * @enum {string}
       */
      decision: "allow" | "deny" | "ask";
      /**
       * Decided By
       * @description rule:<id>, mode:<mode> or forbidden
       */
      decided_by: string;
      /** Reason */
      reason: string;
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Display */
      display: string;
      /** Target */
      target: string;
      /** Remember */
      remember: string | null;
    };
    /** ToolInfo */
    ToolInfo: {
      /** Name */
      name: string;
      /** Description */
      description: string;
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Schema */
      schema: {
        [key: string]: unknown;
      };
    };
    /**
     * ModelInfo
     * @description A model that could be chosen. `ready` says whether a turn could use it now, `why_not` what is missing.
     *
     *     Of a model that runs on this machine also whether it is `loaded`, and its `context_window` in tokens, if known.
     */
    ModelInfo: {
      /** Name */
      name: string;
      /** Provider */
      provider: string;
      /** Ready */
      ready: boolean;
      /** Chosen */
      chosen: boolean;
      /**
       * Why Not
       * @default null
       */
      why_not?: string | null;
      /**
       * Loaded
       * @default null
       */
      loaded?: boolean | null;
      /**
       * Context Window
       * @default null
       */
      context_window?: number | null;
    };
    /** ShuttingDown */
    ShuttingDown: {
      /**
       * Stopping
       * @default true
       * @constant
       */
      stopping?: true;
    };
  };
  responses: never;
  parameters: never;
  requestBodies: never;
  headers: never;
  pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
  health: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": components["schemas"]["Health"];
        };
      };
    };
  };
  chat: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["ChatRequest"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ChatStarted"];
          };
        };
      };
    };
  };
  cancel: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["CancelRequest"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["Cancelled"];
          };
        };
      };
    };
  };
  approve: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["ApproveRequest"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["Approved"];
          };
        };
      };
    };
  };
  status: {
    parameters: {
      query: {
        agent_id: string;
        session_id?: string | null;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["Status"];
          };
        };
      };
    };
  };
  history: {
    parameters: {
      query: {
        agent_id: string;
        session_id?: string | null;
        before?: string | null;
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["HistoryPage"];
          };
        };
      };
    };
  };
  clear_history: {
    parameters: {
      query: {
        agent_id: string;
        session_id?: string | null;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["HistoryDeleted"];
          };
        };
      };
    };
  };
  get_config: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ConfigView"];
          };
        };
      };
    };
  };
  set_config_put: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["ConfigPatch"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ConfigView"];
          };
        };
      };
    };
  };
  set_config: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["ConfigPatch"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ConfigView"];
          };
        };
      };
    };
  };
  agents: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["AgentInfo"][];
          };
        };
      };
    };
  };
  events: {
    parameters: {
      query?: {
        agent_id?: string | null;
        session_id?: string | null;
        /** @description event types, separated by commas */
        types?: string | null;
        after?: string | null;
      };
      header?: {
        "last-event-id"?: string | null;
      };
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description each SSE frame's data is one Event */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "text/event-stream": components["schemas"]["Event"];
        };
      };
    };
  };
  approvals: {
    parameters: {
      query?: {
        agent_id?: string | null;
        session_id?: string | null;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ApprovalInfo"][];
          };
        };
      };
    };
  };
  sessions: {
    parameters: {
      query?: {
        agent_id?: string | null;
        /** @description looks in titles and messages */
        q?: string | null;
        archived?: boolean;
        before?: string | null;
        limit?: number;
      };
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["SessionPage"];
          };
        };
      };
    };
  };
  create_session: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["SessionCreate"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["SessionInfo"];
          };
        };
      };
    };
  };
  get_session: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        session_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["SessionInfo"];
          };
        };
      };
    };
  };
  delete_session: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        session_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["SessionDeleted"];
          };
        };
      };
    };
  };
  patch_session: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        session_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["SessionPatch"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["SessionInfo"];
          };
        };
      };
    };
  };
  rules: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["RuleInfo"][];
          };
        };
      };
    };
  };
  add_rule: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["RuleCreate"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["RuleInfo"];
          };
        };
      };
    };
  };
  delete_rule: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        rule_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["RuleDeleted"];
          };
        };
      };
    };
  };
  check: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["CheckRequest"];
      };
    };
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["CheckAnswer"];
          };
        };
      };
    };
  };
  tools: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ToolInfo"][];
          };
        };
      };
    };
  };
  models: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ModelInfo"][];
          };
        };
      };
    };
  };
  shutdown: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": {
            id: string;
            /** @constant */
            success: true;
            data: components["schemas"]["ShuttingDown"];
          };
        };
      };
    };
  };
  openapi: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description OK */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/json": Record<string, never>;
        };
      };
    };
  };
}

/** Every type of event there is. */
export const EVENT_TYPES = [
  "connected",
  "text_chunk",
  "thinking_chunk",
  "tool_start",
  "tool_progress",
  "tool_end",
  "approval_required",
  "approval_resolved",
  "error",
  "done",
  "status_change",
  "message_added",
  "history_cleared",
  "session_changed",
  "config_changed",
  "rules_changed",
  "agents_changed",
  "model_retry",
  "history_compacted",
  "heartbeat",
  "resync",
] as const;
