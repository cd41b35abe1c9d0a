"""Wire models of questions to a person, and of the inbox of all that waits for one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from aster_sidecar.contract.base import VALID, Model, Name, Object, QuestionKind, QuestionOutcome, Request, Time
from aster_sidecar.contract.policy import ApprovalInfo


class QuestionField(Model):
    """One field of the form that a question shows.

    The answer to a field is a text; for `number` a number, for `boolean` true or false, for `multi` a list of texts,
    and for `file` and `folder` an absolute path on the daemon's machine.
    """

    id: str
    text: str
    kind: QuestionKind
    options: list[str] | None = Field(default=None, description="of choice and multi")
    labels: list[str] | None = Field(default=None, description="what a person sees instead of each option")
    other: bool = Field(default=False, description="another text than the options is an answer, too")
    default: Any = None
    required: bool = True
    whole: bool = Field(default=False, description="the number has no fraction")
    minimum: float | None = Field(default=None, description="of a number")
    maximum: float | None = Field(default=None, description="of a number")
    min_length: int | None = Field(default=None, description="of a text, in characters; of multi, how many")
    max_length: int | None = Field(default=None, description="of a text, in characters; of multi, how many")
    format: Literal["email", "uri", "date", "date-time"] | None = Field(default=None, description="of a text")


class QuestionInfo(Model):
    """A question that waits for a person.

    `server`: the MCP server that asks; without one, the agent asks. `url`: instead of a form, a page that the server
    asks the person to visit.
    """

    question_id: str
    call_id: str
    agent_id: str
    session_id: str
    turn_id: str
    name: str = Field(description="the tool that asks")
    reason: str
    fields: list[QuestionField]
    server: str | None = None
    url: str | None = None
    asked_at: Time
    expires_at: Time | None


class AnswerRequest(Request):
    """Answer a question with `answers`, the answer of each field by its id, or decline it. `note`: for the model."""

    question_id: Name
    answers: Object | None = None
    decline: bool = False
    note: Annotated[str, StringConstraints(max_length=10_000), VALID] | None = None


class Answered(Model):
    question_id: str
    outcome: QuestionOutcome
    answers: dict[str, Any] | None = Field(default=None, description="as they were recorded")
    resolved_at: Time


class InboxEntry(Model):
    """Something that waits for a person: exactly one of the two."""

    kind: Literal["approval", "question"]
    approval: ApprovalInfo | None = None
    question: QuestionInfo | None = None
