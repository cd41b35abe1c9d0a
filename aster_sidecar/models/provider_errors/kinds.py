"""The ways in which a provider refuses: for each, the code it has here, what happened in words, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to refuse: the code it has here, what happened in words, and what mends it.

    In `mends`, {key} and {base} are the names of the variables, {model} is the provider's name of the model.
    """

    code: str
    says: str
    mends: str
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
        "this one request is larger than all that the account may send in a minute",
        "waiting does not help: start a new session, send less at once, or have the limit raised at the provider",
    ),
    "key": Kind("key_refused", "the provider refused the key", "check {key}"),
    "forbidden": Kind(
        "key_refused", "the provider refused access", "check {key}: it may lack the right to use this model"
    ),
    "region": Kind(
        "request_refused",
        "the provider does not serve this country or region",
        "choose another provider, or check the proxy settings",
    ),
    "access": Kind(
        "model_unknown",
        "the account may not use this model",
        "choose another model, or have the account of {key} allowed to use it",
    ),
    "model": Kind("model_unknown", "the provider does not know this model", "check its name: GET /api/models"),
    "unloaded": Kind("model_unknown", "the server has no model loaded", "load a model in the server, then send again"),
    "endpoint": Kind(
        "endpoint_unknown",
        "the server has nothing at the address that was asked",
        "check {base}: it must be the address that the server's interface begins at, often ending in /v1",
        lacks="responses",
    ),
    "only_responses": Kind(
        "endpoint_unknown",
        "the provider offers this model at another address",
        "choose the model as openai:{model}, which asks at /responses",
    ),
    "tools": Kind(
        "tools_unsupported",
        "the model can't use tools",
        "choose a model that can, or an agent with `tools: []`",
        lacks="tools",
    ),
    "images": Kind(
        "images_unsupported",
        "the model can't read images",
        "choose a model that can, or send text only",
        lacks="images",
    ),
    "roles": Kind(
        "request_refused",
        "the model's chat template refuses this order of messages",
        "start a new session, or choose another model",
        lacks="roles",
    ),
    "system": Kind(
        "request_refused", "the model takes no instructions in a system message", "choose another model", lacks="system"
    ),
    "ids": Kind(
        "request_refused",
        "the model refuses the ids of earlier tool calls",
        "start a new session, or choose the model that made them",
        lacks="ids",
    ),
    "items": Kind(
        "request_refused",
        "the server can't tell what an earlier message is",
        "choose another model, or openai-chat: for this one",
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
    "content": Kind("content_refused", "the provider's filter refused", "say it otherwise"),
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
    "output": Kind("request_refused", "the answer asked for is longer than the model can give", "choose another model"),
    "proxy": Kind(
        "request_refused",
        "a proxy or gateway in between answered, not the provider",
        "check the network, the proxy settings and {base}",
    ),
    "proxy_key": Kind(
        "request_refused",
        "a proxy in between asks for a name and a password",
        "check the proxy settings: HTTPS_PROXY may name both",
    ),
    "unloadable": Kind(
        "provider_error",
        "the server can't run this model",
        "look at the log of the model server, or choose another model",
    ),
    "request": Kind("request_refused", "the provider refused the request", "choose another model, or a new session"),
}
HERE: dict[tuple[str, str], str] = {
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
"""What mends it where one of the servers on this machine is asked."""
CODES_HERE = frozenset(kind.code for kind in KINDS.values()) | {"malformed_stream"}
"""Every code that a refusal may have."""
