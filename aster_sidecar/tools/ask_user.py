"""The tool `ask_user`: asks a person with a form. The daemon shows it, and the turn waits for the answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from aster_sidecar.asking.forms import MOST_FIELDS, MOST_OPTIONS, Form, wrong_with
from aster_sidecar.contract import wire
from aster_sidecar.policy.permissions import Assessment
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import BRIEF_CHARS, shown
from aster_sidecar.tools.base import CallContext, Outcome, Surroundings, Tool, ToolError
from aster_sidecar.tools.paths import Text

Id = Annotated[Text, Field(min_length=1, max_length=60)]
Words = Annotated[Text, Field(min_length=1, max_length=2000)]


class AskedField(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    id: Id = Field(description="A short name; the answer has it.")
    text: Words = Field(description="The question, in the person's language.")
    kind: Literal["choice", "multi", "text", "number", "boolean", "file", "folder"] = Field(
        default="text",
        description="choice: one of the options, or another text. multi: any of the options. file, folder: a path.",
    )
    options: list[Words] | None = Field(default=None, max_length=MOST_OPTIONS, description="For choice and multi.")
    default: str | bool | int | float | list[str] | None = Field(
        default=None, description="What is filled in, and taken if the person leaves it."
    )
    required: bool = Field(default=True, description="Whether the person has to answer it.")


class AskUser(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    questions: list[AskedField] = Field(min_length=1, max_length=MOST_FIELDS)
    reason: Words = Field(description="Why you ask, in a sentence for the person.")


def form(arguments: AskUser) -> Form:
    """The form that a call asks with."""
    return Form(
        tuple(
            wire.QuestionField(
                id=one.id,
                text=one.text,
                kind=one.kind,
                options=one.options,
                other=one.kind == "choice",
                default=one.default,
                required=one.required,
            )
            for one in arguments.questions
        ),
        arguments.reason,
    )


def assess(arguments: AskUser, surroundings: Surroundings) -> Assessment:
    if (wrong := wrong_with(form(arguments).fields)) is not None:
        raise ToolError(wrong)
    asked = "\n".join(shown(one.text) for one in arguments.questions)
    return Assessment(
        risk="low",
        target="",
        summary=f"Ask you: {cut(shown(arguments.questions[0].text), BRIEF_CHARS)}",
        display=f"{shown(arguments.reason)}\n{asked}",
        reason="It only asks you.",
        unasked=True,
    )


async def run(arguments: AskUser, assessment: Assessment, context: CallContext) -> Outcome:
    """Not called: the answers of the person are the result."""
    raise ToolError("nobody was asked")


TOOLS: list[Tool[Any]] = [
    Tool(
        "ask_user",
        "Ask the person up to 10 questions in one form, and wait for the answers. Ask when a choice is theirs and you "
        "can't find it out yourself. Not for permission: other tools ask for that. Never ask for passwords or keys.",
        AskUser,
        "low",
        assess,
        run,
        asks=form,
    )
]
