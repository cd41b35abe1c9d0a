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
     * @description Whether the daemon is up. The answer has no envelope, and no token is required.
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
     * @description Stop the daemon. Pending approvals and queued turns are kept for its next start.
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
     * @description This OpenAPI document, including the events.
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
     * @description Send a message to an agent. It is recorded when this answers; the agent's answer is on the event stream.
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
     * @description Cancel one turn, a session's turns, or all turns of the agent. Running tools are ended. Idempotent.
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
     * @description The agent's current state.
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
     * @description Delete the conversation's messages. Refused while a turn has not ended.
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
     * @description A page of sessions, pinned ones first, then newest activity first.
     */
    get: operations["sessions"];
    put?: never;
    /**
     * Create Session
     * @description Create a session.
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
     * @description One session.
     */
    get: operations["get_session"];
    put?: never;
    post?: never;
    /**
     * Delete Session
     * @description Move a session to the trash; with `purge`, delete it permanently. Refused while a turn has not ended.
     */
    delete: operations["delete_session"];
    options?: never;
    head?: never;
    /**
     * Patch Session
     * @description Rename, archive, unarchive, pin or unpin a session.
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
     * @description The messages of one session that contain `q`, newest first.
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
     * @description Restore a session from the trash, unchanged. Idempotent.
     */
    post: operations["restore_session"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/sessions/{session_id}/fork": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Fork
     * @description Copy the conversation, up to and with the turn that a message began, into a new session.
     */
    post: operations["fork"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/sessions/{session_id}/rewind": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Rewind
     * @description Take a message that began a turn, and everything after it, out of the conversation.
     */
    post: operations["rewind"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/sessions/{session_id}/unrewind": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Unrewind
     * @description Undo the last rewind. Possible until the next message is sent.
     */
    post: operations["unrewind"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/attachments": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Upload
     * @description Keep a file for a message. The body is the file's bytes, of any type, at most 25 MiB.
     */
    post: operations["upload"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/attachments/{attachment_id}": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Download
     * @description The bytes of an attachment, never to be shown as a page.
     */
    get: operations["download"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/sessions/{session_id}/changes": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * List Changes
     * @description What the turns of a session changed in files; with diffs if one turn is asked for.
     */
    get: operations["list_changes"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/changes/revert": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Revert Changes
     * @description Undo changes to files: all that were chosen, or none if one can't be undone safely.
     */
    post: operations["revert_changes"];
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
     * @description Answer a pending approval. The first answer counts.
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
     * @description The pending approvals, oldest first.
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
     * @description The permission rules in effect.
     */
    get: operations["rules"];
    put?: never;
    /**
     * Add Rule
     * @description Store a permission rule.
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
     * @description Delete a permission rule.
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
     * @description What would happen to this tool call, and why, without running it.
     */
    post: operations["check"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/questions": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Questions
     * @description The open questions, oldest first.
     */
    get: operations["questions"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/answer": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Answer
     * @description Answer or decline a question. The first answer counts.
     */
    post: operations["answer"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/inbox": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Inbox
     * @description All that waits for a person, oldest first.
     */
    get: operations["inbox"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/audit": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Audit
     * @description A page of decisions about tool calls, newest first; with `after` oldest first.
     */
    get: operations["audit"];
    put?: never;
    post?: never;
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
     * @description Change settable keys; `null` removes the value set here or in `config.toml`. Takes effect immediately.
     */
    put: operations["set_config_put"];
    /**
     * Set Config
     * @description Change settable keys; `null` removes the value set here or in `config.toml`. Takes effect immediately.
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
     * @description All agents, including those with a broken file; with `session_id`, as the folder of that session has them.
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
     * @description The available tools, with the schemas of their arguments.
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
     * @description The models that can be chosen, the chosen one first, including those of model servers on this machine.
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
     * @description Test a model with a real one-word request.
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
     * @description Where each provider's key comes from. Keys themselves are never returned.
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
     * @description Save a provider's key: in the system's keychain, or else in a file, which is reported as unprotected.
     */
    put: operations["put_secret_put"];
    post?: never;
    /**
     * Delete Secret
     * @description Delete a saved key. A key in the daemon's environment stays.
     */
    delete: operations["delete_secret"];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/folders": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Folders
     * @description The directories in a directory, for a picker; by default in the daemon's work folder.
     */
    get: operations["folders"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/trust": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Get Trust
     * @description The project that contains a path, whether it is trusted, and what trusting it lets in.
     */
    get: operations["get_trust"];
    put?: never;
    /**
     * Trust
     * @description Trust the project that contains a path, if its files are those that the person saw. Idempotent.
     */
    post: operations["trust"];
    /**
     * Untrust
     * @description Stop trusting a directory. Idempotent.
     */
    delete: operations["untrust"];
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
     * @description The event stream over SSE. `Last-Event-ID` or `?after=` resumes it; without either, it starts now.
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
     * @description Everything a companion needs for its first paint, in one answer. The event stream keeps it current.
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
     * @description Notifications, newest first.
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
     * @description Set the session that a person is viewing in the client of an open stream, until the stream ends.
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
     * @description The feature flags and their values.
     */
    get: operations["flags"];
    put?: never;
    /**
     * Set Flags
     * @description Change feature flags; `null` resets a flag to its default.
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
     * @description The onboarding steps and their state.
     */
    get: operations["onboarding"];
    put?: never;
    /**
     * Set Onboarding
     * @description Complete, skip or reset an onboarding step.
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
     * @description The configured services and their current state.
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
     * @description Start a service. Answers immediately; the result is reported on the event stream. Idempotent.
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
     * @description Stop a service and its child processes. Idempotent.
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
     * @description Stop a service, and start it after all its processes have ended.
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
     * @description The newest lines of a service's output, oldest first.
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
     * @description The existing diagnostics bundles, newest first.
     */
    get: operations["list_diagnostics"];
    put?: never;
    /**
     * Make Diagnostics
     * @description Create a diagnostics bundle for support, without secrets and by default without messages.
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
     * @description Download a diagnostics bundle as a zip.
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
  "/api/mcp": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Servers
     * @description The MCP servers and their current state.
     */
    get: operations["servers"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/mcp/try": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Try Server
     * @description Connect to a server with these settings, list its tools, and end it. Nothing is saved.
     */
    post: operations["try_server"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/mcp/sources": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Sources
     * @description The MCP servers in the files of other apps on this machine; with `path`, those in this file.
     */
    post: operations["sources"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/mcp/import": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Import Servers
     * @description Add servers from a file of another app.
     */
    post: operations["import_servers"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/mcp/{name}": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Server
     * @description A server with its settings, and all that it offers.
     */
    get: operations["server"];
    /**
     * Put Server
     * @description Add a server, or replace all settings of one.
     */
    put: operations["put_server_put"];
    post?: never;
    /**
     * Delete Server
     * @description Delete a server with its settings and secrets, and end it.
     */
    delete: operations["delete_server"];
    options?: never;
    head?: never;
    /**
     * Patch Server
     * @description Change settings of a server. null removes a key.
     */
    patch: operations["patch_server"];
    trace?: never;
  };
  "/api/mcp/{name}/restart": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Restart Server
     * @description End a server and start it again. Answers immediately; the result is reported on the event stream.
     */
    post: operations["restart_server"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/mcp/{name}/read": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Read Resource
     * @description Read a resource of a server. Its content becomes attachments for a message.
     */
    post: operations["read_resource"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/mcp/{name}/prompt": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Fill Prompt
     * @description Get a prompt of a server with its arguments filled in: text and attachments for a message.
     */
    post: operations["fill_prompt"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/mcp/{name}/logs": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Server Logs
     * @description The newest lines of a server's output, oldest first.
     */
    get: operations["server_logs"];
    put?: never;
    post?: never;
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/hosts": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Hosts
     * @description The hosts, with the tools that they lend.
     */
    get: operations["hosts"];
    put?: never;
    /**
     * Register Host
     * @description Register a host with its tools.
     */
    post: operations["register_host"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/hosts/{host_id}": {
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
     * Remove Host
     * @description Forget a host, and end the calls of its tools.
     */
    delete: operations["remove_host"];
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/hosts/{host_id}/heartbeat": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Host Heartbeat
     * @description The host is still there.
     */
    post: operations["host_heartbeat"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/hosts/{host_id}/leave": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Host Leave
     * @description End the registration. The host stays known, and its durable calls wait.
     */
    post: operations["host_leave"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/hosts/{host_id}/accept": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Host Accept
     * @description Take a call. Only one instance can.
     */
    post: operations["host_accept"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/hosts/{host_id}/results": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Host Result
     * @description End a call with its result. The first one counts.
     */
    post: operations["host_result"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/hosts/{host_id}/progress": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    get?: never;
    put?: never;
    /**
     * Host Progress
     * @description Publish the progress of a call.
     */
    post: operations["host_progress"];
    delete?: never;
    options?: never;
    head?: never;
    patch?: never;
    trace?: never;
  };
  "/api/browser": {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    /**
     * Browser
     * @description The agent's browser: its settings and its state.
     */
    get: operations["browser"];
    put?: never;
    /**
     * Set Browser
     * @description Turn the agent's browser on or off, or change its settings. null resets one.
     */
    post: operations["set_browser"];
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
     * @description What a UI needs before any other call.
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
     * @description List the signed-in browsers.
     */
    get: operations["bearers"];
    put?: never;
    /**
     * Handoff
     * @description Create a one-time link that opens the UI in a browser, signed in.
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
     * @description Sign a browser in with the code from its link. Each code works only once.
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
     * AnswerRequest
     * @description Answer a question with `answers`, the answer of each field by its id, or decline it. `note`: for the model.
     */
    AnswerRequest: {
      /** Question Id */
      question_id: string;
      /**
       * Answers
       * @default null
       */
      answers?: {
        [key: string]: unknown;
      } | null;
      /**
       * Decline
       * @default false
       */
      decline?: boolean;
      /**
       * Note
       * @default null
       */
      note?: string | null;
    };
    /**
     * ApproveRequest
     * @description Answer a pending approval. `note` is passed to the model on a denial; `arguments` replace the call's own.
     *
     *     If the new arguments do something that was not shown, `confirm` proves that a person has seen it: its value comes
     *     from the check of these arguments, or from the error `edit_unconfirmed`.
     *
     *     With `allow_always` and `deny_always`: `scope_id` chooses one of the `scopes`, `this_session` limits the rule to the
     *     session, and `expires_in_s` its time.
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
      /**
       * Scope Id
       * @default null
       */
      scope_id?: string | null;
      /**
       * This Session
       * @default false
       */
      this_session?: boolean;
      /**
       * Expires In S
       * @default null
       */
      expires_in_s?: number | null;
    };
    /**
     * AttachmentRef
     * @description A file to attach: an uploaded one, or one in the session's folder. Give one of the two.
     */
    AttachmentRef: {
      /**
       * Attachment Id
       * @default null
       */
      attachment_id?: string | null;
      /**
       * Path
       * @description relative to the session's folder, or absolute and inside it
       * @default null
       */
      path?: string | null;
    };
    /**
     * BrowserPatch
     * @description Settings of the agent's browser to change; None resets one.
     */
    BrowserPatch: {
      /** Enabled */
      enabled?: boolean | null;
      /** Allow */
      allow?: string[] | null;
      /** Headless */
      headless?: boolean | null;
      /** Isolated */
      isolated?: boolean | null;
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
     * @description Send a message to an agent. Without `session_id`: to the agent's default session.
     */
    ChatRequest: {
      /** Agent Id */
      agent_id: string;
      /**
       * Message
       * @description may be empty if there are attachments
       * @default
       */
      message?: string;
      /**
       * Attachments
       * @description files for the model
       */
      attachments?: components["schemas"]["AttachmentRef"][];
      /**
       * Session Id
       * @default null
       */
      session_id?: string | null;
      /**
       * Context
       * @description a small object that the agent's instructions and tools can read during this turn
       * @default null
       */
      context?: {
        [key: string]: unknown;
      } | null;
      /**
       * Client Message Id
       * @description idempotency key: the same id with the same body returns the same turn again
       * @default null
       */
      client_message_id?: string | null;
      /**
       * If Busy
       * @default queue
       * @enum {string}
       */
      if_busy?: "queue" | "steer" | "reject" | "interrupt";
      /**
       * Model
       * @description for this turn only; such a message never steers
       * @default null
       */
      model?: string | null;
      /**
       * Effort
       * @description for this turn only; such a message never steers
       * @default null
       */
      effort?: ("none" | "minimal" | "low" | "medium" | "high") | null;
    };
    /**
     * CheckRequest
     * @description Ask what would happen to this tool call, without running it.
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
     * @description Any subset of the settable keys. `null` removes the value set here or in `config.toml`.
     */
    ConfigPatch: {
      /**
       * Model
       * @default null
       */
      model?: string | null;
      /**
       * Vision
       * @default null
       */
      vision?: boolean | null;
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
       * Changes Keep Days
       * @default null
       */
      changes_keep_days?: number | null;
      /**
       * Changes Keep Mb
       * @default null
       */
      changes_keep_mb?: number | null;
      /**
       * Audit Keep Days
       * @default null
       */
      audit_keep_days?: number | null;
      /**
       * Sandbox
       * @default null
       */
      sandbox?: ("off" | "auto" | "required") | null;
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
     * @description Create a diagnostics bundle, without messages by default.
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
     * @description Any subset of the flags; `null` resets a flag to its default.
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
       * Browser
       * @description Give agents a browser.
       */
      browser?: boolean | null;
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
     * @description The session that a person is viewing in this client. Its turns end without a notification.
     */
    FocusRequest: {
      /** Client Id */
      client_id: string;
      /** Session Id */
      session_id?: string | null;
    };
    /**
     * ForkRequest
     * @description Copy a conversation into a new session.
     */
    ForkRequest: {
      /**
       * Message Id
       * @description the last turn to copy, by the person's message that began it; absent: all
       */
      message_id?: string | null;
    };
    /**
     * HandoffCreate
     * @description What the browser should open: a section of the UI, or a session.
     */
    HandoffCreate: {
      /** Section */
      section?: string | null;
      /** Session Id */
      session_id?: string | null;
    };
    /**
     * HandoffRedeem
     * @description The code of a sign-in link. It replaces the token for this request.
     */
    HandoffRedeem: {
      /** Code */
      code: string;
    };
    /**
     * HostAccept
     * @description Take a call. Only one instance can.
     */
    HostAccept: {
      /** Call Id */
      call_id: string;
      /** Lease */
      lease: string;
    };
    /**
     * HostLease
     * @description A heartbeat, or the end of a registration.
     */
    HostLease: {
      /** Lease */
      lease: string;
    };
    /**
     * HostProgress
     * @description The progress of a call: a message, a share from 0 to 1, or both.
     */
    HostProgress: {
      /** Call Id */
      call_id: string;
      /** Lease */
      lease: string;
      /** Message */
      message?: string | null;
      /** Progress */
      progress?: number | null;
    };
    /**
     * HostRegister
     * @description Lend tools to agents. `instance` is new for each process or window of the host.
     */
    HostRegister: {
      /** Name */
      name: string;
      /** Instance */
      instance: string;
      /** Tools */
      tools: components["schemas"]["HostTool"][];
      /**
       * Replace
       * @description take over from another instance that is still there
       * @default false
       */
      replace?: boolean;
    };
    /**
     * HostResult
     * @description The result of a call (any JSON value) or an `error`, in words for the model. A call that was not accepted is.
     */
    HostResult: {
      /** Call Id */
      call_id: string;
      /** Lease */
      lease: string;
      /** Result */
      result?: unknown;
      /** Error */
      error?: string | null;
      /**
       * Attachments
       * @description ids of uploaded files that belong to the result
       */
      attachments?: string[];
    };
    /**
     * HostTool
     * @description A tool that a host lends.
     *
     *     `wait`: what becomes of a call while the host is away: `fail` ends it, at the latest after `timeout_s`; `durable`
     *     lets it wait, over restarts, without a limit.
     */
    HostTool: {
      /** Name */
      name: string;
      /** Description */
      description: string;
      /**
       * Parameters
       * @description the JSON Schema of the arguments, an object
       */
      parameters?: {
        [key: string]: unknown;
      };
      /**
       * Risk
       * @default medium
       * @enum {string}
       */
      risk?: "low" | "medium" | "high";
      /**
       * Timeout S
       * @default 60
       */
      timeout_s?: number;
      /**
       * Wait
       * @default fail
       * @enum {string}
       */
      wait?: "fail" | "durable";
      /**
       * Idempotent
       * @description a call may be run again if it is not known how it ended
       * @default false
       */
      idempotent?: boolean;
      /**
       * Agents
       * @description ids of the agents that have the tool; null: all
       * @default null
       */
      agents?: string[] | null;
    };
    /**
     * McpFill
     * @description Get a prompt of a server with its arguments filled in. `session_id`: as in `McpRead`.
     */
    McpFill: {
      /** Prompt */
      prompt: string;
      /**
       * Arguments
       * @default {}
       */
      arguments?: {
        [key: string]: string;
      };
      /** Session Id */
      session_id?: string | null;
    };
    /**
     * McpImport
     * @description Add servers from a file of another app; `names` are names of `McpCandidate`.
     */
    McpImport: {
      /** Path */
      path: string;
      /** Names */
      names: string[];
      /**
       * Values
       * @description what the servers need, by their names and the `name` of a need
       * @default {}
       */
      values?: {
        [key: string]: {
          [key: string]: components["schemas"]["SecretText"];
        };
      };
    };
    /**
     * McpPatch
     * @description Settings of an MCP server to change; None removes a key. Values may have `${env:NAME}` and `${secret:NAME}`.
     *
     *     `env` and `headers` are merged by name.
     */
    McpPatch: {
      /** Enabled */
      enabled?: boolean | null;
      /** Command */
      command?: string | null;
      /** Args */
      args?: string[] | null;
      /** Env */
      env?: {
        [key: string]: string | components["schemas"]["SecretText"] | null;
      } | null;
      /** Cwd */
      cwd?: string | null;
      /** Url */
      url?: string | null;
      /** Headers */
      headers?: {
        [key: string]: string | components["schemas"]["SecretText"] | null;
      } | null;
      /** Roots */
      roots?: string[] | null;
      /** Tools */
      tools?: string[] | null;
      /** Disabled Tools */
      disabled_tools?: string[] | null;
      /** Agents */
      agents?: string[] | null;
      /** Risk */
      risk?: ("low" | "medium" | "high") | null;
      /** Timeout S */
      timeout_s?: number | null;
    };
    /**
     * McpRead
     * @description Read a resource of a server, for a message. `session_id`: the server works in this session's folder.
     */
    McpRead: {
      /** Uri */
      uri: string;
      /** Session Id */
      session_id?: string | null;
    };
    /**
     * McpSourcesRequest
     * @description Look for MCP servers in files of other apps; with `path`, in this file.
     */
    McpSourcesRequest: {
      /** Path */
      path?: string | null;
    };
    /**
     * McpSpec
     * @description All settings of an MCP server: a `command`, or a `url`. Keys that are left out have their defaults.
     */
    McpSpec: {
      /** Enabled */
      enabled?: boolean | null;
      /** Command */
      command?: string | null;
      /** Args */
      args?: string[] | null;
      /** Env */
      env?: {
        [key: string]: string | components["schemas"]["SecretText"] | null;
      } | null;
      /** Cwd */
      cwd?: string | null;
      /** Url */
      url?: string | null;
      /** Headers */
      headers?: {
        [key: string]: string | components["schemas"]["SecretText"] | null;
      } | null;
      /** Roots */
      roots?: string[] | null;
      /** Tools */
      tools?: string[] | null;
      /** Disabled Tools */
      disabled_tools?: string[] | null;
      /** Agents */
      agents?: string[] | null;
      /** Risk */
      risk?: ("low" | "medium" | "high") | null;
      /** Timeout S */
      timeout_s?: number | null;
    };
    /**
     * McpTry
     * @description Connect to a server with these settings, list what it offers, and end it; nothing is saved.
     */
    McpTry: {
      /** Enabled */
      enabled?: boolean | null;
      /** Command */
      command?: string | null;
      /** Args */
      args?: string[] | null;
      /** Env */
      env?: {
        [key: string]: string | components["schemas"]["SecretText"] | null;
      } | null;
      /** Cwd */
      cwd?: string | null;
      /** Url */
      url?: string | null;
      /** Headers */
      headers?: {
        [key: string]: string | components["schemas"]["SecretText"] | null;
      } | null;
      /** Roots */
      roots?: string[] | null;
      /** Tools */
      tools?: string[] | null;
      /** Disabled Tools */
      disabled_tools?: string[] | null;
      /** Agents */
      agents?: string[] | null;
      /** Risk */
      risk?: ("low" | "medium" | "high") | null;
      /** Timeout S */
      timeout_s?: number | null;
      /**
       * Name
       * @default new
       */
      name?: string;
    };
    /**
     * ModelCheckRequest
     * @description Test a model with a one-word request; without `model`: the chosen one.
     */
    ModelCheckRequest: {
      /** Model */
      model?: string | null;
    };
    /**
     * NotificationsReadRequest
     * @description Mark these notifications as read; without `ids`: all.
     */
    NotificationsReadRequest: {
      /** Ids */
      ids?: string[] | null;
    };
    /**
     * OnboardingRequest
     * @description `complete`: mark the step as done; `skip`: skip it; `reset`: undo either.
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
     * RevertRequest
     * @description Undo changes: those of a turn, of a call, of an earlier revert, or the newest change of each of `paths`.
     *
     *     Give one of `turn_id`, `call_id` and `revert_id`, or only `paths`. With one of the three, `paths` chooses among its
     *     files. Changes that happened while a command ran are left alone, unless `paths` names them or `commands` is true.
     */
    RevertRequest: {
      /** Turn Id */
      turn_id?: string | null;
      /** Call Id */
      call_id?: string | null;
      /** Revert Id */
      revert_id?: string | null;
      /**
       * Paths
       * @description absolute paths
       */
      paths?: string[] | null;
      /**
       * Session Id
       * @description with `paths` only: look at this session's changes only
       */
      session_id?: string | null;
      /**
       * Commands
       * @description also undo what changed while commands ran
       * @default false
       */
      commands?: boolean;
      /**
       * Force
       * @description paths to undo although they changed since (what is there now can be restored), or to leave where they can't be restored
       */
      force?: string[];
      /**
       * Dry Run
       * @description only say what would be done
       * @default false
       */
      dry_run?: boolean;
    };
    /**
     * RewindRequest
     * @description Take a message that began a turn, and everything after it, out of the conversation.
     */
    RewindRequest: {
      /** Message Id */
      message_id: string;
      /**
       * Files
       * @description `restore`: also undo what the turns changed in files
       * @default keep
       * @enum {string}
       */
      files?: "keep" | "restore";
      /**
       * Commands
       * @description with `restore`: also undo what changed while commands ran
       * @default false
       */
      commands?: boolean;
      /**
       * Force
       * @description with `restore`: paths to undo although they changed since
       */
      force?: string[];
    };
    /**
     * RuleCondition
     * @description What has to hold for one argument of a call, for a rule to apply.
     *
     *     `argument`: its name; a name within an object follows after a dot. `test` equals: it is the same as `value`;
     *     one_of: it is one of the list `value`; beneath: it is a path in the directory `value`; glob: it matches the pattern
     *     `value`. `negated`: the rule applies if the test fails.
     */
    RuleCondition: {
      /** Argument */
      argument: string;
      /**
       * Test
       * @enum {string}
       */
      test: "equals" | "one_of" | "beneath" | "glob";
      /** Value */
      value: boolean | number | string | (boolean | number | string)[];
      /**
       * Negated
       * @default false
       */
      negated?: boolean;
    };
    /**
     * RuleCreate
     * @description A new rule.
     *
     *     `kind`: exact (default): this `value` (path, command or origin); beneath: what lies in this directory; glob: what
     *     matches this pattern; program: a program with its subcommand in command lines; any: every call.
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
      kind?: "exact" | "beneath" | "glob" | "program" | "any";
      /**
       * Value
       * @default
       */
      value?: string;
      /** Conditions */
      conditions?: components["schemas"]["RuleCondition"][];
      /** Agent Id */
      agent_id?: string | null;
      /** Session Id */
      session_id?: string | null;
      /** Expires In S */
      expires_in_s?: number | null;
    };
    /**
     * SecretPut
     * @description A provider's key. With `check` it is saved only if `model`, or the chosen model, answers with it.
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
    /**
     * SecretText
     * @description A value that is saved in the system's keychain; the configuration gets a reference to it.
     */
    SecretText: {
      /** Secret */
      secret: string;
    };
    /**
     * SessionCreate
     * @description Start a conversation. What is null or absent below `title` is inherited from agent and configuration.
     */
    SessionCreate: {
      /**
       * Agent Id
       * @default default
       */
      agent_id?: string;
      /** Title */
      title?: string | null;
      /**
       * Work Dir
       * @description the absolute path of an existing directory
       */
      work_dir?: string | null;
      /** Model */
      model?: string | null;
      /** Effort */
      effort?: ("none" | "minimal" | "low" | "medium" | "high") | null;
      /**
       * Permission Mode
       * @description may be looser than the configured mode, but not looser than the agent's
       */
      permission_mode?: ("auto_approve" | "smart_approve" | "always_ask") | null;
      /**
       * Mcp Off
       * @description MCP servers whose tools it does without
       */
      mcp_off?: string[] | null;
    };
    /**
     * SessionPatch
     * @description Change a session. Absent fields stay. null stays too, but for the last five, which are reset then.
     *
     *     `agent_id` and `work_dir` can change only while no turn of the session is running, waiting or queued.
     */
    SessionPatch: {
      /** Title */
      title?: string | null;
      /** Archived */
      archived?: boolean | null;
      /** Pinned */
      pinned?: boolean | null;
      /**
       * Agent Id
       * @description not for a default session
       */
      agent_id?: string | null;
      /**
       * Work Dir
       * @description null: the configured one
       */
      work_dir?: string | null;
      /**
       * Model
       * @description null: as agent and configuration say
       */
      model?: string | null;
      /**
       * Effort
       * @description null: as the agent says
       */
      effort?: ("none" | "minimal" | "low" | "medium" | "high") | null;
      /**
       * Permission Mode
       * @description null: as agent and configuration say
       */
      permission_mode?: ("auto_approve" | "smart_approve" | "always_ask") | null;
      /**
       * Mcp Off
       * @description MCP servers whose tools it does without, in place of the earlier ones; null: none
       */
      mcp_off?: string[] | null;
    };
    /**
     * TrustRequest
     * @description Trust the project that contains `path`. `digest`: that of the `TrustView` which the person saw.
     */
    TrustRequest: {
      /** Path */
      path: string;
      /** Digest */
      digest: string;
    };
    /**
     * UnrewindRequest
     * @description Undo the last rewind.
     */
    UnrewindRequest: {
      /**
       * Files
       * @description `restore`: also undo what the rewind did to files
       * @default restore
       * @enum {string}
       */
      files?: "keep" | "restore";
      /**
       * Force
       * @description with `restore`: paths to restore although they changed since
       */
      force?: string[];
    };
    /**
     * AgentProblem
     * @description Why an agent's file is not used. `id`: the agent's id; `line`: null if the problem concerns the whole file.
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
     * @description A tool call waits for a person's approval.
     *
     *     `summary` says in a sentence what will happen, `display` is exactly what will run. `remember` is what "always"
     *     covers without a `scope_id`, `scopes` what may be chosen, the narrowest first.
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
       * Scopes
       * @default null
       */
      scopes?: components["schemas"]["ScopeInfo"][] | null;
      /**
       * Expires At
       * @default null
       */
      expires_at?: string | null;
    };
    /**
     * ApprovalResolvedEvent
     * @description An approval was answered, expired, or was cancelled with its turn. `resolved_by`: the client that answered.
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
    /**
     * AskedQuestion
     * @description A question that a call asked, and the answers to it, once they are given.
     */
    AskedQuestion: {
      /** Question Id */
      question_id: string;
      /** Reason */
      reason: string;
      /** Fields */
      fields: components["schemas"]["QuestionField"][];
      /**
       * Server
       * @default null
       */
      server?: string | null;
      /**
       * Url
       * @default null
       */
      url?: string | null;
      /**
       * Outcome
       * @description null: it waits for an answer
       * @default null
       */
      outcome?: ("answered" | "declined" | "expired" | "cancelled") | null;
      /**
       * Answers
       * @default null
       */
      answers?: {
        [key: string]: unknown;
      } | null;
      /**
       * Note
       * @default null
       */
      note?: string | null;
    };
    /**
     * AttachmentInfo
     * @description A file that can be attached to a message. `media_type` is that of its content.
     */
    AttachmentInfo: {
      /** Attachment Id */
      attachment_id: string;
      /** Name */
      name: string;
      /** Media Type */
      media_type: string;
      /**
       * Size
       * @description bytes
       */
      size: number;
      /**
       * Sha256
       * @description of the content, in hexadecimal
       */
      sha256: string;
      /**
       * Width
       * @description pixels, if it is an image
       * @default null
       */
      width?: number | null;
      /**
       * Height
       * @description pixels, if it is an image
       * @default null
       */
      height?: number | null;
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
     * @description Always the first event of a stream. It has no seq; its SSE id is the cursor from which the stream continues.
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
     * Context
     * @description How much of the model's context window a conversation fills.
     */
    Context: {
      /**
       * Used Tokens
       * @description of the last request and its answer, as the provider counted or estimated
       */
      used_tokens: number;
      /**
       * Window Tokens
       * @description null: neither the provider nor a refusal has said it
       * @default null
       */
      window_tokens?: number | null;
    };
    /**
     * DoneEvent
     * @description The turn has ended: exactly one per turn, always its last event.
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
      /**
       * @description left out if no model was asked
       * @default null
       */
      context?: components["schemas"]["Context"] | null;
    };
    /**
     * ErrorEvent
     * @description What went wrong and what a person can do. `retry_after_s` is the provider's value.
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
     * @description Every error answer. `code` is stable; `error` and `hint` are texts for people.
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
     * FilePart
     * @description A file in a message. GET /api/attachments/{attachment_id} has its bytes.
     */
    FilePart: {
      /** Attachment Id */
      attachment_id: string;
      /** Name */
      name: string;
      /** Media Type */
      media_type: string;
      /**
       * Size
       * @description bytes
       */
      size: number;
      /**
       * Sha256
       * @description of the content, in hexadecimal
       */
      sha256: string;
      /**
       * Width
       * @description pixels, if it is an image
       * @default null
       */
      width?: number | null;
      /**
       * Height
       * @description pixels, if it is an image
       * @default null
       */
      height?: number | null;
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "file";
    };
    /**
     * FilesChangedEvent
     * @description Files were changed by a tool, during a command, or by a revert.
     */
    FilesChangedEvent: {
      /**
       * Call Id
       * @default null
       */
      call_id?: string | null;
      /**
       * Revert Id
       * @default null
       */
      revert_id?: string | null;
      /**
       * Paths
       * @description at most 20 of them
       */
      paths: string[];
      /**
       * Files
       * @description how many
       */
      files: number;
      /**
       * Changed Files
       * @description paths that the session's turns changed, all together
       */
      changed_files: number;
    };
    /**
     * FlagInfo
     * @description A feature of the companion that can be switched on or off.
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
     * @description The flags that changed.
     */
    FlagsChangedEvent: {
      /** Changed */
      changed: components["schemas"]["FlagInfo"][];
    };
    /**
     * ForkedFrom
     * @description The session and the turn that a fork was made from; they may be deleted meanwhile.
     */
    ForkedFrom: {
      /** Session Id */
      session_id: string;
      /**
       * Message Id
       * @description the person's message of the last turn that was copied
       * @default null
       */
      message_id?: string | null;
    };
    /**
     * HeartbeatEvent
     * @description Sent every `heartbeat_s`; it has no seq.
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
     * @description The conversation as the model sees it was summarised; the history for people keeps every message.
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
     * @description Payload of `get_history`, which returns a page as `GET /api/history` does.
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
     * HistoryRewoundEvent
     * @description Turns were taken out of the conversation: from this message of a person on, all messages of these turns.
     */
    HistoryRewoundEvent: {
      /** From Message Id */
      from_message_id: string;
      /** Turn Ids */
      turn_ids: string[];
      /** Messages */
      messages: number;
    };
    /**
     * HistoryUnrewoundEvent
     * @description A rewind was undone: the messages of these turns are in the conversation again. Read the history again.
     */
    HistoryUnrewoundEvent: {
      /** From Message Id */
      from_message_id: string;
      /** Turn Ids */
      turn_ids: string[];
      /** Messages */
      messages: number;
    };
    /**
     * HostCallEvent
     * @description A host's tool is called. The event may be old: the host takes the call with POST /api/hosts/{host_id}/accept.
     */
    HostCallEvent: {
      /** Host Id */
      host_id: string;
      /** Call Id */
      call_id: string;
      /** Tool */
      tool: string;
      /** Arguments */
      arguments: {
        [key: string]: unknown;
      };
      /**
       * Deadline
       * @default null
       */
      deadline?: string | null;
    };
    /**
     * HostCancelEvent
     * @description A call of a host's tool needs no answer any more: its turn was ended, or its time is over.
     */
    HostCancelEvent: {
      /** Host Id */
      host_id: string;
      /** Call Id */
      call_id: string;
    };
    /**
     * HostChangedEvent
     * @description A host came or went, or lends other tools. `removed`: it was deleted.
     */
    HostChangedEvent: {
      /** Host Id */
      host_id: string;
      /** Name */
      name: string;
      /** Online */
      online: boolean;
      /**
       * Registered At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      registered_at: string;
      /** Tools */
      tools: components["schemas"]["HostTool"][];
      /**
       * Removed
       * @default false
       */
      removed?: boolean;
    };
    /**
     * ImagePart
     * @description An image in a message: png, jpeg, gif or webp. GET /api/attachments/{attachment_id} has its bytes.
     */
    ImagePart: {
      /** Attachment Id */
      attachment_id: string;
      /** Name */
      name: string;
      /** Media Type */
      media_type: string;
      /**
       * Size
       * @description bytes
       */
      size: number;
      /**
       * Sha256
       * @description of the content, in hexadecimal
       */
      sha256: string;
      /**
       * Width
       * @description pixels, if it is an image
       * @default null
       */
      width?: number | null;
      /**
       * Height
       * @description pixels, if it is an image
       * @default null
       */
      height?: number | null;
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "image";
    };
    /**
     * McpChangedEvent
     * @description The state or the settings of an MCP server changed, or what it offers. `removed`: it was deleted.
     */
    McpChangedEvent: {
      /** Name */
      name: string;
      /** Enabled */
      enabled: boolean;
      /**
       * State
       * @enum {string}
       */
      state: "disabled" | "idle" | "starting" | "ready" | "backoff" | "crashed";
      /**
       * Transport
       * @enum {string}
       */
      transport: "stdio" | "http";
      /**
       * Where
       * @description the program, or the address
       */
      where: string;
      /**
       * Pid
       * @default null
       */
      pid?: number | null;
      /**
       * Ready Since
       * @default null
       */
      ready_since?: string | null;
      /**
       * Error
       * @default null
       */
      error?: string | null;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Problems
       * @default []
       */
      problems?: string[];
      /**
       * Failures
       * @description failures since it was last healthy
       * @default 0
       */
      failures?: number;
      /**
       * Next Try
       * @default null
       */
      next_try?: string | null;
      /**
       * Protocol
       * @description the version of the protocol
       * @default null
       */
      protocol?: string | null;
      /**
       * Implementation
       * @default null
       */
      implementation?: string | null;
      /**
       * Tools
       * @description tools that are offered
       * @default 0
       */
      tools?: number;
      /**
       * Changed Tools
       * @description tools with a changed definition; their next call asks
       * @default 0
       */
      changed_tools?: number;
      /**
       * Resources
       * @default 0
       */
      resources?: number;
      /**
       * Prompts
       * @default 0
       */
      prompts?: number;
      /**
       * Agents
       * @description the agents that get its tools; None: all
       * @default null
       */
      agents?: string[] | null;
      /**
       * Managed
       * @description it is a service with settings of its own: the agent's browser
       */
      managed: boolean;
      /**
       * Removed
       * @default false
       */
      removed?: boolean;
    };
    /**
     * Message
     * @description One message of a history. The offsets of `text_chunk` events count code points in `text`.
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
        | components["schemas"]["ImagePart"]
        | components["schemas"]["FilePart"]
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
     * @description A request to the provider failed temporarily and will be retried in `delay_s`.
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
     * @description The empty payload of `get_config`.
     */
    NoPayload: Record<string, never>;
    /**
     * NoticePart
     * @description Something that happened during the turn: an error, a limit, a compaction.
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
     * @description A new notification. `unread` includes it.
     */
    NotificationAddedEvent: {
      /** Notification Id */
      notification_id: string;
      /**
       * Kind
       * @enum {string}
       */
      kind: "approval_required" | "question_asked" | "turn_done" | "error" | "service_crashed";
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
     * @description These notifications were marked as read, or their approvals or questions were answered.
     */
    NotificationsReadEvent: {
      /** Ids */
      ids: string[];
      /** Unread */
      unread: number;
    };
    /**
     * OnboardingChangedEvent
     * @description A step was completed, skipped or reset, or an attempt failed.
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
     * @description The result of one check. `remedy` says what to do if `status` is not `ok`.
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
     * @description One onboarding step. `failures` counts the failed attempts so far; `actions` are possible remedies.
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
     * @description The lines of a file that would change, with context, to be shown as a diff. `display` ends with them.
     *
     *     `truncated`: the change is too long to be shown. `diff` has its beginning, and `display` the call's own text.
     *     Each line of `diff` begins with a space, `-` (removed) or `+` (added), or is `@ line N`: the next line's old number.
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
       * @description lines of the whole change
       */
      added: number;
      /**
       * Removed
       * @description lines of the whole change
       */
      removed: number;
      /**
       * Truncated
       * @default false
       */
      truncated?: boolean;
    };
    /**
     * QuestionAnsweredEvent
     * @description A question was answered or declined, expired, or was cancelled with its turn. `resolved_by`: the client.
     */
    QuestionAnsweredEvent: {
      /** Question Id */
      question_id: string;
      /** Call Id */
      call_id: string;
      /**
       * Outcome
       * @enum {string}
       */
      outcome: "answered" | "declined" | "expired" | "cancelled";
      /**
       * Answers
       * @default null
       */
      answers?: {
        [key: string]: unknown;
      } | null;
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
    };
    /**
     * QuestionAskedEvent
     * @description A call asks a person something: the turn waits for the answer.
     *
     *     `server`: the MCP server that asks. `url`: instead of a form, a page that it asks the person to visit.
     */
    QuestionAskedEvent: {
      /** Message Id */
      message_id: string;
      /** Question Id */
      question_id: string;
      /** Call Id */
      call_id: string;
      /** Name */
      name: string;
      /** Arguments */
      arguments: {
        [key: string]: unknown;
      };
      /** Reason */
      reason: string;
      /** Fields */
      fields: components["schemas"]["QuestionField"][];
      /**
       * Server
       * @default null
       */
      server?: string | null;
      /**
       * Url
       * @default null
       */
      url?: string | null;
      /**
       * Expires At
       * @default null
       */
      expires_at?: string | null;
    };
    /**
     * QuestionField
     * @description One field of the form that a question shows.
     *
     *     The answer to a field is a text; for `number` a number, for `boolean` true or false, for `multi` a list of texts,
     *     and for `file` and `folder` an absolute path on the daemon's machine.
     */
    QuestionField: {
      /** Id */
      id: string;
      /** Text */
      text: string;
      /**
       * Kind
       * @enum {string}
       */
      kind: "choice" | "multi" | "text" | "number" | "boolean" | "file" | "folder";
      /**
       * Options
       * @description of choice and multi
       * @default null
       */
      options?: string[] | null;
      /**
       * Labels
       * @description what a person sees instead of each option
       * @default null
       */
      labels?: string[] | null;
      /**
       * Other
       * @description another text than the options is an answer, too
       * @default false
       */
      other?: boolean;
      /**
       * Default
       * @default null
       */
      default?: unknown;
      /**
       * Required
       * @default true
       */
      required?: boolean;
      /**
       * Whole
       * @description the number has no fraction
       * @default false
       */
      whole?: boolean;
      /**
       * Minimum
       * @description of a number
       * @default null
       */
      minimum?: number | null;
      /**
       * Maximum
       * @description of a number
       * @default null
       */
      maximum?: number | null;
      /**
       * Min Length
       * @description of a text, in characters; of multi, how many
       * @default null
       */
      min_length?: number | null;
      /**
       * Max Length
       * @description of a text, in characters; of multi, how many
       * @default null
       */
      max_length?: number | null;
      /**
       * Format
       * @description of a text
       * @default null
       */
      format?: ("email" | "uri" | "date" | "date-time") | null;
    };
    /**
     * ResyncEvent
     * @description The cursor can't be served: read /api/history and /api/inbox, then continue from `last_seq`.
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
     * RewindInfo
     * @description The last rewind of a session, which can be undone until the next message.
     */
    RewindInfo: {
      /** Message Id */
      message_id: string;
      /**
       * Messages
       * @description how many messages it took out
       */
      messages: number;
      /**
       * Rewound At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      rewound_at: string;
      /**
       * Files
       * @description whether it also undid changes to files
       */
      files: boolean;
    };
    /**
     * RuleInfo
     * @description A permission rule: the calls that it covers, as fields and in `words`.
     *
     *     `made_by`: the client through which it was made; `made_for`: the call that it answered.
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
      kind: "exact" | "beneath" | "glob" | "program" | "any";
      /** Value */
      value: string;
      /** Conditions */
      conditions?: components["schemas"]["RuleCondition"][];
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
      /**
       * Made By
       * @default null
       */
      made_by?: string | null;
      /**
       * Made For
       * @default null
       */
      made_for?: string | null;
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
     * ScopeInfo
     * @description What "always" may cover, in `words`.
     */
    ScopeInfo: {
      /** Scope Id */
      scope_id: string;
      /** Words */
      words: string;
    };
    /**
     * SecretsChangedEvent
     * @description A provider's key was saved or deleted. The event does not contain the key.
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
     * @description A service's state changed, or its crash count was reset.
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
       * @description automatic restarts since it was last healthy
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
     * @description How a service's process ended: exit `code`, `signal`, or `error` if it could not be started or stopped.
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
     * @description On `deleted`, `session` is absent, and `restorable_until` if permanently; `created` also when restored.
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
       * @description listed before all others
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
       * Pending Questions
       * @default 0
       */
      pending_questions?: number;
      /**
       * Deleted At
       * @description set while it is in the trash
       * @default null
       */
      deleted_at?: string | null;
      /**
       * Restorable Until
       * @description when it is deleted permanently
       * @default null
       */
      restorable_until?: string | null;
      /**
       * @description null: no model was asked yet
       * @default null
       */
      context?: components["schemas"]["Context"] | null;
      /**
       * @description null in events that an older version recorded
       * @default null
       */
      settings?: components["schemas"]["SessionSettings"] | null;
      /**
       * @description set for a fork
       * @default null
       */
      forked_from?: components["schemas"]["ForkedFrom"] | null;
      /**
       * @description the last rewind, while it can be undone
       * @default null
       */
      rewind?: components["schemas"]["RewindInfo"] | null;
      /**
       * Changed Files
       * @description paths that the session's turns changed
       * @default 0
       */
      changed_files?: number;
    };
    /**
     * SessionQuery
     * @description Payload of `get_status` and `clear_history`. Without `session_id`: the agent's default session.
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
     * SessionSetting
     * @description A value that a session's turns use, and where it comes from.
     *
     *     `turn`: chosen with the message of the running turn. `config`: the flags, the environment, a trusted project or the
     *     user's file.
     */
    SessionSetting: {
      /**
       * Value
       * @description empty: nobody chose one
       */
      value: string;
      /**
       * Source
       * @enum {string}
       */
      source: "turn" | "session" | "agent" | "config" | "default";
    };
    /**
     * SessionSettings
     * @description What a session's turns work with.
     */
    SessionSettings: {
      /** @description where tools work: an absolute path */
      work_dir: components["schemas"]["SessionSetting"];
      /** @description empty: one must be chosen first */
      model: components["schemas"]["SessionSetting"];
      /** @description how much the model thinks; `default`: as usual for this agent's model */
      effort: components["schemas"]["SessionSetting"];
      permission_mode: components["schemas"]["SessionSetting"];
      /**
       * Mcp Off
       * @description names of the MCP servers whose tools the session does without
       */
      mcp_off: string[];
    };
    /**
     * SocketHostAccept
     * @description Payload of `host_accept`.
     */
    SocketHostAccept: {
      /** Call Id */
      call_id: string;
      /** Lease */
      lease: string;
      /** Host Id */
      host_id: string;
    };
    /**
     * SocketHostLeave
     * @description Payload of `host_leave`.
     */
    SocketHostLeave: {
      /** Lease */
      lease: string;
      /** Host Id */
      host_id: string;
    };
    /**
     * SocketHostProgress
     * @description Payload of `host_progress`.
     */
    SocketHostProgress: {
      /** Call Id */
      call_id: string;
      /** Lease */
      lease: string;
      /**
       * Message
       * @default null
       */
      message?: string | null;
      /**
       * Progress
       * @default null
       */
      progress?: number | null;
      /** Host Id */
      host_id: string;
    };
    /**
     * SocketHostResult
     * @description Payload of `host_result`.
     */
    SocketHostResult: {
      /** Call Id */
      call_id: string;
      /** Lease */
      lease: string;
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
       * Attachments
       * @description ids of uploaded files that belong to the result
       */
      attachments?: string[];
      /** Host Id */
      host_id: string;
    };
    /**
     * SocketMessage
     * @description A message from a client over `/ws`. `agent_id` may be here or in `payload`; the answer has the same `id`.
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
        | "answer"
        | "host_register"
        | "host_accept"
        | "host_result"
        | "host_progress"
        | "host_leave"
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
     * @description Payload of `request`: any REST call. Without `body`: an empty body; `client`: the value of `X-Aster-Client`.
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
     * @description Payload of `subscribe`: send the events after the cursor, as `GET /api/events` does; without one: from now on.
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
     * @description The events after this seq follow, `connected` first. The socket's earlier subscription, if any, has ended.
     */
    Subscribed: {
      /** After */
      after: number;
    };
    /**
     * TextChunkEvent
     * @description A piece of the text. `offset` counts code points in the message's text: applying a chunk twice is harmless.
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
     * @description A piece of the message's thinking; `offset` counts code points in the thinking.
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
     * @description A tool call has ended, with either `result` or `error`. A denied call ends without `tool_start`.
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
       * Attachments
       * @description files in the result
       * @default null
       */
      attachments?: components["schemas"]["AttachmentInfo"][] | null;
      /**
       * Arguments
       * @description only if neither tool_start nor approval_required was sent for the call
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
     * @description One tool call and its current state. `unknown`: the daemon was killed before it could record the result.
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
       * @description the lines that would change, if a person was asked
       * @default null
       */
      preview?: components["schemas"]["Preview"] | null;
      /**
       * @description the question that the call asked a person
       * @default null
       */
      question?: components["schemas"]["AskedQuestion"] | null;
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
      /**
       * Attachments
       * @description files in the result
       * @default null
       */
      attachments?: components["schemas"]["AttachmentInfo"][] | null;
    };
    /**
     * ToolProgressEvent
     * @description The progress of a tool call, or a piece of its output.
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
     * @description A tool call starts to run. `decided_by` is rule:<id>, mode:<mode> or person.
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
    /** question_asked envelope */
    question_asked_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "question_asked";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["QuestionAskedEvent"];
    };
    /** question_answered envelope */
    question_answered_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "question_answered";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["QuestionAnsweredEvent"];
    };
    /** host_call envelope */
    host_call_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "host_call";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HostCallEvent"];
    };
    /** host_cancel envelope */
    host_cancel_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "host_cancel";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HostCancelEvent"];
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
    /** history_rewound envelope */
    history_rewound_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "history_rewound";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HistoryRewoundEvent"];
    };
    /** history_unrewound envelope */
    history_unrewound_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "history_unrewound";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HistoryUnrewoundEvent"];
    };
    /** files_changed envelope */
    files_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "files_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["FilesChangedEvent"];
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
    /** mcp_changed envelope */
    mcp_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "mcp_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["McpChangedEvent"];
    };
    /** host_changed envelope */
    host_changed_event: {
      /**
       * @description discriminator enum property added by openapi-typescript
       * @enum {string}
       */
      type: "host_changed";
      agent_id: string | null;
      session_id: string | null;
      turn_id: string | null;
      seq: number;
      /** Format: date-time */
      time: string;
      data: components["schemas"]["HostChangedEvent"];
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
      | components["schemas"]["question_asked_event"]
      | components["schemas"]["question_answered_event"]
      | components["schemas"]["host_call_event"]
      | components["schemas"]["host_cancel_event"]
      | components["schemas"]["error_event"]
      | components["schemas"]["done_event"]
      | components["schemas"]["status_change_event"]
      | components["schemas"]["message_added_event"]
      | components["schemas"]["history_cleared_event"]
      | components["schemas"]["history_rewound_event"]
      | components["schemas"]["history_unrewound_event"]
      | components["schemas"]["files_changed_event"]
      | components["schemas"]["session_changed_event"]
      | components["schemas"]["config_changed_event"]
      | components["schemas"]["rules_changed_event"]
      | components["schemas"]["agents_changed_event"]
      | components["schemas"]["service_changed_event"]
      | components["schemas"]["mcp_changed_event"]
      | components["schemas"]["host_changed_event"]
      | components["schemas"]["notification_added_event"]
      | components["schemas"]["notifications_read_event"]
      | components["schemas"]["flags_changed_event"]
      | components["schemas"]["secrets_changed_event"]
      | components["schemas"]["onboarding_changed_event"]
      | components["schemas"]["model_retry_event"]
      | components["schemas"]["history_compacted_event"]
      | components["schemas"]["heartbeat_event"]
      | components["schemas"]["resync_event"];
    /**
     * SandboxState
     * @description The sandbox of commands: the setting, and what there is here. `level` is null if it was not tried.
     */
    SandboxState: {
      /**
       * Setting
       * @enum {string}
       */
      setting: "off" | "auto" | "required";
      /** Level */
      level: ("full" | "partial" | "none") | null;
      /**
       * Why
       * @description what works, or what does not, and why
       */
      why: string | null;
    };
    /**
     * Health
     * @description Whether the daemon runs. `sandbox`: that of commands.
     */
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
      /** @default null */
      sandbox?: components["schemas"]["SandboxState"] | null;
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
     * @description `seq` is the seq of the `message_added` event: follow the event stream from there.
     */
    ChatStarted: {
      /**
       * Status
       * @description `answered`: the message is the answer to the question for which the turn waits
       * @enum {string}
       */
      status: "started" | "queued" | "steered" | "answered";
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
       * @description ids of the turns queued after this one, in order
       */
      queue: string[];
      /**
       * Waiting For
       * @description what the turn waits for
       */
      waiting_for: ("approval" | "question" | "host")[];
      /** Pending Approvals */
      pending_approvals: number;
      /** Pending Questions */
      pending_questions: number;
      /** Model */
      model: string;
      usage: components["schemas"]["Usage"];
      /** @description null: no model was asked yet */
      context: components["schemas"]["Context"] | null;
      last_error: components["schemas"]["ErrorInfo"] | null;
      /** @description of the session; without one, of a new session of the agent */
      settings: components["schemas"]["SessionSettings"];
    };
    /**
     * HistoryPage
     * @description Oldest first. `next_before`: the cursor of the previous page; null at the beginning.
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
     * @description A message that contains the query, with an excerpt around the first match.
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
       * @description the excerpt, one line; … marks omitted text
       */
      text: string;
      /**
       * Start
       * @description start of the match in `text`, in code points
       */
      start: number;
      /**
       * End
       * @description end of the match in `text`, in code points
       */
      end: number;
    };
    /**
     * SessionPage
     * @description Pinned sessions first, then newest activity first; in the trash, the last deleted first.
     */
    SessionPage: {
      /** Sessions */
      sessions: components["schemas"]["SessionInfo"][];
      /** Next Before */
      next_before: string | null;
      /**
       * Hits
       * @description with `q`: the newest matching message by session_id; none if only the title matches
       */
      hits?: {
        [key: string]: components["schemas"]["Hit"];
      };
    };
    /**
     * FoundMessages
     * @description Messages of one conversation that contain the query, newest first.
     */
    FoundMessages: {
      /** Hits */
      hits: components["schemas"]["Hit"][];
      /**
       * Next Before
       * @description the cursor of the next page, with older hits; null at the end
       */
      next_before: string | null;
    };
    /** SessionDeleted */
    SessionDeleted: {
      /** Session Id */
      session_id: string;
      /**
       * Deleted
       * @description the number of its messages
       */
      deleted: number;
      /**
       * Restorable Until
       * @description null: it was deleted permanently
       */
      restorable_until: string | null;
    };
    /**
     * NotReverted
     * @description A path that was not undone.
     */
    NotReverted: {
      /** Path */
      path: string;
      /**
       * Code
       * @description `during_command`: it changed while a command ran, and was not chosen
       * @enum {string}
       */
      code: "changed_since" | "not_kept" | "unreadable" | "forbidden" | "unwritable" | "during_command";
      /** Message */
      message: string;
    };
    /**
     * Reverted
     * @description `revert_id` undoes this revert; null if nothing was written.
     */
    Reverted: {
      /** Revert Id */
      revert_id: string | null;
      /** Files */
      files: components["schemas"]["RevertedFile"][];
      /**
       * Left
       * @description conflicts are in `error.details` of revert_conflict instead
       */
      left: components["schemas"]["NotReverted"][];
    };
    /**
     * RevertedFile
     * @description What was done at one path, or would be done.
     */
    RevertedFile: {
      /** Path */
      path: string;
      /**
       * Action
       * @description `none`: it is as before already
       * @enum {string}
       */
      action: "write" | "delete" | "none";
      /**
       * Kind
       * @description the change that is undone
       * @enum {string}
       */
      kind: "created" | "modified" | "deleted" | "moved";
      /**
       * Source
       * @description of the change that is undone
       * @enum {string}
       */
      source: "tool" | "command" | "revert";
    };
    /**
     * Rewound
     * @description What was taken out, or put back.
     */
    Rewound: {
      /** Session Id */
      session_id: string;
      /** From Message Id */
      from_message_id: string;
      /** Turn Ids */
      turn_ids: string[];
      /** Messages */
      messages: number;
      /**
       * @description what was undone in files, if that was asked for
       * @default null
       */
      files?: components["schemas"]["Reverted"] | null;
    };
    /**
     * ChangedFile
     * @description What a turn changed at one path, all its calls together.
     */
    ChangedFile: {
      /**
       * Path
       * @description absolute
       */
      path: string;
      /**
       * Kind
       * @enum {string}
       */
      kind: "created" | "modified" | "deleted" | "moved";
      /**
       * Moved From
       * @description with `moved`: the path before
       * @default null
       */
      moved_from?: string | null;
      /**
       * Source
       * @description `command`: it changed while a command ran, perhaps not by it
       * @enum {string}
       */
      source: "tool" | "command";
      /**
       * Call Ids
       * @description the calls that changed it, in order
       */
      call_ids: string[];
      /** @description null: there was nothing; with `moved`: what was at `moved_from` */
      before: components["schemas"]["FileState"] | null;
      /** @description null: there is nothing */
      after: components["schemas"]["FileState"] | null;
      /**
       * Added
       * @description lines; null if they can't be compared
       * @default null
       */
      added?: number | null;
      /**
       * Removed
       * @description lines; null if they can't be compared
       * @default null
       */
      removed?: number | null;
      /**
       * Diff
       * @description unified diff of text, only if one turn was asked for; null if it can't be made
       * @default null
       */
      diff?: string | null;
      /**
       * Truncated
       * @description the diff is longer than what is here
       * @default false
       */
      truncated?: boolean;
      /**
       * Now
       * @description `changed`: as the turn left it; `undone`: as before the turn; `edited`: changed again since
       * @enum {string}
       */
      now: "changed" | "undone" | "edited";
      /**
       * Kept
       * @description whether the content before can be restored
       */
      kept: boolean;
      /**
       * Why Not Kept
       * @description why the content before can't be restored
       * @default null
       */
      why_not_kept?: string | null;
      /**
       * Revert Id
       * @description the last revert that wrote it; undoing that redoes it
       * @default null
       */
      revert_id?: string | null;
    };
    /**
     * FileState
     * @description What is at a path: a regular file, a symbolic link (its size is that of its target's text) or a directory.
     */
    FileState: {
      /**
       * Type
       * @enum {string}
       */
      type: "file" | "link" | "directory";
      /**
       * Size
       * @description bytes
       */
      size: number;
      /**
       * Mode
       * @description permission bits
       */
      mode: number;
    };
    /**
     * TurnChanges
     * @description What one turn changed.
     */
    TurnChanges: {
      /** Turn Id */
      turn_id: string;
      /**
       * Message Id
       * @description the person's message that began the turn
       */
      message_id: string;
      /**
       * Rewound
       * @description whether the turn was taken out of the conversation
       */
      rewound: boolean;
      /** Files */
      files: components["schemas"]["ChangedFile"][];
      /**
       * Not Covered
       * @description sentences: what could not be recorded, and why
       */
      not_covered?: string[];
    };
    /**
     * SessionChanges
     * @description What the turns of a session changed, oldest first.
     */
    SessionChanges: {
      /** Session Id */
      session_id: string;
      /** Turns */
      turns: components["schemas"]["TurnChanges"][];
    };
    /**
     * Approved
     * @description `rule`: the rule that "always" stored; null if none was stored.
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
     * @description An approval that waits for a person.
     *
     *     `summary` says in a sentence what will happen, `display` is exactly what will run. `remember` is what "always"
     *     covers without a `scope_id`, `scopes` what may be chosen, the narrowest first.
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
      /** Scopes */
      scopes?: components["schemas"]["ScopeInfo"][];
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
      /** Scopes */
      scopes?: components["schemas"]["ScopeInfo"][];
      /**
       * @description the rule that decided
       * @default null
       */
      rule?: components["schemas"]["RuleInfo"] | null;
      /**
       * Confirm
       * @description the `confirm` of POST /api/approve for these arguments, if they do something that was not shown
       */
      confirm: string;
    };
    /**
     * QuestionInfo
     * @description A question that waits for a person.
     *
     *     `server`: the MCP server that asks; without one, the agent asks. `url`: instead of a form, a page that the server
     *     asks the person to visit.
     */
    QuestionInfo: {
      /** Question Id */
      question_id: string;
      /** Call Id */
      call_id: string;
      /** Agent Id */
      agent_id: string;
      /** Session Id */
      session_id: string;
      /** Turn Id */
      turn_id: string;
      /**
       * Name
       * @description the tool that asks
       */
      name: string;
      /** Reason */
      reason: string;
      /** Fields */
      fields: components["schemas"]["QuestionField"][];
      /**
       * Server
       * @default null
       */
      server?: string | null;
      /**
       * Url
       * @default null
       */
      url?: string | null;
      /**
       * Asked At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      asked_at: string;
      /** Expires At */
      expires_at: string | null;
    };
    /** Answered */
    Answered: {
      /** Question Id */
      question_id: string;
      /**
       * Outcome
       * @enum {string}
       */
      outcome: "answered" | "declined" | "expired" | "cancelled";
      /**
       * Answers
       * @description as they were recorded
       * @default null
       */
      answers?: {
        [key: string]: unknown;
      } | null;
      /**
       * Resolved At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      resolved_at: string;
    };
    /**
     * InboxEntry
     * @description Something that waits for a person: exactly one of the two.
     */
    InboxEntry: {
      /**
       * Kind
       * @enum {string}
       */
      kind: "approval" | "question";
      /** @default null */
      approval?: components["schemas"]["ApprovalInfo"] | null;
      /** @default null */
      question?: components["schemas"]["QuestionInfo"] | null;
    };
    /**
     * DecisionInfo
     * @description A decision about a tool call. A call has several if it was asked about again, or denied after it was allowed.
     */
    DecisionInfo: {
      /** Decision Id */
      decision_id: string;
      /**
       * Decided At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      decided_at: string;
      /** Agent Id */
      agent_id: string;
      /** Session Id */
      session_id: string;
      /** Turn Id */
      turn_id: string;
      /** Call Id */
      call_id: string;
      /** Tool */
      tool: string;
      /**
       * Summary
       * @description what the call would do, in a sentence; null: the conversation was deleted permanently or cleared
       */
      summary: string | null;
      /**
       * Arguments Sha256
       * @description of the arguments as canonical JSON, in hexadecimal
       */
      arguments_sha256: string;
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /**
       * Decision
       * @enum {string}
       */
      decision: "allow" | "deny";
      /**
       * Decided By
       * @description rule:<id>, mode:<mode>, person, expired, cancelled, forbidden, unattended, unshown or tool
       */
      decided_by: string;
      /**
       * Words
       * @description the reason, or a person's note; null: none, or the conversation was deleted permanently or cleared
       */
      words: string | null;
      /**
       * Client
       * @description the client through which a person answered
       */
      client: string | null;
      /**
       * Sandbox
       * @description what confined the call; none: nothing did, or it did not run
       */
      sandbox: string;
      /**
       * Outcome
       * @description what came of the call; null: it has not ended. asked_again: the next decision has its outcome
       */
      outcome: ("done" | "failed" | "denied" | "cancelled" | "unknown" | "asked_again") | null;
    };
    /**
     * DecisionPage
     * @description `next`: the `before` of the next page, or its `after` if the list is oldest first; null at the end.
     */
    DecisionPage: {
      /** Decisions */
      decisions: components["schemas"]["DecisionInfo"][];
      /** Next */
      next: string | null;
    };
    /**
     * ConfigView
     * @description The whole effective configuration, each value with its source; secrets are masked.
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
       * @description messages about what is ignored in the settings files
       */
      problems: string[];
    };
    /**
     * AgentInfo
     * @description An agent. If its file is broken, `state` is `failed` and `problems` say why it can't be used.
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
      /**
       * Missing
       * @description tools and MCP servers that it does without now, each with the reason
       */
      missing: string[];
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
     * ToolInfo
     * @description A tool. `sandbox`: null if the tool is never in one. `host`: the name of the host that lends it.
     */
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
      /** @default null */
      sandbox?: components["schemas"]["SandboxState"] | null;
      /**
       * Host
       * @default null
       */
      host?: string | null;
      /** Schema */
      schema: {
        [key: string]: unknown;
      };
    };
    /**
     * ModelInfo
     * @description A model that can be chosen. `ready`: whether a turn can use it now; `why_not`: what is missing.
     *
     *     For a model that runs on this machine also whether it is `loaded`, and its `context_window` in tokens, if known.
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
     * @description The result of testing a model. `error` is null if it answered.
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
     * @description Where a provider's key comes from. A key in a file or in the environment is not `protected`.
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
    /**
     * FolderInfo
     * @description A directory. `project`: it contains `.git` or `.aster`. `usable`: a conversation can work in it.
     */
    FolderInfo: {
      /** Name */
      name: string;
      /** Path */
      path: string;
      /** Project */
      project: boolean;
      /** Usable */
      usable: boolean;
    };
    /**
     * FolderList
     * @description The directories in a directory, for a picker. `parent` is null at a root.
     */
    FolderList: {
      /** Path */
      path: string;
      /** Parent */
      parent: string | null;
      /** Home */
      home: string | null;
      /**
       * Roots
       * @description where the file system begins; several on Windows
       */
      roots: string[];
      /** Folders */
      folders: components["schemas"]["FolderInfo"][];
      /**
       * Truncated
       * @description whether there are more
       */
      truncated: boolean;
      /**
       * Unnamed
       * @description how many were left out because their names are not UTF-8
       */
      unnamed: number;
      /**
       * Recent
       * @description those of conversations, the last used first, then the daemon's own
       */
      recent: components["schemas"]["FolderInfo"][];
    };
    /**
     * FileChange
     * @description How a file differs from the moment when the person trusted the project.
     */
    FileChange: {
      /** Name */
      name: string;
      /**
       * Change
       * @enum {string}
       */
      change: "added" | "changed" | "removed";
    };
    /**
     * ProjectAgent
     * @description An agent that a project defines. It would not be used if it has `problems`.
     */
    ProjectAgent: {
      /** Id */
      id: string;
      /** Name */
      name: string;
      /** Description */
      description: string;
      /** Path */
      path: string;
      /** Problems */
      problems: components["schemas"]["AgentProblem"][];
    };
    /**
     * ProjectFile
     * @description A file that counts if the project is trusted. `text` is null if it can't be shown; `problem` says why.
     */
    ProjectFile: {
      /**
       * Name
       * @description its path in the project
       */
      name: string;
      /** Text */
      text: string | null;
      /** Problem */
      problem: string | null;
    };
    /**
     * TrustView
     * @description A project, whether it is trusted, and what trust lets in. `directory` is null if the path is in no project.
     */
    TrustView: {
      /** Directory */
      directory: string | null;
      /** Trusted */
      trusted: boolean;
      /**
       * Settings
       * @description the values that its file sets
       */
      settings: {
        [key: string]: unknown;
      };
      /** Agents */
      agents: components["schemas"]["ProjectAgent"][];
      /** Files */
      files: components["schemas"]["ProjectFile"][];
      /**
       * Problems
       * @description what is ignored, and why
       */
      problems: string[];
      /**
       * Digest
       * @description changes with the files; empty without a project
       */
      digest: string;
      /** Changed */
      changed: components["schemas"]["FileChange"][];
      /**
       * Projects
       * @description all trusted directories
       */
      projects: string[];
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
     * BrowserInfo
     * @description The agent's browser: its settings and its state.
     *
     *     `server` is the MCP server that drives it; None while it is off. `problem` and `hint`: what is missing on this
     *     machine. `unsandboxed`: why the browser's own sandbox is off; None while it is on, or the browser was not started.
     */
    BrowserInfo: {
      /** Enabled */
      enabled: boolean;
      /**
       * Allow
       * @description hosts of this machine and its networks that it may open
       */
      allow: string[];
      /**
       * Headless
       * @description without windows; None: where there is no display
       */
      headless: boolean | null;
      /**
       * Isolated
       * @description cookies and logins are forgotten at each end
       */
      isolated: boolean;
      /**
       * Program
       * @description the browser's program; None: none was found
       */
      program: string | null;
      /**
       * Problem
       * @default null
       */
      problem?: string | null;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Downloads
       * @description the directory for downloads of sessions that chose no folder
       */
      downloads: string;
      /**
       * Unsandboxed
       * @default null
       */
      unsandboxed?: string | null;
      /**
       * Refused
       * @description the newest addresses that it could not open, in sentences
       */
      refused: string[];
      /** @default null */
      server?: components["schemas"]["McpServerInfo"] | null;
    };
    /**
     * DaemonInfo
     * @description The daemon's process, addresses and directories.
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
     * HostInfo
     * @description A host. `online`: one of its instances is there.
     */
    HostInfo: {
      /** Host Id */
      host_id: string;
      /** Name */
      name: string;
      /** Online */
      online: boolean;
      /**
       * Registered At
       * @description RFC 3339, UTC, milliseconds
       * @example 2026-11-20T12:00:00.000Z
       */
      registered_at: string;
      /** Tools */
      tools: components["schemas"]["HostTool"][];
    };
    /**
     * McpServerInfo
     * @description An MCP server and its state.
     *
     *     `error` says why it is not available, and `hint` what to do. `problems`: tools that can't be offered, and why.
     *     `next_try`: it is not started before this time. `implementation` is what the server calls itself.
     */
    McpServerInfo: {
      /** Name */
      name: string;
      /** Enabled */
      enabled: boolean;
      /**
       * State
       * @enum {string}
       */
      state: "disabled" | "idle" | "starting" | "ready" | "backoff" | "crashed";
      /**
       * Transport
       * @enum {string}
       */
      transport: "stdio" | "http";
      /**
       * Where
       * @description the program, or the address
       */
      where: string;
      /**
       * Pid
       * @default null
       */
      pid?: number | null;
      /**
       * Ready Since
       * @default null
       */
      ready_since?: string | null;
      /**
       * Error
       * @default null
       */
      error?: string | null;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Problems
       * @default []
       */
      problems?: string[];
      /**
       * Failures
       * @description failures since it was last healthy
       * @default 0
       */
      failures?: number;
      /**
       * Next Try
       * @default null
       */
      next_try?: string | null;
      /**
       * Protocol
       * @description the version of the protocol
       * @default null
       */
      protocol?: string | null;
      /**
       * Implementation
       * @default null
       */
      implementation?: string | null;
      /**
       * Tools
       * @description tools that are offered
       * @default 0
       */
      tools?: number;
      /**
       * Changed Tools
       * @description tools with a changed definition; their next call asks
       * @default 0
       */
      changed_tools?: number;
      /**
       * Resources
       * @default 0
       */
      resources?: number;
      /**
       * Prompts
       * @default 0
       */
      prompts?: number;
      /**
       * Agents
       * @description the agents that get its tools; None: all
       * @default null
       */
      agents?: string[] | null;
      /**
       * Managed
       * @description it is a service with settings of its own: the agent's browser
       */
      managed: boolean;
    };
    /**
     * Metrics
     * @description Metrics of this daemon. `store_bytes`: size of its store; `streams`: number of open event streams.
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
     * @description Something that needs a person's attention. Its texts name the agent and the tool, and contain no conversation.
     */
    Notification: {
      /** Notification Id */
      notification_id: string;
      /**
       * Kind
       * @enum {string}
       */
      kind: "approval_required" | "question_asked" | "turn_done" | "error" | "service_crashed";
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
     * @description Newest first; at most 200 are kept. `unread` counts all unread ones, not only those in this answer.
     */
    Notifications: {
      /** Notifications */
      notifications: components["schemas"]["Notification"][];
      /** Unread */
      unread: number;
    };
    /**
     * Onboarding
     * @description The steps in order. `current`: the first unfinished step; null when all are done. Chatting never requires it.
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
     * @description A configured service and its current state. `desired_running`: whether it was last asked to run or to stop.
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
       * @description automatic restarts since it was last healthy
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
     * @description A problem that a person should know about; `hint` says what to do.
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
     * @description Everything a companion needs for its first paint. Follow the event stream after `last_seq` to keep it current.
     */
    Snapshot: {
      /** Last Seq */
      last_seq: number;
      daemon: components["schemas"]["DaemonInfo"];
      /** Agents */
      agents: components["schemas"]["AgentInfo"][];
      /**
       * Sessions
       * @description the newest that are not archived; 16 by default
       */
      sessions: components["schemas"]["SessionInfo"][];
      /**
       * Sessions Before
       * @description the cursor of the next page of sessions
       */
      sessions_before: string | null;
      /**
       * Approvals
       * @description all pending approvals, oldest first
       */
      approvals: components["schemas"]["ApprovalInfo"][];
      /**
       * Questions
       * @description all questions that wait for a person, oldest first
       */
      questions: components["schemas"]["QuestionInfo"][];
      /** Turns */
      turns: components["schemas"]["ActiveTurn"][];
      notifications: components["schemas"]["Notifications"];
      /** Flags */
      flags: components["schemas"]["FlagInfo"][];
      onboarding: components["schemas"]["Onboarding"];
      /** Services */
      services: components["schemas"]["ServiceInfo"][];
      /** Mcp */
      mcp: components["schemas"]["McpServerInfo"][];
      /** Hosts */
      hosts: components["schemas"]["HostInfo"][];
      browser: components["schemas"]["BrowserInfo"];
      config: components["schemas"]["ConfigView"];
      /** Rules */
      rules: components["schemas"]["RuleInfo"][];
      /** Warnings */
      warnings: components["schemas"]["Warning"][];
      metrics: components["schemas"]["Metrics"];
    };
    /**
     * NotificationsRead
     * @description `ids`: the notifications that were unread before. `unread`: how many still are.
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
     * @description Oldest first. `dropped` counts lines that were written too fast to be kept.
     */
    ServiceLogs: {
      /** Entries */
      entries: components["schemas"]["ServiceLogEntry"][];
      /** Dropped */
      dropped: number;
      /**
       * Path
       * @description the log file
       */
      path: string | null;
    };
    /**
     * DiagnosticsInfo
     * @description A diagnostics bundle; `path` is on this machine.
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
     * McpTool
     * @description A tool of an MCP server.
     *
     *     `name` is the name for models, and `tool` the server's own. `problem`: why it is not offered although it is enabled.
     *     `changed`: its definition is not the one that was last accepted, so the next call asks.
     */
    McpTool: {
      /** Name */
      name: string;
      /** Tool */
      tool: string;
      /** Description */
      description: string;
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Enabled */
      enabled: boolean;
      /**
       * Problem
       * @default null
       */
      problem?: string | null;
      /**
       * Changed
       * @default false
       */
      changed?: boolean;
    };
    /**
     * McpTryAnswer
     * @description What a server answered. `error`: why it could not be reached.
     */
    McpTryAnswer: {
      /** Ok */
      ok: boolean;
      /**
       * Error
       * @default null
       */
      error?: string | null;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Protocol
       * @default null
       */
      protocol?: string | null;
      /**
       * Implementation
       * @default null
       */
      implementation?: string | null;
      /**
       * Tools
       * @default []
       */
      tools?: components["schemas"]["McpTool"][];
      /**
       * Problems
       * @default []
       */
      problems?: string[];
    };
    /**
     * McpCandidate
     * @description A server in a file of another app. `problems` are what a person should know before adding it.
     */
    McpCandidate: {
      /**
       * Name
       * @description its name here
       */
      name: string;
      /**
       * Title
       * @description its name there
       */
      title: string;
      /**
       * Where
       * @description the program and its arguments, or the address
       */
      where: string;
      /** Importable */
      importable: boolean;
      /**
       * Secrets
       * @description settings whose values will be saved in the keychain
       */
      secrets: string[];
      /** Needs */
      needs: components["schemas"]["McpNeed"][];
      /** Problems */
      problems: string[];
      /**
       * Exists
       * @description whether a server of this name is configured already
       */
      exists: boolean;
    };
    /**
     * McpNeed
     * @description A value that the person has to give. It is for `name` in the setting `key`.
     */
    McpNeed: {
      /** Key */
      key: string;
      /** Name */
      name: string;
      /** Description */
      description: string;
    };
    /**
     * McpSource
     * @description A file of another app with MCP servers. `problems`: what is wrong with the file.
     */
    McpSource: {
      /** App */
      app: string;
      /** Path */
      path: string;
      /** Servers */
      servers: components["schemas"]["McpCandidate"][];
      /** Problems */
      problems: string[];
    };
    /**
     * McpImported
     * @description What was added.
     */
    McpImported: {
      /** Servers */
      servers: components["schemas"]["McpServerInfo"][];
    };
    /**
     * McpConfig
     * @description The settings of an MCP server as `config.toml` has them.
     *
     *     Values of `env` and `headers` are shown only if they consist of references; others are None.
     */
    McpConfig: {
      /** Enabled */
      enabled: boolean;
      /** Command */
      command: string | null;
      /** Args */
      args: string[];
      /** Env */
      env: {
        [key: string]: string | null;
      };
      /** Cwd */
      cwd: string | null;
      /** Url */
      url: string | null;
      /** Headers */
      headers: {
        [key: string]: string | null;
      };
      /** Roots */
      roots: string[] | null;
      /** Tools */
      tools: string[] | null;
      /** Disabled Tools */
      disabled_tools: string[];
      /** Agents */
      agents: string[] | null;
      /**
       * Risk
       * @enum {string}
       */
      risk: "low" | "medium" | "high";
      /** Timeout S */
      timeout_s: number;
    };
    /**
     * McpPrompt
     * @description A prompt that an MCP server offers.
     */
    McpPrompt: {
      /** Name */
      name: string;
      /**
       * Title
       * @default null
       */
      title?: string | null;
      /**
       * Description
       * @default null
       */
      description?: string | null;
      /** Arguments */
      arguments: components["schemas"]["McpPromptArgument"][];
    };
    /** McpPromptArgument */
    McpPromptArgument: {
      /** Name */
      name: string;
      /**
       * Description
       * @default null
       */
      description?: string | null;
      /**
       * Required
       * @default false
       */
      required?: boolean;
    };
    /**
     * McpResource
     * @description A resource that an MCP server lists. `size` is in bytes.
     */
    McpResource: {
      /** Uri */
      uri: string;
      /** Name */
      name: string;
      /**
       * Title
       * @default null
       */
      title?: string | null;
      /**
       * Description
       * @default null
       */
      description?: string | null;
      /**
       * Mime Type
       * @default null
       */
      mime_type?: string | null;
      /**
       * Size
       * @default null
       */
      size?: number | null;
    };
    /**
     * McpServerDetails
     * @description An MCP server with its settings, and all that it offers.
     */
    McpServerDetails: {
      /** Name */
      name: string;
      /** Enabled */
      enabled: boolean;
      /**
       * State
       * @enum {string}
       */
      state: "disabled" | "idle" | "starting" | "ready" | "backoff" | "crashed";
      /**
       * Transport
       * @enum {string}
       */
      transport: "stdio" | "http";
      /**
       * Where
       * @description the program, or the address
       */
      where: string;
      /**
       * Pid
       * @default null
       */
      pid?: number | null;
      /**
       * Ready Since
       * @default null
       */
      ready_since?: string | null;
      /**
       * Error
       * @default null
       */
      error?: string | null;
      /**
       * Hint
       * @default null
       */
      hint?: string | null;
      /**
       * Problems
       * @default []
       */
      problems?: string[];
      /**
       * Failures
       * @description failures since it was last healthy
       * @default 0
       */
      failures?: number;
      /**
       * Next Try
       * @default null
       */
      next_try?: string | null;
      /**
       * Protocol
       * @description the version of the protocol
       * @default null
       */
      protocol?: string | null;
      /**
       * Implementation
       * @default null
       */
      implementation?: string | null;
      /**
       * Tools
       * @description tools that are offered
       * @default 0
       */
      tools?: number;
      /**
       * Changed Tools
       * @description tools with a changed definition; their next call asks
       * @default 0
       */
      changed_tools?: number;
      /**
       * Resources
       * @default 0
       */
      resources?: number;
      /**
       * Prompts
       * @default 0
       */
      prompts?: number;
      /**
       * Agents
       * @description the agents that get its tools; None: all
       * @default null
       */
      agents?: string[] | null;
      /**
       * Managed
       * @description it is a service with settings of its own: the agent's browser
       */
      managed: boolean;
      config: components["schemas"]["McpConfig"];
      /** Tool List */
      tool_list: components["schemas"]["McpTool"][];
      /** Resource List */
      resource_list: components["schemas"]["McpResource"][];
      /** Prompt List */
      prompt_list: components["schemas"]["McpPrompt"][];
    };
    /**
     * McpRemoved
     * @description The server was deleted.
     */
    McpRemoved: {
      /** Name */
      name: string;
    };
    /**
     * McpContent
     * @description What a server gave for a message. The files are attachments that the message can name.
     *
     *     In `text`, a mark such as `[name: address]` refers to each file. A resource has no text.
     */
    McpContent: {
      /** Text */
      text: string;
      /** Attachments */
      attachments: components["schemas"]["AttachmentInfo"][];
    };
    /**
     * HostCallInfo
     * @description A call of a host's tool that has not ended.
     */
    HostCallInfo: {
      /** Call Id */
      call_id: string;
      /** Tool */
      tool: string;
      /** Arguments */
      arguments: {
        [key: string]: unknown;
      };
      /** Agent Id */
      agent_id: string;
      /** Session Id */
      session_id: string;
      /** Turn Id */
      turn_id: string;
      /** Deadline */
      deadline: string | null;
      /** Accepted */
      accepted: boolean;
    };
    /**
     * HostRegistered
     * @description `lease` proves with each call that the registration is the newest one of the host.
     */
    HostRegistered: {
      /** Host Id */
      host_id: string;
      /** Lease */
      lease: string;
      /**
       * Heartbeat S
       * @description send a heartbeat at least this often, unless it registered over /ws
       */
      heartbeat_s: number;
      /**
       * Calls
       * @description that wait for the host, or that this instance has accepted
       */
      calls: components["schemas"]["HostCallInfo"][];
    };
    /**
     * HostAlive
     * @description `online`: whether the registration holds.
     */
    HostAlive: {
      /** Host Id */
      host_id: string;
      /** Online */
      online: boolean;
    };
    /**
     * HostCallDone
     * @description A call of a host has ended, or its progress was published.
     */
    HostCallDone: {
      /** Call Id */
      call_id: string;
      /**
       * State
       * @enum {string}
       */
      state: "accepted" | "done" | "failed";
    };
    /**
     * Bootstrap
     * @description What a UI needs before any other call. `runtime_surface` is `native` when a desktop shell asks.
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
     * @description A one-time sign-in link for one browser. The code is in the URL's fragment, which is neither sent nor logged.
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
     * @description `bearer`: what the page sends as `Authorization: Bearer` from now on; valid until the daemon stops.
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
        /** @description search in titles and messages */
        q?: string | null;
        archived?: boolean;
        /** @description list the trash, the last deleted first */
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
        /** @description the text to search for */
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
  fork: {
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
        "application/json": components["schemas"]["ForkRequest"];
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
  rewind: {
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
        "application/json": components["schemas"]["RewindRequest"];
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
            data: components["schemas"]["Rewound"];
          };
        };
      };
    };
  };
  unrewind: {
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
        "application/json": components["schemas"]["UnrewindRequest"];
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
            data: components["schemas"]["Rewound"];
          };
        };
      };
    };
  };
  upload: {
    parameters: {
      query?: never;
      header?: {
        /** @description the file's name, UTF-8, percent-encoded */
        "x-filename"?: string;
      };
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/octet-stream": string;
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
            data: components["schemas"]["AttachmentInfo"];
          };
        };
      };
    };
  };
  download: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        attachment_id: string;
      };
      cookie?: never;
    };
    requestBody?: never;
    responses: {
      /** @description the file */
      200: {
        headers: {
          [name: string]: unknown;
        };
        content: {
          "application/octet-stream": string;
        };
      };
    };
  };
  list_changes: {
    parameters: {
      query?: {
        turn_id?: string | null;
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
            data: components["schemas"]["SessionChanges"];
          };
        };
      };
    };
  };
  revert_changes: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["RevertRequest"];
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
            data: components["schemas"]["Reverted"];
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
  questions: {
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
            data: components["schemas"]["QuestionInfo"][];
          };
        };
      };
    };
  };
  answer: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["AnswerRequest"];
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
            data: components["schemas"]["Answered"];
          };
        };
      };
    };
  };
  inbox: {
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
            data: components["schemas"]["InboxEntry"][];
          };
        };
      };
    };
  };
  audit: {
    parameters: {
      query?: {
        session_id?: string | null;
        agent_id?: string | null;
        tool?: string | null;
        decision?: ("allow" | "deny") | null;
        /** @description RFC 3339 */
        since?: string | null;
        /** @description RFC 3339 */
        until?: string | null;
        before?: string | null;
        after?: string | null;
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
            data: components["schemas"]["DecisionPage"];
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
      query?: {
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
  folders: {
    parameters: {
      query?: {
        path?: string | null;
        hidden?: boolean;
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
            data: components["schemas"]["FolderList"];
          };
        };
      };
    };
  };
  get_trust: {
    parameters: {
      query?: {
        path?: string | null;
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
            data: components["schemas"]["TrustView"];
          };
        };
      };
    };
  };
  trust: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["TrustRequest"];
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
            data: components["schemas"]["TrustView"];
          };
        };
      };
    };
  };
  untrust: {
    parameters: {
      query: {
        path: string;
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
            data: components["schemas"]["TrustView"];
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
      /** @description the data of each SSE frame is one Event */
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
  servers: {
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
            data: components["schemas"]["McpServerInfo"][];
          };
        };
      };
    };
  };
  try_server: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["McpTry"];
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
            data: components["schemas"]["McpTryAnswer"];
          };
        };
      };
    };
  };
  sources: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["McpSourcesRequest"];
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
            data: components["schemas"]["McpSource"][];
          };
        };
      };
    };
  };
  import_servers: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["McpImport"];
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
            data: components["schemas"]["McpImported"];
          };
        };
      };
    };
  };
  server: {
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
            data: components["schemas"]["McpServerDetails"];
          };
        };
      };
    };
  };
  put_server_put: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["McpSpec"];
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
            data: components["schemas"]["McpServerDetails"];
          };
        };
      };
    };
  };
  delete_server: {
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
            data: components["schemas"]["McpRemoved"];
          };
        };
      };
    };
  };
  patch_server: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["McpPatch"];
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
            data: components["schemas"]["McpServerDetails"];
          };
        };
      };
    };
  };
  restart_server: {
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
            data: components["schemas"]["McpServerInfo"];
          };
        };
      };
    };
  };
  read_resource: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["McpRead"];
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
            data: components["schemas"]["McpContent"];
          };
        };
      };
    };
  };
  fill_prompt: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        name: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["McpFill"];
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
            data: components["schemas"]["McpContent"];
          };
        };
      };
    };
  };
  server_logs: {
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
  hosts: {
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
            data: components["schemas"]["HostInfo"][];
          };
        };
      };
    };
  };
  register_host: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HostRegister"];
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
            data: components["schemas"]["HostRegistered"];
          };
        };
      };
    };
  };
  remove_host: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        host_id: string;
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
            data: components["schemas"]["HostAlive"];
          };
        };
      };
    };
  };
  host_heartbeat: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        host_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HostLease"];
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
            data: components["schemas"]["HostAlive"];
          };
        };
      };
    };
  };
  host_leave: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        host_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HostLease"];
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
            data: components["schemas"]["HostAlive"];
          };
        };
      };
    };
  };
  host_accept: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        host_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HostAccept"];
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
            data: components["schemas"]["HostCallInfo"];
          };
        };
      };
    };
  };
  host_result: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        host_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HostResult"];
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
            data: components["schemas"]["HostCallDone"];
          };
        };
      };
    };
  };
  host_progress: {
    parameters: {
      query?: never;
      header?: never;
      path: {
        host_id: string;
      };
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["HostProgress"];
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
            data: components["schemas"]["HostCallDone"];
          };
        };
      };
    };
  };
  browser: {
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
            data: components["schemas"]["BrowserInfo"];
          };
        };
      };
    };
  };
  set_browser: {
    parameters: {
      query?: never;
      header?: never;
      path?: never;
      cookie?: never;
    };
    requestBody: {
      content: {
        "application/json": components["schemas"]["BrowserPatch"];
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
            data: components["schemas"]["BrowserInfo"];
          };
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
  "question_asked",
  "question_answered",
  "host_call",
  "host_cancel",
  "error",
  "done",
  "status_change",
  "message_added",
  "history_cleared",
  "history_rewound",
  "history_unrewound",
  "files_changed",
  "session_changed",
  "config_changed",
  "rules_changed",
  "agents_changed",
  "service_changed",
  "mcp_changed",
  "host_changed",
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
