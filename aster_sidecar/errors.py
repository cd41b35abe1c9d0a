"""The errors of requests and turns, each with a stable code, an HTTP status and a hint that a person can act on.

AsterError
├── BadRequest            400  bad_request
│   ├── MalformedBody     400  malformed_body
│   └── ConfigInvalid     422  config_invalid
├── GateError                  (refused by the gate: http/gate.py)
│   ├── HostAmbiguous     400  host_ambiguous
│   ├── HostRefused       421  host_refused
│   ├── OriginRefused     403  origin_refused
│   ├── PeerRefused       403  peer_refused
│   ├── TokenRefused      401  token_refused
│   ├── WrongMediaType    415  wrong_media_type
│   └── BodyTooLarge      413  body_too_large
├── InvalidShape          422  invalid_shape
│   ├── ArgumentsInvalid  422  arguments_invalid
│   ├── AnswersInvalid    422  answers_invalid
│   ├── RuleInvalid       422  rule_invalid
│   └── NotTurnStart      422  not_a_turn_start
├── NotFound              404  not_found
│   ├── AgentNotFound     404  agent_not_found
│   ├── SessionNotFound   404  session_not_found
│   ├── MessageNotFound   404  message_not_found
│   ├── RewindNotFound    404  rewind_not_found
│   ├── ChangeNotFound    404  change_not_found
│   ├── ApprovalNotFound  404  approval_not_found
│   ├── QuestionNotFound  404  question_not_found
│   ├── HostNotFound      404  host_not_found
│   ├── HostCallNotFound  404  host_call_not_found
│   ├── AttachmentNotFound 404 attachment_not_found
│   ├── RuleNotFound      404  rule_not_found
│   ├── ServiceNotFound   404  service_not_found
│   ├── McpNotFound       404  mcp_not_found
│   ├── BearerNotFound    404  bearer_not_found
│   ├── ClientNotFound    404  client_not_found
│   └── ToolNotFound      404  tool_not_found
├── MethodNotAllowed      405  method_not_allowed
├── Conflict              409
│   ├── AgentBusy         409  agent_busy
│   ├── ApprovalResolved  409  approval_resolved
│   ├── QuestionResolved  409  question_resolved
│   ├── HostTaken         409  host_taken
│   ├── ToolTaken         409  tool_taken
│   ├── LeaseLost         409  lease_lost
│   ├── HostCallTaken     409  host_call_taken
│   ├── HostCallEnded     409  host_call_ended
│   ├── EditUnconfirmed   409  edit_unconfirmed
│   ├── TrustChanged      409  trust_changed
│   ├── RevertConflict    409  revert_conflict
│   └── IdempotencyMismatch 409 idempotency_mismatch
├── ApprovalExpired       410  approval_expired
├── QuestionExpired       410  question_expired
├── HandoffRefused        410  handoff_refused
├── PolicyDenied          403  policy_denied
├── CallNotYours          403  call_not_yours
├── DiagnosticsFailed     500  diagnostics_failed
├── McpFailed             502  mcp_failed
├── Stopping              503  stopping
├── StoreError            503  store_unavailable
│   ├── StoreTooNew       503  store_too_new
│   └── StoreCorrupt      503  store_corrupt
├── FolderUnusable        409  folder_unusable
├── LimitReached          429  limit_reached
└── ModelError            502  (a turn could not continue: models/provider_errors/exceptions.py)
    └── Refused           502  (a provider refused a request: models/provider_errors/classify.py)
    one code each: model_not_set, model_unknown, no_local_model, address_invalid, key_missing, key_refused,
    quota_exhausted, rate_limited, provider_error, provider_unavailable, provider_unreachable, provider_timeout,
    context_too_long, malformed_stream, bad_tool_call, content_refused, request_refused, extra_missing,
    demo_failure, interrupted, internal_error, endpoint_unknown, tools_unsupported, attachment_unsupported,
    attachment_refused, model_loading, out_of_memory, output_limit, model_silent, mcp_unavailable
"""

from __future__ import annotations


class AsterError(Exception):
    """An error of the wire contract.

    `code` is stable and documented in docs/protocol.md. `status` is the HTTP status. `hint` tells a person what to do.
    `details` is a JSON value that a client needs in order to continue.
    """

    code = "internal_error"
    status = 500
    hint: str | None = None
    details: object = None

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if hint is not None:
            self.hint = hint


class BadRequest(AsterError):
    code, status = "bad_request", 400


class MalformedBody(BadRequest):
    code = "malformed_body"
    hint = "send one JSON object, UTF-8"


class ConfigInvalid(BadRequest):
    code, status = "config_invalid", 422


class GateError(AsterError):
    code, status = "gate", 403


class HostAmbiguous(GateError):
    code, status = "host_ambiguous", 400
    hint = "send exactly one Host header"


class HostRefused(GateError):
    code, status = "host_refused", 421
    hint = "use http://127.0.0.1:PORT, the address the daemon printed"


class OriginRefused(GateError):
    code = "origin_refused"
    hint = "pages of unlisted origins are refused; --framework chooses the listed origins, --allow-origin adds one"


class PeerRefused(GateError):
    code = "peer_refused"
    hint = "only programs of the user who started the daemon may connect, and none that a tool started"


class TokenRefused(GateError):
    code, status = "token_refused", 401
    hint = "send Authorization: Bearer TOKEN, the token the launcher gave the daemon"


class WrongMediaType(GateError):
    code, status = "wrong_media_type", 415
    hint = "send Content-Type: application/json"


class BodyTooLarge(GateError):
    code, status = "body_too_large", 413
    hint = "a request body is at most 1 MiB"


class InvalidShape(AsterError):
    code, status = "invalid_shape", 422
    hint = "docs/protocol.md and /openapi.json describe every request"


class ArgumentsInvalid(InvalidShape):
    code = "arguments_invalid"
    hint = "edited arguments must fit the tool's schema: GET /api/tools shows it"


class AnswersInvalid(InvalidShape):
    """Answers don't fit the form: `details` says why, by the ids of the fields."""

    code = "answers_invalid"
    hint = "the question's `fields` say what each answer has to be: GET /api/questions shows them"


class RuleInvalid(InvalidShape):
    code = "rule_invalid"


class NotTurnStart(InvalidShape):
    code = "not_a_turn_start"
    hint = "name a message of a person that began a turn: not an answer, and not a message sent during a turn"


class NotFound(AsterError):
    code, status = "not_found", 404
    hint = "docs/protocol.md lists the endpoints"


class AgentNotFound(NotFound):
    code = "agent_not_found"
    hint = "GET /api/agents lists them"


class SessionNotFound(NotFound):
    code = "session_not_found"
    hint = "GET /api/sessions lists them"


class MessageNotFound(NotFound):
    code = "message_not_found"
    hint = "GET /api/history lists the messages of the conversation"


class RewindNotFound(NotFound):
    code = "rewind_not_found"
    hint = "a rewind can be undone until the next message is sent"


class ChangeNotFound(NotFound):
    code = "change_not_found"
    hint = "GET /api/sessions/{session_id}/changes lists the changes"


class ApprovalNotFound(NotFound):
    code = "approval_not_found"
    hint = "GET /api/approvals lists the open ones"


class QuestionNotFound(NotFound):
    code = "question_not_found"
    hint = "GET /api/questions lists the open ones"


class HostNotFound(NotFound):
    code = "host_not_found"
    hint = "GET /api/hosts lists them; register again"


class HostCallNotFound(NotFound):
    code = "host_call_not_found"
    hint = "a `host_call` event, or the answer to the registration, names the calls"


class AttachmentNotFound(NotFound):
    code = "attachment_not_found"
    hint = "upload the file again: POST /api/attachments"


class RuleNotFound(NotFound):
    code = "rule_not_found"
    hint = "GET /api/permissions/rules lists them"


class ServiceNotFound(NotFound):
    code = "service_not_found"
    hint = "GET /api/services lists them; [services.NAME] in config.toml adds one"


class McpNotFound(NotFound):
    code = "mcp_not_found"
    hint = "GET /api/mcp lists the MCP servers; PUT /api/mcp/NAME adds one"


class BearerNotFound(NotFound):
    code = "bearer_not_found"
    hint = "GET /api/handoff lists the browsers that are signed in"


class ClientNotFound(NotFound):
    code = "client_not_found"
    hint = "use the client_id of the `connected` event of an open event stream"


class ToolNotFound(NotFound):
    code = "tool_not_found"
    hint = "GET /api/tools lists them"


class MethodNotAllowed(AsterError):
    code, status = "method_not_allowed", 405
    hint = "docs/protocol.md lists the methods of each endpoint"


class Conflict(AsterError):
    code, status = "conflict", 409


class AgentBusy(Conflict):
    code = "agent_busy"
    hint = "wait for done, POST /api/cancel, or send with if_busy: queue, steer or interrupt"


class ApprovalResolved(Conflict):
    code = "approval_resolved"
    hint = "the question was already answered or closed; GET /api/history shows how"


class QuestionResolved(Conflict):
    code = "question_resolved"
    hint = "the question was already answered or closed; GET /api/history shows how"


class HostTaken(Conflict):
    code = "host_taken"
    hint = "another instance of the host is there; register with `replace` to take over"


class ToolTaken(Conflict):
    code = "tool_taken"
    hint = "GET /api/tools lists the names that are in use"


class LeaseLost(Conflict):
    code = "lease_lost"
    hint = "register again, and answer with the new lease"


class HostCallTaken(Conflict):
    code = "host_call_taken"
    hint = "another instance has accepted the call, and answers it"


class HostCallEnded(Conflict):
    code = "host_call_ended"
    hint = "the call was answered, cancelled, or its time is over; GET /api/history shows how it ended"


class EditUnconfirmed(Conflict):
    """The edited arguments would do something that the person was not shown: `details` (wire.CheckAnswer)."""

    code = "edit_unconfirmed"
    hint = "show `details` to the person, and answer again with its `confirm`"


class TrustChanged(Conflict):
    """A project's files are not those that the person saw: `details` (wire.TrustView) has those of now."""

    code = "trust_changed"
    hint = "show `details` to the person, and send its `digest`"


class RevertConflict(Conflict):
    """Files changed since, or can't be restored: `details` (a list of wire.NotReverted). Nothing was written."""

    code = "revert_conflict"
    hint = "show `details` to the person; `force` takes paths that are undone nevertheless"


class IdempotencyMismatch(Conflict):
    code = "idempotency_mismatch"
    hint = "a client_message_id names one message; use a new one for another text"


class ApprovalExpired(AsterError):
    code, status = "approval_expired", 410
    hint = "ask the agent again; approval_timeout_s sets how long a request waits"


class QuestionExpired(AsterError):
    code, status = "question_expired", 410
    hint = "ask the agent again; approval_timeout_s sets how long a question waits"


class HandoffRefused(AsterError):
    code, status = "handoff_refused", 410
    hint = "ask the app for a new link; each link works once"


class PolicyDenied(AsterError):
    code, status = "policy_denied", 403
    hint = "a deny rule forbids this; GET /api/permissions/rules lists the rules"


class CallNotYours(AsterError):
    code, status = "call_not_yours", 403
    hint = "a host can answer only calls of its own tools"


class DiagnosticsFailed(AsterError):
    code, status = "diagnostics_failed", 500
    hint = "check that the log directory has free space and that the daemon may write there"


class McpFailed(AsterError):
    """An MCP server is not available, or could not answer. The message says which and why."""

    code, status = "mcp_failed", 502
    hint = "GET /api/mcp has the state of the server, and GET /api/mcp/{name}/logs its output"


class Stopping(AsterError):
    code, status = "stopping", 503
    hint = "the daemon is stopping; try again when it is back"


class StoreError(AsterError):
    code, status = "store_unavailable", 503
    hint = "nothing was recorded; check free space and permissions of the data directory"


class StoreLocked(StoreError):
    """Another process uses the store. Clients get the code of StoreError, since the store is unavailable to them."""


class StoreTooNew(StoreError):
    code = "store_too_new"
    hint = "the data directory was written by a newer version; update, or use another --data-dir"


class StoreCorrupt(StoreError):
    code = "store_corrupt"
    hint = (
        "restore aster.db from a backup (aster-sidecar store restore FILE), "
        "or start with an empty one (aster-sidecar store new)"
    )


class ModelError(AsterError):
    """Why a turn could not continue. It becomes one `error` event, followed by `done`.

    `retryable`: the same request may succeed later. `retry_after_s`: how long the provider says to wait.
    """

    status = 502

    def __init__(
        self, code: str, message: str, *, hint: str, retryable: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.code = code
        self.retryable = retryable
        self.retry_after_s = retry_after_s


class Refused(ModelError):
    """A provider refused a request, or failed to serve it.

    `provider_status`: its HTTP status; None when the refusal came inside a response that began with success.
    `window_tokens`: the context window that the refusal states; `asked_tokens`: the size of the request that it states.
    `lacks`: what the server does not support: tools, images, roles (their order), ids (of tool calls), system
    (messages), items (without a type), or responses (the requested endpoint does not exist, so another may be tried).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str,
        retryable: bool = False,
        retry_after_s: float | None = None,
        provider_status: int | None = None,
        window_tokens: int | None = None,
        asked_tokens: int | None = None,
        lacks: str | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint, retryable=retryable, retry_after_s=retry_after_s)
        self.provider_status = provider_status
        self.window_tokens = window_tokens
        self.asked_tokens = asked_tokens
        self.lacks = lacks


class FolderUnusable(AsterError):
    """A turn could not begin, because its tools can't work in the session's folder. The message names it."""

    code, status = "folder_unusable", 409
    hint = "restore the folder, or choose another: PATCH /api/sessions/{session_id} takes work_dir"


class LimitReached(AsterError):
    """A turn reached a limit and ends with `stop_reason: limit`. The message names the limit."""

    code, status = "limit_reached", 429
    hint = "send another message to go on; max_requests, max_tool_calls, max_tokens and max_turn_s set the limits"
