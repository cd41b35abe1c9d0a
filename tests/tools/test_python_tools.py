"""Functions as tools: what the model sees, what is refused, how they run, report, fail and are cancelled."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import json
import math
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field, ValidationError

from aster_sidecar import Agent, Sidecar, ToolContext, ToolError, tool
from aster_sidecar.errors import ConfigInvalid
from aster_sidecar.policy.permissions import Assessment, ToolCall, decide
from aster_sidecar.tools.base import Outcome, Surroundings
from aster_sidecar.tools.python_tools import RESULT_BYTES, OwnTool, own_tool
from aster_sidecar.tools.tool_context import AT_ONCE, TELL_S, TOLD_BYTES
from tests.tools.support import Listener


class Plant(BaseModel):
    name: str
    height_cm: float = 10


def assessed(made: OwnTool[..., Any], **arguments: Any) -> Assessment:
    found = made.as_tool()
    return found.assess(found.arguments.model_validate(arguments), Surroundings(Path("/work")))


async def started(made: OwnTool[..., Any], listener: Listener, arguments: dict[str, Any]) -> Outcome:
    found = made.as_tool()
    parsed = found.arguments.model_validate(arguments)
    return await found.run(parsed, found.assess(parsed, listener.surroundings), listener)


def run(made: OwnTool[..., Any], listener: Listener | None = None, **arguments: Any) -> Outcome:
    return asyncio.run(started(made, listener or Listener(Surroundings(Path("/work"))), arguments))


def schema(made: OwnTool[..., Any]) -> dict[str, Any]:
    return made.as_tool().arguments.model_json_schema()


# -- what the model sees -----------------------------------------------------------------------------------------------


def test_typed_parameters_become_a_schema_and_the_docstring_its_descriptions() -> None:
    @tool
    def plant(
        ctx: ToolContext,
        kind: Literal["fern", "ivy"],
        count: Annotated[int, Field(ge=1, description="how many")] = 1,
        *,
        where: list[str] | None = None,
        first: Plant | None = None,
    ) -> str:
        """Plant something.

        It grows later.

        Args:
            kind: What to plant.
            count: not this one, the type says it.
            where: Which rooms.

        Returns:
            What was planted.
        """
        return kind

    made = plant.as_tool()
    assert (made.name, made.risk) == ("plant", "high")
    assert made.description == "Plant something.\n\nIt grows later.\n\nReturns: What was planted."
    told = schema(plant)
    assert list(told["properties"]) == ["kind", "count", "where", "first"]
    assert told["required"] == ["kind"]
    assert told["additionalProperties"] is False
    assert told["properties"]["kind"]["enum"] == ["fern", "ivy"]
    assert told["properties"]["kind"]["description"] == "What to plant."
    assert told["properties"]["count"] == {
        "default": 1,
        "description": "how many",
        "minimum": 1,
        "title": "Count",
        "type": "integer",
    }
    assert told["properties"]["where"]["description"] == "Which rooms."
    assert "argument_" not in json.dumps(told)


@pytest.mark.parametrize(
    "doc",
    ["Do.\n\n:param one: The one.\n", "Do.\n\nParameters\n----------\none : str\n    The one.\n"],
    ids=["sphinx", "numpy"],
)
def test_other_docstring_styles_are_read(doc: str) -> None:
    def do(one: str) -> None: ...

    do.__doc__ = doc
    made = own_tool(do)
    assert made.description == "Do."
    assert schema(made)["properties"]["one"]["description"] == "The one."


def test_parameters_may_be_called_what_they_like() -> None:
    @tool(risk="low")
    def odd(schema: str, model_dump: int, _private: bool, copy: str = "x") -> list[Any]:
        return [schema, model_dump, _private, copy]

    assert list(schema(odd)["properties"]) == ["schema", "model_dump", "_private", "copy"]
    assert run(odd, schema="a", model_dump=2, _private=True).value == ["a", 2, True, "x"]
    with pytest.raises(ValidationError, match="argument_0"):
        odd.as_tool().arguments.model_validate({"argument_0": "a", "model_dump": 1, "_private": True})


def test_a_decorated_function_is_still_the_function() -> None:
    @tool(name="other_name", description="Told.")
    def add(one: int, two: int = 2) -> int:
        """Add."""
        return one + two

    assert add(1) == 3
    assert vars(add)["__name__"] == "add"
    assert add.__doc__ == "Add."
    assert (add.as_tool().name, add.as_tool().description) == ("other_name", "Told.")


def test_a_function_without_parameters_or_words_is_a_tool() -> None:
    @tool
    def ping() -> None: ...

    assert ping.as_tool().description == "ping"
    assert run(ping) == Outcome(None)
    assert assessed(ping).display == "ping"


def no_type(one) -> None: ...  # type: ignore[no-untyped-def]  # pyright: ignore


def many(*one: str) -> None: ...


def more(**one: str) -> None: ...


def positional(one: str, /) -> None: ...


def late(one: str, ctx: ToolContext) -> None: ...


def callback(one: Callable[[int], int]) -> None: ...


def lock(one: threading.Event) -> None: ...


def items() -> Any:
    yield 1


def fine() -> None: ...


async def awaited(one: str) -> str:
    return one


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no type": (lambda: tool(no_type), r"tool 'no_type' \(test_python_tools.py\): the parameter 'one' needs a type"),
    "*": (lambda: tool(many), r"\*one: '?str'? can't be an argument"),
    "**": (lambda: tool(more), r"\*\*one: '?str'? can't be an argument"),
    "positional": (lambda: tool(positional), "can't be an argument"),
    "context late": (lambda: tool(late), "must be the first parameter"),
    "a function": (lambda: tool(callback), "a type that JSON can't describe"),
    "any class": (lambda: tool(lock), "a type that JSON can't describe"),
    "generator": (lambda: tool(items), "a generator can't be a tool"),
    "risk": (lambda: tool(risk="huge")(fine), "risk must be one of low, medium, high"),  # type: ignore[arg-type]  # pyright: ignore
    "async risk": (lambda: tool(risk=awaited)(fine), "a function that is not async"),  # type: ignore[arg-type]  # pyright: ignore
    "async display": (lambda: tool(display=awaited)(fine), "display must be a function"),  # type: ignore[arg-type]  # pyright: ignore
    "name": (lambda: tool(name="a b")(fine), "letters, digits, _ and -"),
    "lambda": (lambda: tool(lambda: 1), "pass name="),
    "no function": (lambda: tool(3), "must be a function, not 3"),  # type: ignore[call-overload]  # pyright: ignore
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_t_be_a_tool_is_refused_where_it_is_defined(case: str) -> None:
    make, words = WRONG[case]
    with pytest.raises((TypeError, ValueError), match=words):
        make()


def test_a_type_that_only_exists_inside_a_function_is_named() -> None:
    class Local(BaseModel): ...

    def uses(one: Local) -> None: ...

    with pytest.raises(TypeError, match="'Local' is not defined; define them at the top of the module"):
        tool(uses)


# -- what a person is asked --------------------------------------------------------------------------------------------


def test_the_display_is_the_whole_call_with_hidden_characters_made_visible() -> None:
    @tool
    def send(to: str, text: str = "hi") -> None: ...

    told = assessed(send, to="a\u202eb").display
    assert told == 'send\n{\n  "text": "hi",\n  "to": "a‹U+202E›b"\n}'


def test_risk_and_display_can_depend_on_the_arguments() -> None:
    @tool(
        risk=lambda to, text: "high" if to == "everybody" else "low",
        display=lambda to, text: f"to {to}: {text}\u200b",
    )
    def send(to: str, text: str) -> None: ...

    one, all_of_them = assessed(send, to="ann", text="x"), assessed(send, to="everybody", text="x")
    assert (one.risk, all_of_them.risk) == ("low", "high")
    assert one.display == "to ann: x‹U+200B›"
    assert "with these arguments" in one.reason


@pytest.mark.parametrize("what", ["risk", "display"])
def test_a_risk_or_display_function_that_fails_fails_the_call(what: str) -> None:
    def broken(one: str) -> Any:
        raise KeyError(one)

    def nonsense(one: str) -> Any:
        return 3

    def do(one: str) -> None: ...

    for wrong, words in ((broken, "failed: KeyError: 'x'"), (nonsense, "must return")):
        made = tool(**{what: wrong})(do)  # type: ignore[arg-type]
        with pytest.raises(ToolError, match=words):
            assessed(made, one="x")


def test_always_covers_exactly_the_same_arguments_and_an_approval_is_bound_to_them() -> None:
    @tool
    def send(to: str, times: int = 1) -> None: ...

    first, same, other = assessed(send, to="a"), assessed(send, times=1, to="a"), assessed(send, to="a", times=2)
    assert first.remember is not None
    assert (first.remember.kind, first.remember.value) == ("exact", '{"times":1,"to":"a"}')
    assert (first.target, first.binding) == (same.target, same.binding)
    assert first.target != other.target
    assert first.binding != other.binding


# -- running -----------------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Measured:
    at: datetime.date
    size: float


RESULTS: dict[str, tuple[Any, Any]] = {
    "model": (Plant(name="fern"), {"name": "fern", "height_cm": 10.0}),
    "dataclass": (Measured(datetime.date(2026, 11, 21), math.nan), {"at": "2026-11-21", "size": None}),
    "nested": (
        {"a": [Plant(name="ivy"), {1}], 2: Path("/x")},
        {"a": [{"name": "ivy", "height_cm": 10.0}, [1]], "2": "/x"},
    ),
    "bytes": (b"abc", "abc"),
    "none": (None, None),
}


@pytest.mark.parametrize("case", RESULTS)
def test_results_become_json(case: str) -> None:
    value, told = RESULTS[case]

    @tool
    def give() -> Any:
        return value

    assert run(give) == Outcome(told)


def test_a_result_that_json_can_t_hold_fails_the_call() -> None:
    @tool
    def give() -> Any:
        return threading.Lock()

    with pytest.raises(ToolError, match="give returned lock, which JSON can't hold"):
        run(give)


def test_a_long_result_is_cut_and_says_so() -> None:
    @tool
    def give() -> str:
        return "ü" * RESULT_BYTES

    told = run(give)
    assert told.truncated
    assert told.value.startswith("üüü")
    assert "is cut" in told.value[-40:]
    assert len(told.value.encode()) < RESULT_BYTES + 100


def test_arguments_arrive_in_their_types_and_with_the_context() -> None:
    seen: list[Any] = []

    @tool
    async def take(ctx: ToolContext, plant: Plant, on: datetime.date, more: tuple[int, ...] = ()) -> None:
        seen.extend([plant, on, more, ctx.agent_id, ctx.session_id, ctx.turn_id, ctx.call_id, ctx.work_dir])
        seen.append((dict(ctx.context), ctx.cancelled))

    listener = Listener(Surroundings(Path("/work")), context={"tab": 3})
    run(take, listener, plant={"name": "ivy"}, on="2026-11-21", more=[1, 2])
    assert seen == [
        Plant(name="ivy"),
        datetime.date(2026, 11, 21),
        (1, 2),
        "default",
        "session_1",
        "turn_1",
        "call_1",
        Path("/work"),
        ({"tab": 3}, False),
    ]


def test_an_exception_is_the_call_s_failure_and_its_traceback_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    @tool
    def fail() -> None:
        raise LookupError("no such plant")

    with pytest.raises(LookupError, match="no such plant"):
        run(fail)
    assert "in fail" in caplog.text


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), StopIteration()], ids=type)
def test_a_tool_can_t_end_the_daemon(error: BaseException, asynchronous: bool) -> None:
    async def one() -> None:
        raise error

    def other() -> None:
        raise error

    with pytest.raises((ToolError, RuntimeError)):
        run(tool(one) if asynchronous else tool(other))


def test_a_tool_that_is_cancelled_from_within_only_fails() -> None:
    @tool
    async def give_up() -> None:
        raise asyncio.CancelledError

    with pytest.raises(ToolError, match="cancelled itself"):
        run(give_up)


def test_a_function_that_is_not_async_blocks_nobody() -> None:
    let_go = threading.Event()

    @tool
    def wait() -> bool:
        return let_go.wait(50)

    async def both() -> Outcome:
        call = asyncio.ensure_future(started(wait, Listener(Surroundings(Path("/work"))), {}))
        await asyncio.sleep(0.05)
        assert not call.done()
        let_go.set()
        return await call

    assert asyncio.run(both()).value is True


# -- progress ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [True, False])
def test_progress_is_told_in_order_from_tasks_and_threads(asynchronous: bool) -> None:
    async def one(ctx: ToolContext) -> None:
        ctx.progress("begun", 0)
        await ctx.progress(delta="line\n")
        ctx.progress("done", 1)

    def other(ctx: ToolContext) -> None:
        ctx.progress("begun", 0)
        ctx.progress(delta="line\n")
        ctx.progress("done", 1)

    listener = Listener(Surroundings(Path("/work")))
    run(tool(one) if asynchronous else tool(other), listener)
    assert [(t.message, t.progress, t.stream, t.delta) for t in listener.told] == [
        ("begun", 0.0, None, None),
        (None, None, "stdout", "line\n"),
        ("done", 1.0, None, None),
    ]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_flood_of_progress_is_joined_and_bounded_and_nothing_of_it_is_lost(asynchronous: bool) -> None:
    count = 20_000 if asynchronous else 2_000

    async def one(ctx: ToolContext) -> None:
        for number in range(count):
            ctx.progress(str(number), number / count, delta="x")

    def other(ctx: ToolContext) -> None:
        for number in range(count):
            ctx.progress(str(number), number / count, delta="x")

    listener = Listener(Surroundings(Path("/work")))
    began = time.monotonic()
    run(tool(one) if asynchronous else tool(other), listener)
    took_s = time.monotonic() - began
    assert listener.streamed("stdout") == "x" * count
    assert listener.told[-1].message == str(count - 1)
    assert len(listener.told) <= AT_ONCE + 2 + took_s / TELL_S


def test_output_beyond_its_bound_is_counted() -> None:
    @tool
    async def chatter(ctx: ToolContext) -> None:
        for _ in range(6):
            ctx.progress(delta="x" * (TOLD_BYTES // 4))

    listener = Listener(Surroundings(Path("/work")))
    run(chatter, listener)
    assert len(listener.streamed("stdout")) == TOLD_BYTES
    assert listener.told[-1].message == "128.0 KiB of its output is not shown"


@pytest.mark.parametrize("wrong", [{"progress": 1.5}, {"progress": math.nan}, {"message": 3}, {"delta": b"x"}])
def test_progress_that_makes_no_sense_is_an_error_where_it_is_told(wrong: dict[str, Any]) -> None:
    @tool
    def tell(ctx: ToolContext) -> None:
        ctx.progress(**wrong)

    with pytest.raises((ValueError, TypeError)):
        run(tell)


def test_progress_after_the_end_is_not_told() -> None:
    kept: list[ToolContext] = []

    @tool
    async def keep(ctx: ToolContext) -> None:
        kept.append(ctx)

    listener = Listener(Surroundings(Path("/work")))
    run(keep, listener)
    kept[0].progress("too late")
    assert listener.told == []


# -- cancelling --------------------------------------------------------------------------------------------------------


async def cancelled(made: OwnTool[..., Any], begun: threading.Event, listener: Listener) -> None:
    """Start a call, cancel it while it runs, and wait for its end."""
    call = asyncio.ensure_future(started(made, listener, {}))
    assert await asyncio.to_thread(begun.wait, 50)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def test_an_async_tool_is_cancelled_where_it_awaits_and_may_clean_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aster_sidecar.tools.function_runner.GRACE_S", 50)
    begun, cleaned = threading.Event(), threading.Event()

    @tool
    async def long(ctx: ToolContext) -> None:
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.01)
            ctx.progress("cleaned up")
            cleaned.set()

    listener = Listener(Surroundings(Path("/work")))
    asyncio.run(cancelled(long, begun, listener))
    assert cleaned.is_set()
    assert listener.told[-1].message == "cleaned up"


def test_a_thread_that_looks_at_cancelled_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aster_sidecar.tools.function_runner.GRACE_S", 50)
    begun, ended = threading.Event(), threading.Event()

    @tool
    def long(ctx: ToolContext) -> None:
        begun.set()
        while not ctx.cancelled:
            ctx.progress("still here")
        ended.set()

    asyncio.run(cancelled(long, begun, Listener(Surroundings(Path("/work")))))
    assert ended.is_set()


@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_call_that_never_looks_is_left_behind(
    asynchronous: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("aster_sidecar.tools.function_runner.GRACE_S", 0.05)
    begun, let_go, ended = threading.Event(), threading.Event(), threading.Event()

    async def one(ctx: ToolContext) -> str:
        begun.set()
        while not let_go.is_set():
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                continue
        ended.set()
        return "too late"

    def other(ctx: ToolContext) -> str:
        begun.set()
        let_go.wait(50)
        ctx.progress("too late")
        ended.set()
        return "too late"

    async def story() -> None:
        listener = Listener(Surroundings(Path("/work")))
        await cancelled(tool(one) if asynchronous else tool(other), begun, listener)
        assert not ended.is_set()
        let_go.set()
        assert await asyncio.to_thread(ended.wait, 50)
        assert listener.told == []

    asyncio.run(story())
    assert "keeps running although its call was cancelled" in caplog.text


# -- Sidecar and Agent -------------------------------------------------------------------------------------------------


@tool(risk="low")
def water(plant: str) -> str:
    return plant


def pour(plant: str) -> str:
    return plant


def refused(sidecar: Sidecar) -> str:
    with pytest.raises(ConfigInvalid) as caught:
        sidecar.code()
    return f"{caught.value.message} ({caught.value.hint})"


def read_file(path: str) -> str:
    return path


def another_water(plant: str) -> int:
    return 1


REFUSED: dict[str, tuple[Callable[[], Sidecar], str]] = {
    "built-in name": (lambda: Sidecar(tools=[read_file]), "a tool called 'read_file' is built in"),
    "two of one name": (
        lambda: Sidecar([Agent("a", tools=[water])], [tool(name="water")(another_water)]),
        "two tools are called 'water'",
    ),
    "two agents": (lambda: Sidecar([Agent("a"), Agent("a")]), "two agents are called 'a'"),
    "id": (lambda: Sidecar([Agent("A b")]), "agent 'A b'"),
    "no agent": (lambda: Sidecar(["gardener"]), "is not an Agent"),  # type: ignore[list-item]  # pyright: ignore
    "name as a shared tool": (lambda: Sidecar(tools=["read_file"]), "pass functions"),  # type: ignore[list-item]  # pyright: ignore
    "no tool": (lambda: Sidecar([Agent("a", tools=[no_type])]), "the parameter 'one' needs a type"),  # pyright: ignore
    "twice": (lambda: Sidecar([Agent("a", tools=[water, water])]), "a tool is listed twice"),
    "a text": (lambda: Sidecar([Agent("a", tools="water")]), "must be a list"),
    "settings": (lambda: Sidecar([Agent("a", model_settings={"top_p": 3})]), "a number from 0 to 1"),
    "unknown setting": (lambda: Sidecar([Agent("a", model_settings={"extra_body": {}})]), "allowed: max_tokens"),
    "mode": (lambda: Sidecar([Agent("a", permission_mode="never")]), "auto_approve, smart_approve"),  # type: ignore[arg-type]  # pyright: ignore
    "retries": (lambda: Sidecar([Agent("a", retries=99)]), "from 0 to 10"),
    "timeout": (lambda: Sidecar([Agent("a", tool_timeout=0)]), "seconds above 0"),
    "instructions": (lambda: Sidecar([Agent("a", 3)]), "instructions (it must be text)"),  # type: ignore[arg-type]  # pyright: ignore
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_in_code_is_said(case: str) -> None:
    make, words = REFUSED[case]
    assert words in refused(make())


def test_functions_become_tools_and_belong_to_whom_they_are_given() -> None:
    own = Sidecar([Agent("a", "x", [water, pour, "read_file"]), Agent("b", "x", [pour])], tools=[water]).code()
    assert [(one.name, one.risk) for one in own.tools] == [("water", "low"), ("pour", "high")]
    assert own.shared == {"water"}
    assert [spec.tools for spec in own.agents] == [("water", "pour", "read_file"), ("pour",)]
    assert {spec.source for spec in own.agents} == {"code"}


def test_importing_the_package_imports_nothing_of_it() -> None:
    import subprocess
    import sys

    script = (
        "import sys, aster_sidecar; print([m for m in sys.modules if m.startswith(('aster_sidecar.', 'pydantic'))])"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_a_decision_about_an_own_tool_is_made_like_any_other() -> None:
    from aster_sidecar import clock

    found = assessed(water, plant="fern")
    now = clock.now()
    allow = decide("smart_approve", [], ToolCall("water", "a", "s", now), found)
    ask = decide("always_ask", [], ToolCall("water", "a", "s", now), found)
    assert (allow.verdict, ask.verdict) == ("allow", "ask")
