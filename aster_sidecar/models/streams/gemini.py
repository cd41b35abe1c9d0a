"""Reads streams of Google's Gemini API: objects of one kind, each with the new parts of the answer.

There is no last event: usage may follow the object with the finish reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, cast

from pydantic_core import SchemaValidator, core_schema

from aster_sidecar.models.request_context import Ending, Finish
from aster_sidecar.models.streams.events import Fields, ProviderError, parse_or_none
from aster_sidecar.models.streams.events import parts as lines_of
from aster_sidecar.models.streams.reader import Reader
from aster_sidecar.models.streams.shapes import Shape, fit, joined, sound

DETAILS: Shape = [{"modality": "text", "tokenCount": "count"}]
USAGE: Shape = {
    "promptTokenCount": "count",
    "candidatesTokenCount": "count",
    "thoughtsTokenCount": "count",
    "cachedContentTokenCount": "count",
    "toolUsePromptTokenCount": "count",
    "totalTokenCount": "count",
    "promptTokensDetails": DETAILS,
    "candidatesTokensDetails": DETAILS,
    "cacheTokensDetails": DETAILS,
    "toolUsePromptTokensDetails": DETAILS,
    "trafficType": "text",
}
PART: Shape = {
    "text": "text",
    "thoughtSignature": "text",
    "functionCall": {"id": "text", "name": "text"},
    "inlineData": {"mimeType": "text", "data": "text", "displayName": "text"},
    "executableCode": {"code": "text", "language": "text"},
    "codeExecutionResult": {"outcome": "text", "output": "text"},
    "toolCall": {"id": "text", "toolType": "text", "args": "fields"},
    "toolResponse": {"id": "text", "toolType": "text", "response": "fields"},
    "partMetadata": "fields",
}
RATINGS: Shape = [{"category": "text", "probability": "text"}]
CANDIDATE: Shape = {
    "content": {"parts": [PART], "role": "text"},
    "index": "position",
    "finishReason": "text",
    "finishMessage": "text",
    "tokenCount": "count",
    "safetyRatings": RATINGS,
    "citationMetadata": {
        "citationSources": [{"startIndex": "count", "endIndex": "count", "uri": "text", "license": "text"}]
    },
    "groundingMetadata": {
        "webSearchQueries": ["text"],
        "groundingChunks": [{"web": {"uri": "text", "title": "text", "domain": "text"}}],
        "groundingSupports": [
            {
                "segment": {"partIndex": "count", "startIndex": "count", "endIndex": "count", "text": "text"},
                "groundingChunkIndices": ["count"],
            }
        ],
        "searchEntryPoint": {"renderedContent": "text", "sdkBlob": "text"},
    },
    "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "text", "urlRetrievalStatus": "text"}]},
    "continuationToken": "text",
}
CHUNK: Shape = {
    "candidates": [CANDIDATE],
    "usageMetadata": USAGE,
    "promptFeedback": {"blockReason": "text", "blockReasonMessage": "text", "safetyRatings": RATINGS},
    "modelVersion": "text",
    "responseId": "text",
}
UNREAD = ("logprobsResult", "avgLogprobs", "modelStatus")
"""Fields that the SDK parses, may fail to parse, and does not use."""
CONTENTS = ("text", "functionCall", "inlineData", "toolCall", "toolResponse", "executableCode", "codeExecutionResult")
"""A part has one of these; pydantic-ai fails at a part with none."""
KINDS_OF = {
    "executableCode": "language",
    "codeExecutionResult": "outcome",
    "toolCall": "toolType",
    "toolResponse": "toolType",
}
"""Field of a part → the enumeration in it whose value the SDK must know."""
OTHER_WORDS: dict[str, Finish] = {
    **dict.fromkeys(("language", "image_prohibited_content", "image_recitation", "model_armor"), "content_filter"),
    **dict.fromkeys(("malformed_function_call", "unexpected_tool_call", "too_many_tool_calls"), "error"),
    **dict.fromkeys(("other", "malformed_response", "missing_thought_signature", "no_image", "image_other"), "error"),
    "continuation": "length",
}
"""Finish reasons that only Google has, or that mean something else here. An answer with an invalid call has failed,
because nothing is left of the call."""
SENT: dict[Finish, str] = {
    "stop": "STOP",
    "length": "MAX_TOKENS",
    "tool_calls": "STOP",
    "function_call": "STOP",
    "content_filter": "SAFETY",
    "error": "STOP",
}
"""Meaning → the finish reason for the SDK when it does not know the server's, or understands another meaning."""
PASSED_ON = (
    *("STOP", "MAX_TOKENS", "CONTINUATION", "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT"),
)
NO_WORD = ("", "FINISH_REASON_UNSPECIFIED", "NULL", "NONE")
LINE_ENDS = ((b"\xe2\x80\xa8", rb"\u2028"), (b"\xe2\x80\xa9", rb"\u2029"), (b"\xc2\x85", rb"\u0085"))
"""Characters that the SDK treats as the end of a line, and so of an event, with their escapes."""
SIMPLE = re.compile(rb"data: [^\r\n]*(?:\r\n|\n|\r)+")
BYTES = SchemaValidator(core_schema.bytes_schema(), {"val_json_bytes": "base64"})
"""Reads base64 in either alphabet, with or without padding."""


class GeminiReader(Reader):
    """Reads Google's Gemini API. `known`: the values of its enumerations that the SDK knows."""

    path = ":streamGenerateContent"

    def __init__(self, known: Collection[str] = ()) -> None:
        super().__init__(known)
        self._response_id: str | None = None
        self._call_ids: set[str] = set()
        self._code = False
        """Whether executable code arrived: pydantic-ai fails at a result without code."""
        self._early = False
        """Whether more followed a finish reason: some servers send one with each event."""

    # -- the form of events ------------------------------------------------------------------------------------------

    def _frame(self, frame: bytes) -> None:
        """Process one event. The SDK fails at comments, names and empty events, and requires a space after `data:`."""
        for sign, escaped in LINE_ENDS:
            if sign in frame:
                frame = frame.replace(sign, escaped)
        if not SIMPLE.fullmatch(frame):
            kind, body = lines_of(frame)
            name = b"event: " + kind.encode("utf-8", "replace") + b"\n" if kind else b""
            frame = name + b"data: " + (body or b"").strip().replace(b"\n", b" ") + b"\n\n"
        if not frame.endswith(b"data: \n\n"):
            super()._frame(frame)

    def encode(self, kind: str, value: Fields) -> bytes:
        data = super().encode("", value)
        for sign, escaped in LINE_ENDS:
            data = data.replace(sign, escaped)
        return data

    # -- events ------------------------------------------------------------------------------------------------------

    def event(self, frame: bytes, kind: str, value: Fields, odd: bool) -> None:
        if not odd and not kind and self._is_plain(frame, value):
            return
        if says_error(kind, value):
            if not self.finished:
                raise ProviderError(value)
            return
        right = cast("Fields", fit(value, CHUNK))
        repaired = odd or bool(kind) or right is not value
        value = {name: one for name, one in right.items() if name not in UNREAD}
        repaired |= len(value) != len(right)
        repaired |= self._repair_candidates(value)
        repaired |= self._repair_feedback(value)
        if not any(value.get(name) for name in ("candidates", "promptFeedback", "usageMetadata")):
            return  # nothing for the SDK
        repaired |= self._repair_head(value)
        self.pass_on(frame, "", sound(value) if odd else value, repaired=repaired)

    def _is_plain(self, frame: bytes, value: Fields) -> bool:
        """Output an event that is only a piece of text or thinking, with usage. Returns whether it was one."""
        match value:
            case {"candidates": [{"content": {"parts": [{"text": str(text), **more}], **content}, **candidate}]}:
                pass
            case _:
                return False
        thought = more.get("thought", False)
        if not text or type(thought) is not bool or len(more) != ("thought" in more):
            return False
        if content.keys() - {"role"} or candidate.keys() - {"index"} or type(content.get("role", "")) is not str:
            return False
        index = candidate.get("index", 0)
        if index != 0 or type(index) is not int or self._halves or self.ending is not None:
            return False
        rest = {name: one for name, one in value.items() if name != "candidates"}
        if fit(rest, CHUNK) is not rest or self._repair_head(dict(rest)):
            return False
        usage: Fields | None = rest.get("usageMetadata")
        if usage is not None:
            rest["usageMetadata"] = {name: figures(one) for name, one in usage.items()}

        def place(value: Fields, text: str) -> None:
            value["candidates"][0]["content"]["parts"][0]["text"] = text

        # Usage counts from the beginning: the last event's includes the first one's.
        self.piece(frame, value, text, (more, content, candidate, rest), place, latest=True)
        return True

    def _repair_head(self, value: Fields) -> bool:
        """Repair the fields beside the candidates in place. Returns whether anything was changed."""
        changed = False
        given = value.get("responseId")
        if given:
            self._response_id = self._response_id or given
            if given != self._response_id:  # the SDK would take another id for another answer
                value["responseId"], changed = self._response_id, True
        usage: Fields | None = value.get("usageMetadata")
        if usage is not None and self.known:
            right = {name: self._known_items(one, "modality") for name, one in usage.items()}
            if not self._is_known(right.get("trafficType")):
                right.pop("trafficType")
            if right != usage:
                value["usageMetadata"], changed = right, True
        return changed

    def _is_known(self, word: Any) -> bool:
        return word is None or not self.known or (isinstance(word, str) and word.upper() in self.known)

    def _known_items(self, value: Any, *names: str) -> Any:
        """A list without the items that have a value unknown to the SDK; other values unchanged."""
        if not isinstance(value, list):
            return value
        items = cast("list[Fields]", value)
        return [item for item in items if all(self._is_known(item.get(name)) for name in names)]

    def _ratings(self, value: Any) -> list[Fields] | None:
        """Safety ratings; None when one is malformed."""
        items: Any = self._known_items(value, "category", "probability")
        ratings = cast("list[Fields]", items) if isinstance(items, list) else []
        return ratings if all(isinstance(one.get("blocked"), bool | None) for one in ratings) else None

    # -- candidates --------------------------------------------------------------------------------------------------

    def _repair_candidates(self, value: Fields) -> bool:
        """Leave one candidate, in place: the first without an index or with index 0. Returns whether it was changed."""
        candidates: list[Fields] = value.get("candidates") or []
        if not candidates:
            return False
        candidate = next((one for one in candidates if not one.get("index")), candidates[0])
        right = self._candidate(candidate, value)
        value["candidates"] = [right]
        return right != candidate or len(candidates) > 1

    def _candidate(self, candidate: Fields, value: Fields) -> Fields:
        """A candidate that the SDK can parse."""
        right = {name: one for name, one in candidate.items() if name != "index" and name not in UNREAD}
        if "index" in candidate:
            right["index"] = 0
        word = right.get("finishReason")
        if isinstance(word, str) and word.strip().upper() in NO_WORD:
            right.pop("finishReason")
            word = None
        content: Fields | None = right.get("content")
        if content is not None and isinstance(content.get("parts"), list):
            pattern: Fields = {**value, "candidates": [{"content": {"parts": [], "role": "model"}, "index": 0}]}
            given = cast("list[Fields]", content["parts"])
            parts = [self._part(part, pattern, last=bool(word)) for part in given]
            right["content"] = {**content, "parts": [part for part in parts if part is not None]}
        if word:
            meaning = self.finish(word)
            self._end_halves()
            fits = word in PASSED_ON or (meaning == "error" and self.known and word in self.known)
            right["finishReason"] = word if fits else SENT[meaning]
        if "safetyRatings" in right:
            right["safetyRatings"] = self._ratings(right["safetyRatings"])
        pages: Fields = right.get("urlContextMetadata") or {}
        if "urlMetadata" in pages:
            right["urlContextMetadata"] = {"urlMetadata": self._known_items(pages["urlMetadata"], "urlRetrievalStatus")}
        if not is_base64(right.get("continuationToken")):
            right.pop("continuationToken")
        return right

    def _repair_feedback(self, value: Fields) -> bool:
        """Leave only feedback for a refused prompt, in place. Returns whether it was changed."""
        feedback: Fields | None = value.get("promptFeedback")
        if feedback is None:
            return False
        blocked = not value.get("candidates") and feedback.get("blockReason")
        right = value["promptFeedback"] = self._feedback(feedback) if blocked else None
        return right != feedback

    def _feedback(self, feedback: Fields) -> Fields:
        """The feedback for a refused prompt; records it as the end of the answer."""
        right = dict(feedback)
        word = right["blockReason"]
        self.finished, self.ending = True, Ending("content_filter", word)
        if not self._is_known(word):
            right["blockReason"] = "OTHER"
        if "safetyRatings" in right:
            right["safetyRatings"] = self._ratings(right["safetyRatings"])
        return right

    def _part(self, part: Fields, pattern: Fields, *, last: bool) -> Fields | None:
        """A part that the SDK and pydantic-ai can parse; None when it is empty. `last`: it is in the last event."""
        right = {name: one for name, one in part.items() if one is not None}
        thought = right.get("thought", False)
        if not isinstance(thought, bool):
            right["thought"] = thought = str(thought).strip().lower() in ("true", "1")
        self._remove_unreadable(right)
        if self._halves and thought not in self._halves and has_content(right):
            self._end_halves()  # the text that they belong to has ended
        text = right.get("text")
        if text:
            right["text"] = self._text(text, thought, pattern, last=last)
        if has_content(right):
            self._go_on()
        elif not any(name in right for name in CONTENTS):
            right = bare_signature(right, thought=thought)
        return part if right == part else right

    def _remove_unreadable(self, part: Fields) -> None:
        """Remove, in place, fields of a part that the SDK or pydantic-ai cannot parse."""
        if not is_base64(part.get("thoughtSignature")):
            part.pop("thoughtSignature")
        if "functionCall" in part and (call := self._call(part.pop("functionCall"))) is not None:
            part["functionCall"] = call
        if "inlineData" in part and not is_file(part["inlineData"]):
            part.pop("inlineData")
        part.pop("functionResponse", None)  # only requests have these
        for name, word in KINDS_OF.items():
            if name in part and not self._is_known(part[name].get(word)):
                part.pop(name)
        self._code = self._code or "executableCode" in part
        if not self._code:
            part.pop("codeExecutionResult", None)

    def _text(self, text: str, thought: bool, pattern: Fields, *, last: bool) -> str:
        """A text without unpaired surrogates."""
        if last:  # no other half can follow
            held = self._halves.pop(thought, None)
            return joined((held[0] if held else "") + text)

        def place(value: Fields, text: str) -> None:
            value["candidates"][0]["content"]["parts"] = [
                {"text": text, "thought": True} if thought else {"text": text}
            ]

        return self.repair_text(thought, text, pattern, place)

    def _call(self, call: Fields) -> Fields | None:
        """A function call with an object as arguments and a unique id; None for a call without a name."""
        right = {name: one for name, one in call.items() if one is not None}
        if not str(right.get("name") or "").strip():
            return None
        given = right.get("id")
        if given in ("", *self._call_ids):
            right.pop("id")
        elif given is not None:
            self._call_ids.add(given)
        args = right.get("args")
        if isinstance(args, str):
            args = parse_or_none(args.encode("utf-8", "surrogatepass"))
        if "args" in right:
            right["args"] = args if isinstance(args, dict) else {}
        return right

    # -- the end -----------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Record progress. After progress behind a finish reason, only the end of the stream ends the answer."""
        self.progress += 1
        if self.ending is not None:
            self.finished, self._early = False, True

    def finish(self, word: str) -> Finish:
        """Record a finish reason; returns its meaning."""
        meaning = super().finish(word)
        meaning = OTHER_WORDS.get(word.strip().lower(), meaning)
        self.ending = Ending(meaning, word)
        self.finished = not self._early
        return meaning

    def end(self) -> bytes:
        out = super().end()
        if self.ending is not None and not self.whole:
            self.finished = True
            self.close()
            out += self._take()
        return out

    def answer(self, value: Fields) -> None:
        super().answer(value)
        self.finished = self.ending is not None

    def done(self, frame: bytes) -> None:
        """Process `[DONE]`, which some gateways send as in other dialects: the SDK must not see it."""
        if self.ending is None and self.progress:
            self.finish("STOP")
            self._end_halves()
            self._flush()
            self._out.append(self.encode("", {"candidates": [{"finishReason": "STOP", "index": 0}]}))
        self.finished = self.ending is not None
        self.close()


def says_error(kind: str, value: Fields) -> bool:
    """Whether an event reports an error. Some servers send only its message, without a field `error`."""
    is_answer = "candidates" in value or "usageMetadata" in value
    return kind == "error" or bool(value.get("error")) or (not is_answer and isinstance(value.get("message"), str))


def has_content(part: Fields) -> bool:
    """Whether a part has text, a call or other content that is not empty."""
    return any(part.get(name) for name in CONTENTS)


def bare_signature(part: Fields, *, thought: bool) -> Fields | None:
    """The signature of a part without content, as a part that pydantic-ai can parse; None when it has none."""
    signature = part.get("thoughtSignature")
    if signature is None:
        return None
    empty: Fields = {"text": "", "thought": True} if thought else {}
    return {**empty, "thoughtSignature": signature}


def is_file(data: Fields) -> bool:
    """Whether data inside a part has a type and content that the SDK can decode."""
    return bool(data.get("mimeType") and data.get("data")) and is_base64(data["data"])


def figures(value: Any) -> Any:
    """The part of a usage figure that must be equal in two events so that the second one can replace the first."""
    if isinstance(value, list):
        return [
            (cast("Fields", item).get("modality"), bool(cast("Fields", item).get("tokenCount")))
            if isinstance(item, dict)
            else item
            for item in cast("list[Any]", value)
        ]
    return bool(value) if isinstance(value, int) else value


def is_base64(value: Any) -> bool:
    """Whether a value is None, or base64 that the SDK accepts."""
    if value is None:
        return True
    try:
        BYTES.validate_python(value)
    except ValueError:
        return False
    return isinstance(value, str)
