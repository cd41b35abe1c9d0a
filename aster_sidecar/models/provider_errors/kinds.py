"""The kinds of refusal: for each, our error code, what happened, and the hint that people see."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of refusal. `code` is our error code; `message` and `hint` are shown to people.

    In `hint`, {key} and {base} are the names of environment variables, {model} is the provider's name of the model,
    {wait} is empty or ` for N s`. `lacks` is the feature that the server does not have (see `chosen.LACKING`).
    """

    code: str
    message: str
    hint: str
    retryable: bool = False
    lacks: str | None = None


KINDS: dict[str, Kind] = {
    "context": Kind(
        "context_too_long",
        "the conversation is longer than the model can read",
        "start a new session, clear the history, or choose a model with a larger context window",
    ),
    "quota": Kind("quota_exhausted", "quota or credit is used up", "check billing and limits at the provider"),
    "rate": Kind("rate_limited", "too many requests", "wait{wait} and send again", retryable=True),
    "too_large_for_rate": Kind(
        "rate_limited",
        "this request alone exceeds the account's limit per minute",
        "waiting does not help: start a new session, send less at once, or ask the provider to raise the limit",
    ),
    "key": Kind("key_refused", "the provider refused the key", "check {key}"),
    "forbidden": Kind(
        "key_refused", "the provider refused access", "check {key}: it may have no permission for this model"
    ),
    "region": Kind(
        "request_refused",
        "the provider does not serve this country or region",
        "choose another provider, or check the proxy settings",
    ),
    "access": Kind(
        "model_unknown",
        "the account may not use this model",
        "choose another model, or give the account of {key} access to it",
    ),
    "model": Kind("model_unknown", "the provider does not know this model", "check its name: GET /api/models"),
    "unloaded": Kind("model_unknown", "the server has no model loaded", "load a model in the server, then send again"),
    "endpoint": Kind(
        "endpoint_unknown",
        "the server has no such endpoint",
        "check {base}: it must be the base URL of the server's API, which often ends in /v1",
        lacks="responses",
    ),
    "only_responses": Kind(
        "endpoint_unknown",
        "the provider offers this model at another address",
        "choose the model as openai:{model}, which uses /responses",
    ),
    "tools": Kind(
        "tools_unsupported",
        "the model does not support tools",
        "choose a model that does, or an agent with `tools: []`",
        lacks="tools",
    ),
    "images": Kind(
        "attachment_unsupported",
        "the model does not support images",
        "choose a model that does, or send text only",
        lacks="images",
    ),
    "files": Kind(
        "attachment_unsupported",
        "the model or its server does not support files such as PDFs",
        "choose a model that does, or send the text of the file",
        lacks="files",
    ),
    "attachment": Kind(
        "attachment_refused",
        "the provider refused an image or a file",
        "send a smaller one, fewer of them, or another format; a new session has none of the earlier ones",
    ),
    "roles": Kind(
        "request_refused",
        "the model's chat template refuses this order of messages",
        "start a new session, or choose another model",
        lacks="roles",
    ),
    "system": Kind(
        "request_refused", "the model does not support system messages", "choose another model", lacks="system"
    ),
    "ids": Kind(
        "request_refused",
        "the model refuses the ids of earlier tool calls",
        "start a new session, or choose the model that created them",
        lacks="ids",
    ),
    "items": Kind(
        "request_refused",
        "the server cannot determine the type of an earlier message",
        "choose another model, or use openai-chat: for this one",
        lacks="items",
    ),
    "loading": Kind(
        "model_loading", "the server is still loading the model", "wait{wait} and send again", retryable=True
    ),
    "memory": Kind(
        "out_of_memory",
        "the model does not fit into the server's memory",
        "choose a smaller model or a shorter context, or end programs that use memory",
    ),
    "content": Kind("content_refused", "the provider's filter refused", "rephrase your message"),
    "unavailable": Kind(
        "provider_unavailable", "the provider is overloaded or down", "try again later", retryable=True
    ),
    "timeout": Kind(
        "provider_timeout",
        "the provider did not answer in time",
        "try again; a long request takes longer",
        retryable=True,
    ),
    "server": Kind("provider_error", "the provider failed", "try again later", retryable=True),
    "output": Kind(
        "request_refused", "the requested answer is longer than the model can write", "choose another model"
    ),
    "proxy": Kind(
        "request_refused",
        "a proxy or gateway answered instead of the provider",
        "check the network, the proxy settings and {base}",
    ),
    "proxy_key": Kind(
        "request_refused",
        "a proxy requires a name and a password",
        "check the proxy settings: HTTPS_PROXY may contain both",
    ),
    "unloadable": Kind(
        "provider_error",
        "the server cannot run this model",
        "check the model server's log, or choose another model",
    ),
    "request": Kind("request_refused", "the provider refused the request", "choose another model, or a new session"),
}
HINTS_BY_PROVIDER: dict[tuple[str, str], str] = {
    ("context", "llamacpp"): "start a new session, or start llama-server with a larger --ctx-size",
    ("context", "ollama"): "start a new session, or give Ollama a larger context (OLLAMA_CONTEXT_LENGTH, num_ctx)",
    ("context", "lmstudio"): "start a new session, or load the model in LM Studio with a larger context length",
    ("model", "ollama"): "run: ollama pull {model}",
    ("model", "lmstudio"): "load it in LM Studio, or run: lms load {model}",
    ("model", "llamacpp"): "start llama-server with this model, or choose the one it has: GET /api/models",
    ("unloaded", "lmstudio"): "load it in LM Studio, or run: lms load {model}",
    ("tools", "llamacpp"): "start llama-server with --jinja, choose another model, or an agent with `tools: []`",
    ("images", "llamacpp"): "start llama-server with --mmproj and the model's projector, or choose another model",
    ("memory", "llamacpp"): "start llama-server with a smaller --ctx-size or a smaller model",
}
"""(kind, provider) → the hint for a server on this machine."""
REFUSAL_CODES = frozenset(kind.code for kind in KINDS.values()) | {"malformed_stream"}
"""Every code that a refusal can have."""
