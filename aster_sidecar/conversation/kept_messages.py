"""Records the requests and responses of a run as they are complete, before they have any effect."""

from __future__ import annotations

from dataclasses import replace

from pydantic_ai import ToolCallPart, UserPromptPart
from pydantic_ai.messages import ModelRequest, ModelResponse

from aster_sidecar.conversation.file_references import content_of
from aster_sidecar.conversation.model_history import ModelHistory
from aster_sidecar.conversation.run_state import Run
from aster_sidecar.conversation.strict_history import unique_ids
from aster_sidecar.models.streams.shapes import holds_nul, readable
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows import turns as turn_rows


def keep_request(journal: Journal, memory: ModelHistory, run: Run, request: ModelRequest) -> None:
    """Record a request with the steered messages before it is sent, and close the calls that it answers."""
    run.log.new_paragraph()
    steered = run.job.steered()
    added = (UserPromptPart(content=content_of(prompt)) for prompt in steered[run.carried :])
    request.parts = [*request.parts, *added]
    writes = run.toolbox.close_calls()
    writes.append(turn_rows.update_prompt_kept(run.log.turn_id))
    journal.put(turn_id=run.log.turn_id, writes=writes, durable=False)
    memory.append(run.log.session_id, run.log.turn_id, [request])
    run.job.took_steered(len(steered))
    run.prompt, run.answers, run.carried = None, None, 0
    run.stored_length = run.log.transcript.length.copy()


def keep_response(journal: Journal, memory: ModelHistory, run: Run, response: ModelResponse) -> None:
    """Record a complete response before any of its tools runs."""
    run.log.new_paragraph()
    run.toolbox.rejected = repair_calls(response, memory.call_ids(run.log.session_id))
    kept = run.log.transcript.length["text_chunk"]
    write = turn_rows.update_kept_chars(run.log.turn_id, kept)
    journal.put(turn_id=run.log.turn_id, writes=[write], durable=False)
    memory.append(run.log.session_id, run.log.turn_id, [response])
    run.attempt, run.compacted = 1, 0
    run.stored_length = run.log.transcript.length.copy()


def repair_calls(response: ModelResponse, used: set[str]) -> set[str]:
    """Give each call of a response an id that is unique in the session, and arguments that are valid JSON.

    Returns the new ids of calls that must not run: their arguments contained NUL, which is replaced by U+FFFD.
    """
    calls = [part for part in response.parts if isinstance(part, ToolCallPart)]
    ids = unique_ids((str(part.tool_call_id) for part in calls), used)
    with_nul = {call_id for call_id, part in zip(ids, calls, strict=True) if holds_nul(part.args_as_dict())}
    new_id = iter(ids)
    response.parts = [
        replace(part, tool_call_id=next(new_id), args=readable(part.args) if isinstance(part.args, str) else part.args)
        if isinstance(part, ToolCallPart)
        else part
        for part in response.parts
    ]
    return with_nul
