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
  "/api/sessions": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Sessions
     * @description A page of conversations, the pinned ones first, then newest activity first.
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
     * @description Move a conversation to the trash, or delete it for good. Refused while a turn runs or waits.
     */
    delete: operations["delete_session"];
    options?: never;
    head?: never;
    /**
     * Patch Session
     * @description Rename, archive, bring back, pin.
     */
    patch: operations["patch_session"];
    trace?: never;
  };
  "/api/sessions/{session_id}/find": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Find In Session
     * @description The messages of one conversation that hold `q`, newest first.
     */
    get: operations["find_in_session"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/sessions/{session_id}/restore": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Restore Session
     * @description Bring a deleted conversation back as it was. Idempotent.
     */
    post: operations["restore_session"];
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
  "/api/tools": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Tools
     * @description The tools that are there now, with the schema of their arguments.
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
  "/api/models/check": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Check Model
     * @description Ask a model for one word, by a real request.
     */
    post: operations["check_model"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/secrets": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Secrets
     * @description Where each provider's key comes from. No key is shown, ever.
     */
    get: operations["secrets"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/secrets/{provider}": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    /**
     * Put Secret
     * @description Keep a provider's key: in the system's keychain, else in a file that is called unprotected.
     */
    put: operations["put_secret_put"];
    post?: never;
    /**
     * Delete Secret
     * @description Forget a kept key. One in the daemon's environment stays.
     */
    delete: operations["delete_secret"];
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
  "/api/snapshot": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Snapshot
     * @description Everything that a companion's first paint needs, in one answer; the stream keeps it true.
     */
    get: operations["snapshot"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/notifications": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Notifications
     * @description What wants a person's attention, newest first.
     */
    get: operations["notifications"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/notifications/read": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Read Notifications
     * @description Mark notifications as read. Idempotent.
     */
    post: operations["read_notifications"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/focus": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Focus
     * @description Say which session a person looks at through an open stream; it is forgotten when that ends.
     */
    post: operations["focus"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/flags": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Flags
     * @description Which parts of the companion there are.
     */
    get: operations["flags"];
    put?: never;
    /**
     * Set Flags
     * @description Switch parts on or off; `null` goes back to the default.
     */
    post: operations["set_flags"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/onboarding": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Onboarding
     * @description The first run, step by step.
     */
    get: operations["onboarding"];
    put?: never;
    /**
     * Set Onboarding
     * @description Go through a step, skip it, or take that back.
     */
    post: operations["set_onboarding"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/services": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Services
     * @description The services of the user's configuration, and how each stands.
     */
    get: operations["services"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/services/{name}/start": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Start Service
     * @description Have a service run. Answers at once; what comes of it is on the event stream. Idempotent.
     */
    post: operations["start_service"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/services/{name}/stop": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Stop Service
     * @description Have a service stopped, with all that it started. Idempotent.
     */
    post: operations["stop_service"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/services/{name}/restart": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Restart Service
     * @description Stop a service, and start it when nothing of it is left.
     */
    post: operations["restart_service"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/services/{name}/logs": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Service Logs
     * @description What a service has written last, oldest first.
     */
    get: operations["service_logs"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/diagnostics": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * List Diagnostics
     * @description The bundles that are kept, newest first.
     */
    get: operations["list_diagnostics"];
    put?: never;
    /**
     * Make Diagnostics
     * @description Make a bundle to send to somebody who helps, without secrets and, unless asked for, without messages.
     */
    post: operations["make_diagnostics"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/diagnostics/{name}": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Get Diagnostics
     * @description A bundle itself: a zip.
     */
    get: operations["get_diagnostics"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/webui/bootstrap": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Bootstrap
     * @description What a UI has to know before anything else.
     */
    get: operations["bootstrap"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/handoff": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Bearers
     * @description The browsers that are signed in.
     */
    get: operations["bearers"];
    put?: never;
    /**
     * Handoff
     * @description A link that opens the UI in a browser, once, signed in.
     */
    post: operations["handoff"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/handoff/redeem": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Redeem
     * @description Sign a browser in with the code of its link. The second time it is refused.
     */
    post: operations["redeem"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/handoff/{bearer_id}": {
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
     * Revoke
     * @description Sign a browser out; its streams end.
     */
    delete: operations["revoke"];
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
     *
     *     Where they would do what was not shown, `confirm` says that a person has seen it: it is what the check of these
     *     arguments, or the refusal `edit_unconfirmed`, gave for it.
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
      /**
       * Confirm
       * @default null
       */
      confirm?: string | null;
    };
    /**
     * CancelRequest
     * @description Cancel one turn, a session's turns, or (neither given) every turn of the agent. Idempotent.
     */
    CancelRequest: {
      /** Agent Id */
      agent_id: string;
      /**
       * Session Id
       * @default null
       */
      session_id?: string | null;
      /**
       * Turn Id
       * @default null
       */
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
      /**
       * Session Id
       * @default null
       */
      session_id?: string | null;
      /**
       * Context
       * @description a small object that the agent's instructions and tools can read for this turn
       * @default null
       */
      context?: {
        [key: string]: unknown;
      } | null;
      /**
       * Client Message Id
       * @description the same id with the same body answers the same turn again
       * @default null
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
      /**
       * Model
       * @default null
       */
      model?: string | null;
      /**
       * Permission Mode
       * @default null
       */
      permission_mode?: ("auto_approve" | "smart_approve" | "always_ask") | null;
      /**
       * Work Dir
       * @default null
       */
      work_dir?: string | null;
      /**
       * Approval Timeout S
       * @default null
       */
      approval_timeout_s?: number | null;
      /**
       * On Unattended
       * @default null
       */
      on_unattended?: ("wait" | "deny") | null;
      /**
       * Max Requests
       * @default null
       */
      max_requests?: number | null;
      /**
       * Max Tool Calls
       * @default null
       */
      max_tool_calls?: number | null;
      /**
       * Max Tokens
       * @default null
       */
      max_tokens?: number | null;
      /**
       * Max Turn S
       * @default null
       */
      max_turn_s?: number | null;
      /**
       * Pass Environment
       * @default null
       */
      pass_environment?: string[] | null;
      /**
       * Command Path
       * @default null
       */
      command_path?: string | null;
    };
    /**
     * DiagnosticsRequest
     * @description Make a bundle. Messages are in it only when asked for.
     */
    DiagnosticsRequest: {
      /**
       * Include Messages
       * @default false
       */
      include_messages?: boolean;
    };
    /**
     * FlagsPatch
     * @description Any subset of the flags; `null` goes back to the default.
     */
    FlagsPatch: {
      /**
       * Companion Shell
       * @description Show setup, and what happened while you were away.
       */
      companion_shell?: boolean | null;
      /**
       * Desktop Notifications
       * @description Show desktop notifications.
       */
      desktop_notifications?: boolean | null;
      /**
       * Offline Drafts
       * @description Save messages as drafts while Aster can't be reached.
       */
      offline_drafts?: boolean | null;
      /**
       * Ambient
       * @description Show the tray icon, the quick panel and its hotkey.
       */
      ambient?: boolean | null;
      /**
       * Voice Capture
       * @description Dictate messages.
       */
      voice_capture?: boolean | null;
      /**
       * Voice Overlay
       * @description Show a window with what is dictated.
       */
      voice_overlay?: boolean | null;
      /**
       * Tts
       * @description Read answers aloud.
       */
      tts?: boolean | null;
      /**
       * Release Channel
       * @description Which updates the app offers.
       */
      release_channel?: ("stable" | "beta") | null;
    };
    /**
     * FocusRequest
     * @description Which session a person looks at through this client: its turns end without a notification.
     */
    FocusRequest: {
      /** Client Id */
      client_id: string;
      /** Session Id */
      session_id?: string | null;
    };
    /**
     * HandoffCreate
     * @description What the browser should open: a part of the UI, a session.
     */
    HandoffCreate: {
      /** Section */
      section?: string | null;
      /** Session Id */
      session_id?: string | null;
    };
    /**
     * HandoffRedeem
     * @description The code of a link. Needs no token: it is one.
     */
    HandoffRedeem: {
      /** Code */
      code: string;
    };
    /**
     * ModelCheckRequest
     * @description Ask a model (the chosen one, or this) for one word.
     */
    ModelCheckRequest: {
      /** Model */
      model?: string | null;
    };
    /**
     * NotificationsReadRequest
     * @description Mark these as read; without `ids`: all.
     */
    NotificationsReadRequest: {
      /** Ids */
      ids?: string[] | null;
    };
    /**
     * OnboardingRequest
     * @description `complete`: the person went through it; `skip`: later, or never; `reset`: as if it had not been there.
     */
    OnboardingRequest: {
      /**
       * Step
       * @enum {string}
       */
      step: "welcome" | "environment" | "state_root" | "engine" | "provider" | "permissions" | "handoff" | "done";
      /**
       * Action
       * @enum {string}
       */
      action: "complete" | "skip" | "reset";
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
    /**
     * SecretPut
     * @description A provider's key. With `check` it is kept only when a model answers to it: `model`, or the chosen one.
     */
    SecretPut: {
      /** Value */
      value: string;
      /**
       * Check
       * @default false
       */
      check?: boolean;
      /** Model */
      model?: string | null;
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
      /** Pinned */
      pinned?: boolean | null;
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
     * @description A call waits for a person.
     *
     *     `summary` says in a sentence what will happen, `display` is the exact thing that will run; `remember` is what
     *     "always" would cover.
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
      /**
       * Summary
       * @default null
       */
      summary?: string | null;
      /** Display */
      display: string;
      /** @default null */
      preview?: components["schemas"]["Preview"] | null;
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
      details?: unknown;
    };
    /**
     * FlagInfo
     * @description A part of the companion that can be switched off.
     */
    FlagInfo: {
      /** Name */
      name: string;
      /** Description */
      description: string;
      /** Value */
      value: boolean | string;
      /** Default */
      default: boolean | string;
      /**
       * Choices
       * @default null
       */
      choices?: string[] | null;
      /**
       * Source
       * @enum {string}
       */
      source: "file" | "default";
    };
    /**
     * FlagsChangedEvent
     * @description Only those that changed.
     */
    FlagsChangedEvent: {
      /** Changed */
      changed: components["schemas"]["FlagInfo"][];
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
     * HistoryQuery
     * @description `get_history`: a page as `GET /api/history` gives it.
     */
    HistoryQuery: {
      /** Agent Id */
      agent_id: string;
      /**
       * Session Id
       * @default null
       */
      session_id?: string | null;
      /**
       * Before
       * @default null
       */
      before?: string | null;
      /**
       * Limit
       * @default 50
       */
      limit?: number;
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
     * NoPayload
     * @description `get_config` asks for nothing more.
     */
    NoPayload: Record<string, never>;
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
     * NotificationAddedEvent
     * @description Something wants attention. `unread` counts with it.
     */
    NotificationAddedEvent: {
      /** Notification Id */
      notification_id: string;
      /**
       * Kind
       * @enum {string}
       */
      kind: "approval_required" | "turn_done" | "error" | "service_crashed";
      /** Title */
      title: string;
      /** Body */
      body: string;
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
       * Turn Id
       * @default null
       */
      turn_id?: string | null;
      /**
       * Call Id
       * @default null
       */
      call_id?: string | null;
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
      /** Read */
      read: boolean;
      /** Unread */
      unread: number;
    };
    /**
     * NotificationsReadEvent
     * @description These are read, or what they asked was answered.
     */
    NotificationsReadEvent: {
      /** Ids */
      ids: string[];
      /** Unread */
      unread: number;
    };
    /**
     * OnboardingChangedEvent
     * @description A step was met, skipped or reset, or something failed in it.
     */
    OnboardingChangedEvent: {
      /** Steps */
      steps: components["schemas"]["OnboardingStep"][];
      /** Current */
      current:
        ("welcome" | "environment" | "state_root" | "engine" | "provider" | "permissions" | "handoff" | "done") | null;
      /** Done */
      done: boolean;
    };
    /**
     * OnboardingCheck
     * @description One thing that was looked at. `remedy` says what to do when it is not ok.
     */
    OnboardingCheck: {
      /** Id */
      id: string;
      /**
       * Status
       * @enum {string}
       */
      status: "ok" | "warning" | "blocked";
      /** Message */
      message: string;
      /**
       * Remedy
       * @default null
       */
      remedy?: string | null;
    };
    /**
     * OnboardingStep
     * @description A step, in order. `failures` counts what went wrong in it so far; `actions` are what may help.
     */
    OnboardingStep: {
      /**
       * Id
       * @enum {string}
       */
      id: "welcome" | "environment" | "state_root" | "engine" | "provider" | "permissions" | "handoff" | "done";
      /**
       * State
       * @enum {string}
       */
      state: "done" | "current" | "todo" | "skipped";
      /** Optional */
      optional: boolean;
      /** Checks */
      checks: components["schemas"]["OnboardingCheck"][];
      /** Failures */
      failures: number;
      /** @default null */
      last_error?: components["schemas"]["ErrorInfo"] | null;
      /** Actions */
      actions: string[];
    };
    /**
     * Preview
     * @description A file's lines that would change, with those around them: the end of `display`, to be drawn as a diff.
     *
     *     Each line of `diff` begins with a space, `-` (goes), `+` (comes) or `@ line N`, the old file's line that follows.
     */
    Preview: {
      /**
       * Kind
       * @default diff
       * @constant
       */
      kind?: "diff";
      /** Path */
      path: string;
      /** Diff */
      diff: string;
      /**
       * Added
       * @description lines
       */
      added: number;
      /**
       * Removed
       * @description lines
       */
      removed: number;
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
     * SecretsChangedEvent
     * @description A provider's key was given or forgotten. The key is not in it.
     */
    SecretsChangedEvent: {
      /** Provider */
      provider: string;
      /** Variable */
      variable: string;
      /** Set */
      set: boolean;
      /** Source */
      source: ("environment" | "keychain" | "file") | null;
      /** Protected */
      protected: boolean;
    };
    /**
     * ServiceChangedEvent
     * @description A service's state changed, or its crashes were forgotten.
     */
    ServiceChangedEvent: {
      /** Name */
      name: string;
      /** Description */
      description: string;
      /**
       * State
       * @enum {string}
       */
      state: "stopped" | "starting" | "running" | "backoff" | "stopping" | "crashed";
      /** Desired Running */
      desired_running: boolean;
      /** Autostart */
      autostart: boolean;
      /**
       * Pid
       * @default null
       */
      pid?: number | null;
      /**
       * Last Start
       * @default null
       */
      last_start?: string | null;
      /** @default null */
      last_exit?: components["schemas"]["ServiceExit"] | null;
      /**
       * Restart Attempt
       * @description restarts by itself since it was healthy
       */
      restart_attempt: number;
      /**
       * Next Restart
       * @default null
       */
      next_restart?: string | null;
    };
    /**
     * ServiceExit
     * @description How a service's process ended: by `code`, by `signal`, or (`error`) because it could not be started or ended.
     */
    ServiceExit: {
      /**
       * Time
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      time: string;
      /**
       * Code
       * @default null
       */
      code?: number | null;
      /**
       * Signal
       * @default null
       */
      signal?: string | null;
      /**
       * Error
       * @default null
       */
      error?: string | null;
    };
    /**
     * SessionChangedEvent
     * @description `session` is absent when it was deleted; `restorable_until`, when for good. A restored one is `created` again.
     */
    SessionChangedEvent: {
      /**
       * Change
       * @enum {string}
       */
      change: "created" | "updated" | "deleted";
      /** @default null */
      session?: components["schemas"]["SessionInfo"] | null;
      /**
       * Restorable Until
       * @default null
       */
      restorable_until?: string | null;
      /**
       * Restored
       * @default null
       */
      restored?: boolean | null;
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
      /**
       * Pinned
       * @description at the head of the list
       */
      pinned: boolean;
      /** Messages */
      messages: number;
      /**
       * State
       * @enum {string}
       */
      state: "idle" | "running" | "waiting_approval" | "queued" | "failed";
      /** Pending Approvals */
      pending_approvals: number;
      /**
       * Deleted At
       * @description set while it is in the trash
       * @default null
       */
      deleted_at?: string | null;
      /**
       * Restorable Until
       * @description then it is deleted for good
       * @default null
       */
      restorable_until?: string | null;
    };
    /**
     * SessionQuery
     * @description `get_status`, `clear_history`. Without `session_id`: the agent's default session.
     */
    SessionQuery: {
      /** Agent Id */
      agent_id: string;
      /**
       * Session Id
       * @default null
       */
      session_id?: string | null;
    };
    /**
     * SocketMessage
     * @description What a client sends over `/ws`. `agent_id` may stand here or in `payload`; the answer has the same `id`.
     */
    SocketMessage: {
      /** Id */
      id: string;
      /**
       * Type
       * @enum {string}
       */
      type:
        | "chat"
        | "cancel"
        | "approve"
        | "get_status"
        | "get_history"
        | "clear_history"
        | "get_config"
        | "set_config"
        | "subscribe"
        | "request";
      /**
       * Agent Id
       * @default null
       */
      agent_id?: string | null;
      /** Payload */
      payload?: {
        [key: string]: unknown;
      };
    };
    /**
     * SocketRequest
     * @description `request`: any call of REST. `body` left out: none; `client`: what `X-Aster-Client` says over HTTP.
     */
    SocketRequest: {
      /**
       * Method
       * @enum {string}
       */
      method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
      /**
       * Path
       * @description percent-encoded, without a query
       */
      path: string;
      /** Query */
      query?: {
        [key: string]: string | number | boolean | null;
      };
      /**
       * Body
       * @default null
       */
      body?: unknown;
      /**
       * Client
       * @default null
       */
      client?: string | null;
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
     * SubscribeRequest
     * @description `subscribe`: events after the cursor, as `GET /api/events` sends them; without one: from now on.
     */
    SubscribeRequest: {
      /**
       * After
       * @default null
       */
      after?: number | string | null;
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
       * Types
       * @default null
       */
      types?: string[] | null;
    };
    /**
     * Subscribed
     * @description Events after this seq follow, `connected` first. An earlier subscription of the socket has ended.
     */
    Subscribed: {
      /** After */
      after: number;
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
      result?: unknown;
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
      result?: unknown;
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
    /** connected envelope */
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
    /** text_chunk envelope */
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
    /** thinking_chunk envelope */
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
    /** tool_start envelope */
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
    /** tool_progress envelope */
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
    /** tool_end envelope */
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
    /** approval_required envelope */
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
    /** approval_resolved envelope */
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
    /** error envelope */
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
    /** done envelope */
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
    /** status_change envelope */
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
    /** message_added envelope */
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
    /** history_cleared envelope */
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
    /** session_changed envelope */
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
    /** config_changed envelope */
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
    /** rules_changed envelope */
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
    /** agents_changed envelope */
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
    /** service_changed envelope */
    service_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "service_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["ServiceChangedEvent"];
    };
    /** notification_added envelope */
    notification_added_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "notification_added";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["NotificationAddedEvent"];
    };
    /** notifications_read envelope */
    notifications_read_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "notifications_read";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["NotificationsReadEvent"];
    };
    /** flags_changed envelope */
    flags_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "flags_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["FlagsChangedEvent"];
    };
    /** secrets_changed envelope */
    secrets_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "secrets_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["SecretsChangedEvent"];
    };
    /** onboarding_changed envelope */
    onboarding_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "onboarding_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["OnboardingChangedEvent"];
    };
    /** model_retry envelope */
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
    /** history_compacted envelope */
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
    /** heartbeat envelope */
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
    /** resync envelope */
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
      | components["schemas"]["service_changed_event"]
      | components["schemas"]["notification_added_event"]
      | components["schemas"]["notifications_read_event"]
      | components["schemas"]["flags_changed_event"]
      | components["schemas"]["secrets_changed_event"]
      | components["schemas"]["onboarding_changed_event"]
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
    /** ShuttingDown */
    ShuttingDown: {
      /**
       * Stopping
       * @default true
       * @constant
       */
      stopping?: true;
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
      /**
       * Session Id
       * @description null: the agent has no conversation yet
       */
      session_id: string | null;
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
     * Hit
     * @description A message in which a search found what it looks for, and the words around the first such place.
     */
    Hit: {
      /** Message Id */
      message_id: string;
      /**
       * Role
       * @enum {string}
       */
      role: "user" | "assistant";
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
      /**
       * Text
       * @description one line; … stands where something is left out
       */
      text: string;
      /**
       * Start
       * @description where in `text` the place begins, in code points
       */
      start: number;
      /**
       * End
       * @description where it ends
       */
      end: number;
    };
    /**
     * SessionPage
     * @description The pinned ones first, then newest activity first; of the trash, the one deleted last first.
     */
    SessionPage: {
      /** Sessions */
      sessions: components["schemas"]["SessionInfo"][];
      /** Next Before */
      next_before: string | null;
      /**
       * Hits
       * @description with `q`: the newest message that holds it, by session_id; none where only the title does
       */
      hits?: {
        [key: string]: components["schemas"]["Hit"];
      };
    };
    /**
     * FoundMessages
     * @description Messages of one conversation that hold what was looked for, the newest first.
     */
    FoundMessages: {
      /** Hits */
      hits: components["schemas"]["Hit"][];
      /**
       * Next Before
       * @description asks for the hits before these; null at the end
       */
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
      /**
       * Restorable Until
       * @description null: it was deleted for good
       */
      restorable_until: string | null;
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
    /**
     * ApprovalInfo
     * @description A decision that waits for a person.
     *
     *     `summary` says in a sentence what will happen, `display` is exactly what will run.
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
      /** Summary */
      summary: string;
      /** Display */
      display: string;
      /** @default null */
      preview?: components["schemas"]["Preview"] | null;
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
       * @description rule:<id>, mode:<mode>, call or forbidden
       */
      decided_by: string;
      /** Reason */
      reason: string;
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Summary */
      summary: string;
      /** Display */
      display: string;
      /** @default null */
      preview?: components["schemas"]["Preview"] | null;
      /** Target */
      target: string;
      /** Remember */
      remember: string | null;
      /**
       * Confirm
       * @description what POST /api/approve takes for these arguments, where they do what was not shown
       */
      confirm: string;
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
    /**
     * ModelCheck
     * @description What came of asking. `error` is null when it answered.
     */
    ModelCheck: {
      /** Ok */
      ok: boolean;
      /** Model */
      model: string;
      /** Duration Ms */
      duration_ms: number;
      error: components["schemas"]["ErrorInfo"] | null;
    };
    /**
     * SecretInfo
     * @description Where a provider's key comes from. One in a file, or in the environment, is not protected.
     */
    SecretInfo: {
      /** Provider */
      provider: string;
      /** Variable */
      variable: string;
      /** Set */
      set: boolean;
      /** Source */
      source: ("environment" | "keychain" | "file") | null;
      /** Protected */
      protected: boolean;
    };
    /** ActiveTurn */
    ActiveTurn: {
      /** Turn Id */
      turn_id: string;
      /** Session Id */
      session_id: string;
      /** Agent Id */
      agent_id: string;
      /**
       * State
       * @enum {string}
       */
      state: "queued" | "running" | "waiting";
    };
    /**
     * DaemonInfo
     * @description The daemon itself. `started_at`: since when it runs.
     */
    DaemonInfo: {
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
      /** Uds */
      uds: string | null;
      /** Pid */
      pid: number;
      /** Instance Id */
      instance_id: string;
      /**
       * Started At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      started_at: string;
      /**
       * Status
       * @enum {string}
       */
      status: "ok" | "degraded" | "stopping";
      /** Model */
      model: string;
      /** Work Dir */
      work_dir: string;
      /** Data Dir */
      data_dir: string;
      /** Logs Dir */
      logs_dir: string;
      /** Token Required */
      token_required: boolean;
    };
    /**
     * Metrics
     * @description Figures of this daemon; `store_bytes` is the size of its file, `streams` how many clients watch.
     */
    Metrics: {
      /** Uptime S */
      uptime_s: number;
      /** Sessions */
      sessions: number;
      /** Turns */
      turns: number;
      /** Streams */
      streams: number;
      /** Store Bytes */
      store_bytes: number;
    };
    /**
     * Notification
     * @description Something that wants a person's attention. Its words name the agent and the tool, and hold nothing they said.
     */
    Notification: {
      /** Notification Id */
      notification_id: string;
      /**
       * Kind
       * @enum {string}
       */
      kind: "approval_required" | "turn_done" | "error" | "service_crashed";
      /** Title */
      title: string;
      /** Body */
      body: string;
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
       * Turn Id
       * @default null
       */
      turn_id?: string | null;
      /**
       * Call Id
       * @default null
       */
      call_id?: string | null;
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
      /** Read */
      read: boolean;
    };
    /**
     * Notifications
     * @description Newest first; at most 200 are kept. `unread` counts all of them.
     */
    Notifications: {
      /** Notifications */
      notifications: components["schemas"]["Notification"][];
      /** Unread */
      unread: number;
    };
    /**
     * Onboarding
     * @description `current` is the first step that is not met; null when it is over. Chatting never waits for it.
     */
    Onboarding: {
      /** Steps */
      steps: components["schemas"]["OnboardingStep"][];
      /** Current */
      current:
        ("welcome" | "environment" | "state_root" | "engine" | "provider" | "permissions" | "handoff" | "done") | null;
      /** Done */
      done: boolean;
    };
    /**
     * ServiceInfo
     * @description A service of the user's configuration as it stands. `desired_running` is what was asked for last.
     */
    ServiceInfo: {
      /** Name */
      name: string;
      /** Description */
      description: string;
      /**
       * State
       * @enum {string}
       */
      state: "stopped" | "starting" | "running" | "backoff" | "stopping" | "crashed";
      /** Desired Running */
      desired_running: boolean;
      /** Autostart */
      autostart: boolean;
      /**
       * Pid
       * @default null
       */
      pid?: number | null;
      /**
       * Last Start
       * @default null
       */
      last_start?: string | null;
      /** @default null */
      last_exit?: components["schemas"]["ServiceExit"] | null;
      /**
       * Restart Attempt
       * @description restarts by itself since it was healthy
       */
      restart_attempt: number;
      /**
       * Next Restart
       * @default null
       */
      next_restart?: string | null;
    };
    /**
     * Warning
     * @description Something that a person should know, and what to do about it.
     */
    Warning: {
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
     * Snapshot
     * @description Everything that a companion's first paint needs. Follow the stream `after` `last_seq` to keep it true.
     */
    Snapshot: {
      /** Last Seq */
      last_seq: number;
      daemon: components["schemas"]["DaemonInfo"];
      /** Agents */
      agents: components["schemas"]["AgentInfo"][];
      /**
       * Sessions
       * @description the newest that are not archived, 16 unless asked for more
       */
      sessions: components["schemas"]["SessionInfo"][];
      /**
       * Sessions Before
       * @description where the next page of sessions begins
       */
      sessions_before: string | null;
      /**
       * Approvals
       * @description all that wait, oldest first
       */
      approvals: components["schemas"]["ApprovalInfo"][];
      /** Turns */
      turns: components["schemas"]["ActiveTurn"][];
      notifications: components["schemas"]["Notifications"];
      /** Flags */
      flags: components["schemas"]["FlagInfo"][];
      onboarding: components["schemas"]["Onboarding"];
      /** Services */
      services: components["schemas"]["ServiceInfo"][];
      config: components["schemas"]["ConfigView"];
      /** Rules */
      rules: components["schemas"]["RuleInfo"][];
      /** Warnings */
      warnings: components["schemas"]["Warning"][];
      metrics: components["schemas"]["Metrics"];
    };
    /**
     * NotificationsRead
     * @description `ids` are those that were unread.
     */
    NotificationsRead: {
      /** Ids */
      ids: string[];
      /** Unread */
      unread: number;
    };
    /** Focused */
    Focused: {
      /** Client Id */
      client_id: string;
      /** Session Id */
      session_id: string | null;
    };
    /** ServiceLogEntry */
    ServiceLogEntry: {
      /** Seq */
      seq: number;
      /**
       * Time
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      time: string;
      /**
       * Stream
       * @enum {string}
       */
      stream: "stdout" | "stderr";
      /** Text */
      text: string;
    };
    /**
     * ServiceLogs
     * @description Oldest first. `dropped` counts the lines that came too fast to be kept.
     */
    ServiceLogs: {
      /** Entries */
      entries: components["schemas"]["ServiceLogEntry"][];
      /** Dropped */
      dropped: number;
      /**
       * Path
       * @description the file that they are written to
       */
      path: string | null;
    };
    /**
     * DiagnosticsInfo
     * @description A bundle, on this machine.
     */
    DiagnosticsInfo: {
      /** Name */
      name: string;
      /** Path */
      path: string;
      /** Bytes */
      bytes: number;
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
    };
    /**
     * Bootstrap
     * @description What a UI has to know before anything else. `runtime_surface` is `native` when a host asks for its page.
     */
    Bootstrap: {
      /**
       * Runtime Surface
       * @enum {string}
       */
      runtime_surface: "native" | "browser";
      /**
       * Framework
       * @enum {string}
       */
      framework: "tauri" | "electron" | "wails" | "web";
      /** Version */
      version: string;
      /** Protocol */
      protocol: number;
      /** Instance Id */
      instance_id: string;
      /** Ws Path */
      ws_path: string;
      /** Token Required */
      token_required: boolean;
      /** Flags */
      flags: {
        [key: string]: boolean | string;
      };
    };
    /**
     * Handoff
     * @description A link for one browser, once. The code is in its fragment, which no browser sends and no log sees.
     */
    Handoff: {
      /** Url */
      url: string;
      /**
       * Expires At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      expires_at: string;
    };
    /**
     * HandoffRedeemed
     * @description `bearer` is what the page sends as `Authorization: Bearer` from now on; it ends with the daemon.
     */
    HandoffRedeemed: {
      /** Bearer */
      bearer: string;
      /** Bearer Id */
      bearer_id: string;
      /** Section */
      section: string | null;
      /** Session Id */
      session_id: string | null;
    };
    /**
     * BearerInfo
     * @description A browser that is signed in.
     */
    BearerInfo: {
      /** Bearer Id */
      bearer_id: string;
      /**
       * Created At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      created_at: string;
      /**
       * Last Used At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      last_used_at: string;
    };
    /** BearerRevoked */
    BearerRevoked: {
      /** Bearer Id */
      bearer_id: string;
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
  sessions: {
    parameters: {
      query?: {
        agent_id?: string | null;
        /** @description looks in titles and messages */
        q?: string | null;
        archived?: boolean;
        /** @description the trash, the one deleted last first */
        deleted?: boolean;
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
      query?: {
        purge?: boolean;
      };
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
  find_in_session: {
    parameters: {
      query: {
        /** @description what is looked for */
        q: string;
        before?: string | null;
        limit?: number;
      };
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
            data: components["schemas"]["FoundMessages"];
          };
        };
      };
    };
  };
  restore_session: {
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
            warnings?: components["schemas"]["Warning"][];
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
  check_model: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["ModelCheckRequest"];
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
            data: components["schemas"]["ModelCheck"];
          };
        };
      };
    };
  };
  secrets: {
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
            data: components["schemas"]["SecretInfo"][];
          };
        };
      };
    };
  };
  put_secret_put: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        provider: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["SecretPut"];
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
            data: components["schemas"]["SecretInfo"];
          };
        };
      };
    };
  };
  delete_secret: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        provider: string;
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
            data: components["schemas"]["SecretInfo"];
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
  snapshot: {
    parameters: {
      query?: {
        sessions?: number;
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
            data: components["schemas"]["Snapshot"];
          };
        };
      };
    };
  };
  notifications: {
    parameters: {
      query?: {
        unread?: boolean;
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
            data: components["schemas"]["Notifications"];
          };
        };
      };
    };
  };
  read_notifications: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["NotificationsReadRequest"];
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
            data: components["schemas"]["NotificationsRead"];
          };
        };
      };
    };
  };
  focus: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["FocusRequest"];
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
            data: components["schemas"]["Focused"];
          };
        };
      };
    };
  };
  flags: {
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
            data: components["schemas"]["FlagInfo"][];
          };
        };
      };
    };
  };
  set_flags: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["FlagsPatch"];
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
            data: components["schemas"]["FlagInfo"][];
          };
        };
      };
    };
  };
  onboarding: {
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
            data: components["schemas"]["Onboarding"];
          };
        };
      };
    };
  };
  set_onboarding: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["OnboardingRequest"];
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
            data: components["schemas"]["Onboarding"];
          };
        };
      };
    };
  };
  services: {
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
            data: components["schemas"]["ServiceInfo"][];
          };
        };
      };
    };
  };
  start_service: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
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
            data: components["schemas"]["ServiceInfo"];
          };
        };
      };
    };
  };
  stop_service: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
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
            data: components["schemas"]["ServiceInfo"];
          };
        };
      };
    };
  };
  restart_service: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
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
            data: components["schemas"]["ServiceInfo"];
          };
        };
      };
    };
  };
  service_logs: {
    parameters: {
      query?: {
        after?: number | null;
        limit?: number;
      };
      header?: never;
      path: {
        name: string;
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
            data: components["schemas"]["ServiceLogs"];
          };
        };
      };
    };
  };
  list_diagnostics: {
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
            data: components["schemas"]["DiagnosticsInfo"][];
          };
        };
      };
    };
  };
  make_diagnostics: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["DiagnosticsRequest"];
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
            data: components["schemas"]["DiagnosticsInfo"];
          };
        };
      };
    };
  };
  get_diagnostics: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description the bundle */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/zip": string;
        };
      };
    };
  };
  bootstrap: {
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
            data: components["schemas"]["Bootstrap"];
          };
        };
      };
    };
  };
  bearers: {
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
            data: components["schemas"]["BearerInfo"][];
          };
        };
      };
    };
  };
  handoff: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HandoffCreate"];
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
            data: components["schemas"]["Handoff"];
          };
        };
      };
    };
  };
  redeem: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HandoffRedeem"];
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
            data: components["schemas"]["HandoffRedeemed"];
          };
        };
      };
    };
  };
  revoke: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        bearer_id: string;
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
            data: components["schemas"]["BearerRevoked"];
          };
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
  "service_changed",
  "notification_added",
  "notifications_read",
  "flags_changed",
  "secrets_changed",
  "onboarding_changed",
  "model_retry",
  "history_compacted",
  "heartbeat",
  "resync",
] as const;
