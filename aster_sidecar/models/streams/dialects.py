"""The dialects (protocols) of providers: each one's reader of event streams."""

from __future__ import annotations

from aster_sidecar.models.streams.anthropic import AnthropicReader
from aster_sidecar.models.streams.chat import ChatReader
from aster_sidecar.models.streams.gemini import GeminiReader
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.streams.responses import ResponsesReader

READERS: tuple[type[Reader], ...] = (ChatReader, ResponsesReader, AnthropicReader, GeminiReader)
