"""The dialects that providers speak, each with the reader of its streams."""

from __future__ import annotations

from aster_sidecar.anthropic_reader import AnthropicReader
from aster_sidecar.chat_reader import ChatReader
from aster_sidecar.gemini_reader import GeminiReader
from aster_sidecar.reader import Reader
from aster_sidecar.responses_reader import ResponsesReader

READERS: tuple[type[Reader], ...] = (ChatReader, ResponsesReader, AnthropicReader, GeminiReader)
