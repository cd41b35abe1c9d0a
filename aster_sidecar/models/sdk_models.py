"""Builds pydantic-ai models on the providers' SDKs and our own HTTP client.

An SDK is imported when the first model needs it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from aster_sidecar.models import network
from aster_sidecar.models.library_patches import read_by_type, release_streams, send_as_is, unbuilt, use_timeouts
from aster_sidecar.models.request_context import FIRST_HERE_S, FIRST_S
from aster_sidecar.models.request_format import THOUGHT, with_thoughts, with_types
from aster_sidecar.models.sdk_objects import types_in
from aster_sidecar.text.addresses import is_loopback

if TYPE_CHECKING:
    from pydantic_ai.models import Model

    from aster_sidecar.models.streams.reader import Reader

CONNECT_TIMEOUT_S = 10.0
GOOGLE_VERSION = re.compile(r"/v1(?:alpha|beta)?$")
"""The end of a base URL that Google's SDK appends itself."""


class SdkModels:
    """Builds models. Those that are reached through the same proxy with the same certificates share an HTTP client.

    `wait_s`: longest wait without progress, when one is set. `edge`: requests pass through `transport.EdgeClient`.
    """

    def __init__(self, environment: Mapping[str, str], wait_s: float | None, *, edge: bool) -> None:
        self._environment = environment
        self._wait_s = wait_s
        self._edge = edge
        self.clients: dict[network.Way, Any] = {}

    def make(self, speaks: str, model_name: str, base_url: str | None, key: str, lacks: frozenset[str]) -> Model:
        """Build a model. The SDKs' retries are off; the engine retries visibly. Raises: ImportError, ModelError.

        `speaks` is the protocol: responses, chat, anthropic or google. `lacks` is as in `Chosen`.
        """
        silence_warnings()
        http = self._http(base_url)
        match speaks:
            case "google":
                return self._google(model_name, base_url, key, http)
            case "anthropic":
                return self._anthropic(model_name, base_url, key, http)
            case _:
                return self._openai(speaks, model_name, base_url, key, http, lacks)

    def _http(self, base_url: str | None) -> Any:
        """The HTTP client for a base URL. Raises: ModelError."""
        import httpx2

        way = network.way(base_url or "https://", self._environment)
        read_s = self._wait_s or (FIRST_HERE_S if is_loopback(base_url) else FIRST_S)
        timeout = httpx2.Timeout(read_s, connect=min(CONNECT_TIMEOUT_S, read_s))
        http = self.clients.get(way)
        if http is None:
            given: dict[str, Any] = {"timeout": timeout, "trust_env": False, "proxy": way.proxy, "verify": way.verify()}
            given["follow_redirects"] = not way.plain
            if self._edge:
                from aster_sidecar.models.transport import EdgeClient

                http = EdgeClient(known_types, **given)
            else:
                http = httpx2.AsyncClient(**given)
            self.clients[way] = http
        return http

    def _google(self, model_name: str, base_url: str | None, key: str, http: Any) -> Model:
        from google.genai import Client
        from google.genai.types import HttpOptions
        from pydantic_ai.models.google import GoogleModel
        from pydantic_ai.providers.google import GoogleProvider

        verify = network.way(base_url or "https://", self._environment).verify()
        options = HttpOptions(
            base_url=GOOGLE_VERSION.sub("", base_url or ""),
            httpx_async_client=http,
            # It also creates clients that are never used: they must not load certificates or read variables.
            client_args={"verify": verify, "trust_env": False},
            async_client_args={"ssl": verify},
        )
        google = Client(vertexai=False, api_key=key, http_options=options)
        use_timeouts(google, http.timeout)
        release_streams(google)
        return GoogleModel(model_name, provider=GoogleProvider(client=google))

    def _anthropic(self, model_name: str, base_url: str | None, key: str, http: Any) -> Model:
        from anthropic import AsyncAnthropic
        from anthropic.types.beta import BetaRawMessageStreamEvent
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.profiles.anthropic import AnthropicModelProfile
        from pydantic_ai.providers.anthropic import AnthropicProvider

        client = AsyncAnthropic(api_key=key, base_url=base_url, http_client=http, timeout=http.timeout, max_retries=0)
        read_by_type(client, BetaRawMessageStreamEvent)
        for messages in (client.messages, client.beta.messages):
            send_as_is(messages, ("messages", "tools", "system"), with_thoughts)
        # Otherwise unsigned thinking becomes a user message, which breaks the order of roles.
        profile = AnthropicModelProfile(mimics_assistant_message_formatting=False, thinking_tags=THOUGHT)
        return AnthropicModel(model_name, provider=AnthropicProvider(anthropic_client=client), profile=profile)

    def _openai(
        self, speaks: str, model_name: str, base_url: str | None, key: str, http: Any, lacks: frozenset[str]
    ) -> Model:
        from openai import AsyncOpenAI
        from pydantic_ai.providers.openai import OpenAIProvider

        openai = AsyncOpenAI(api_key=key, base_url=base_url, http_client=http, timeout=http.timeout, max_retries=0)
        provider = OpenAIProvider(openai_client=openai)
        if speaks == "chat":
            from pydantic_ai.models.openai import OpenAIChatModel
            from pydantic_ai.profiles.openai import OpenAIModelProfile

            profile = OpenAIModelProfile(
                # Without it an answer that was cut off looks complete.
                openai_chat_streaming_requires_finish_reason=True,
                # Otherwise pydantic-ai itself refuses PDFs at some addresses. Only a server's refusal can be learned.
                openai_chat_supports_document_input=True,
            )
            send_as_is(openai.chat.completions, ("messages", "tools"))
            return OpenAIChatModel(model_name, provider=provider, profile=profile)
        from openai.types.responses import ParsedResponse, ResponseStreamEvent
        from pydantic_ai.models.openai import OpenAIResponsesModel

        with unbuilt(ParsedResponse):  # 3 MB for a helper of the SDK that is not used
            from openai.resources.responses import AsyncResponses  # noqa: F401  # pyright: ignore[reportUnusedImport]
        read_by_type(openai, ResponseStreamEvent)
        send_as_is(openai.responses, ("input", "tools"), with_types if "items" in lacks else None)
        return OpenAIResponsesModel(model_name, provider=provider)

    async def close(self) -> None:
        """Close the connections to providers."""
        for client in self.clients.values():
            await client.aclose()
        self.clients.clear()


def silence_warnings() -> None:
    """Ignore pydantic-ai's warnings about unusual data from providers: users of the daemon cannot fix those."""
    from pydantic_ai.exceptions import UsageExtractionFailedWarning

    warnings.filterwarnings("ignore", category=UsageExtractionFailedWarning)
    warnings.filterwarnings("ignore", category=UserWarning, module=r"pydantic_ai\.models\.")
    warnings.filterwarnings("ignore", "Pydantic serializer warnings", UserWarning)


@cache
def known_types(dialect: type[Reader]) -> frozenset[str]:
    """The types of events and items that a dialect's SDK knows; empty when it accepts any type."""
    if dialect.path == "/responses":
        from openai.types.responses import ResponseOutputItem, ResponseStreamEvent

        return frozenset((*types_in(ResponseStreamEvent), *types_in(ResponseOutputItem)))
    if dialect.path == "/messages":
        from anthropic.types.beta import BetaContentBlock, BetaRawMessageStreamEvent

        return frozenset((*types_in(BetaRawMessageStreamEvent), *types_in(BetaContentBlock)))
    if dialect.path == ":streamGenerateContent":
        from google.genai import types

        words = (types.FinishReason, types.BlockedReason, types.HarmCategory, types.HarmProbability)
        words = (*words, types.MediaModality, types.TrafficType, types.UrlRetrievalStatus)
        words = (*words, types.Language, types.Outcome, types.ToolType)
        return frozenset(one.value for kind in words for one in kind)
    return frozenset()
