"""Tools from the app's own code: a Python function with typed arguments becomes a tool like the built-in ones.

Its calls are handled like theirs: assessed, decided, approved, run at most once, with progress, and cancelled.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import json
import logging
import re
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, cast, get_type_hints, overload

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from aster_sidecar.errors import AsterError
from aster_sidecar.policy.permissions import Assessment, Risk, Scope
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
RISKS: tuple[Risk, ...] = ("low", "medium", "high")
RESULT_BYTES = 256 * 1024
TOLD_BYTES = 256 * 1024
"""How much output one call may show while it runs."""
AT_ONCE = 100
"""How many progress events are sent without delay; later ones are sent at most every `TELL_S`."""
TELL_S = 0.1
GRACE_S = 2.0
"""How long a cancelled call may take to end; then the turn continues without it."""

P = ParamSpec("P")
R = TypeVar("R")


# -- what a function is given ------------------------------------------------------------------------------------------


class ToolContext:
    """What a tool can get besides its arguments: annotate the function's first parameter with this class.

    `context` is what the app sent with the message; `work_dir` is where tools work; `cancelled` becomes true when the
    call has to end: a function that is not async should check it from time to time, and return.
    """

    def __init__(self, call: CallContext) -> None:
        self._call = call
        self._teller = Teller(call)
        self._stop = threading.Event()
        self._loop = asyncio.get_running_loop()

    @property
    def agent_id(self) -> str:
        return self._call.agent_id

    @property
    def session_id(self) -> str:
        return self._call.session_id

    @property
    def turn_id(self) -> str:
        return self._call.turn_id

    @property
    def call_id(self) -> str:
        return self._call.call_id

    @property
    def context(self) -> Mapping[str, Any]:
        return self._call.context

    @property
    def work_dir(self) -> Path:
        return self._call.surroundings.work_dir

    @property
    def cancelled(self) -> bool:
        return self._stop.is_set()

    def progress(
        self, message: str | None = None, progress: float | None = None, *, delta: str | None = None
    ) -> Awaitable[None]:
        """Show the progress of the call: a message, a share from 0 to 1, or a piece of output (`delta`).

        It also works in a thread, and does not have to be awaited. After the end of the call it does nothing. Raises:
        ValueError, TypeError.
        """
        if progress is not None and not 0 <= progress <= 1:
            raise ValueError(f"progress must be from 0 to 1, not {progress!r}")
        for name, text in (("message", message), ("delta", delta)):
            if text is not None and not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"{name} must be text, not {type(text).__name__}")
        try:
            here = asyncio.get_running_loop() is self._loop
        except RuntimeError:
            here = False
        if here:
            self._teller.take(message, progress, delta)
        elif not self._stop.is_set() and not self._loop.is_closed():
            # Wait for the loop: otherwise a thread could publish faster than the journal can be written.
            taken = threading.Event()

            def take() -> None:
                self._teller.take(message, progress, delta)
                taken.set()

            try:
                self._loop.call_soon_threadsafe(take)
            except RuntimeError:  # the daemon has stopped meanwhile
                return Pause()
            while not taken.wait(1.0):
                if self._stop.is_set() or self._loop.is_closed():
                    break
        return Pause()


class Pause:
    """Yields to the event loop when it is awaited; otherwise it does nothing."""

    def __await__(self) -> Generator[Any, Any, None]:
        yield from asyncio.sleep(0).__await__()


class Teller:
    """Passes the progress of a call on to the journal, limited in size and rate. Used on the event loop only."""

    def __init__(self, call: CallContext) -> None:
        self._call = call
        self._sent = 0
        self._sent_at = 0.0
        self._left = TOLD_BYTES
        self._dropped = 0
        self._message: str | None = None
        self._progress: float | None = None
        self._pieces: list[str] = []
        self._alarm: asyncio.TimerHandle | None = None
        self._over = False

    def take(self, message: str | None, progress: float | None, delta: str | None) -> None:
        if self._over or message is progress is delta is None:
            return
        self._message = visible(message[:1000], newlines=False) if message is not None else self._message
        self._progress = float(progress) if progress is not None else self._progress
        if delta:
            size = len(delta.encode("utf-8", "replace"))
            if size > self._left:
                self._dropped += size
                self._message = f"{sized(self._dropped)} of its output is not shown"
            else:
                self._left -= size
                self._pieces.append(delta)
        due_s = self._sent_at + TELL_S - time.monotonic()
        if self._sent < AT_ONCE or due_s <= 0:
            self.flush()
        elif self._alarm is None:
            self._alarm = asyncio.get_running_loop().call_later(due_s, self.flush)

    def flush(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._over or (self._message is self._progress is None and not self._pieces):
            return
        self._sent, self._sent_at = self._sent + 1, time.monotonic()
        delta = "".join(self._pieces) or None
        with suppress(AsterError):  # an error of the store comes again at the end of the call
            self._call.tell(self._message, progress=self._progress, stream="stdout" if delta else None, delta=delta)
        self._message, self._progress = None, None
        self._pieces.clear()

    def close(self) -> None:
        """Send what is left; nothing is sent after this."""
        self.flush()
        self._over = True


# -- the decorator -----------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class OwnTool(Generic[P, R]):
    """A function that agents can call, made by `tool`. Calling it calls the function, for tests and other code."""

    function: Callable[P, R]
    name: str
    description: str
    risk: Risk | Callable[..., Risk]
    display: Callable[..., str] | None
    arguments: type[BaseModel]
    context_name: str | None
    fields: Mapping[str, str] = field(default_factory=dict[str, str])
    """Parameter → the field of `arguments` that holds it."""

    def __post_init__(self) -> None:
        functools.update_wrapper(self, self.function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def as_tool(self) -> Tool[Any]:
        """The tool for the toolkit."""
        least: Risk = "low" if callable(self.risk) else self.risk
        return Tool(self.name, self.description, self.arguments, least, self._assess, self._run, self._rule_value)

    def _values(self, arguments: BaseModel) -> dict[str, Any]:
        return {name: getattr(arguments, place) for name, place in self.fields.items()}

    def _assess(self, arguments: BaseModel, surroundings: Surroundings) -> Assessment:
        target = canonical(arguments)
        risk, words = self._risk(arguments), self._display(arguments, target)
        return Assessment(
            risk=risk,
            target=target,
            display=words,
            reason=f"The app rates {self.name} as {risk} risk"
            + (" with these arguments." if callable(self.risk) else "."),
            remember=Scope("exact", target, f"{self.name} with exactly these arguments"),
            binding={"arguments": target, "risk": risk, "function": self.function.__qualname__},
        )

    def _rule_value(self, asked: RuleTarget, surroundings: Surroundings) -> str:
        if asked.kind == "beneath":
            raise ToolError(f"a rule for {self.name} covers exactly these arguments or every call, but no folder")
        try:
            return canonical(self.arguments.model_validate_json(asked.value))
        except ValidationError as error:
            raise ToolError(f"the value must be the arguments of {self.name}, as a JSON object") from error

    def _risk(self, arguments: BaseModel) -> Risk:
        if not callable(self.risk):
            return self.risk
        try:
            risk = self.risk(**self._values(arguments))
        except Exception as error:
            raise ToolError(f"its risk function failed: {type(error).__name__}: {error}") from error
        if risk not in RISKS:
            raise ToolError(f"its risk function must return one of {', '.join(RISKS)}, not {risk!r}")
        return risk

    def _display(self, arguments: BaseModel, target: str) -> str:
        if self.display is None:
            given = json.loads(target)
            pretty = json.dumps(given, ensure_ascii=False, indent=2) if given else ""
            return visible(f"{self.name}\n{pretty}" if pretty else self.name)
        try:
            words = self.display(**self._values(arguments))
        except Exception as error:
            raise ToolError(f"its display function failed: {type(error).__name__}: {error}") from error
        if not isinstance(words, str):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ToolError(f"its display function must return text, not {type(words).__name__}")
        return visible(words)

    async def _run(self, arguments: BaseModel, assessment: Assessment, call: CallContext) -> Outcome:
        ctx = ToolContext(call)
        values = self._values(arguments)
        if self.context_name is not None:
            values[self.context_name] = ctx
        try:
            value = await self._to_its_end(ctx, values)
            return outcome(self.name, value)
        except (asyncio.CancelledError, ToolError):
            raise
        except Exception:
            log.warning("tool %s failed", self.name, exc_info=True)
            raise
        finally:
            ctx._teller.close()
            ctx._stop.set()

    async def _to_its_end(self, ctx: ToolContext, values: dict[str, Any]) -> Any:
        """Await the function in another task or thread. On cancellation, wait `GRACE_S` and then abandon it."""
        function = cast("Callable[..., Any]", self.function)
        if inspect.iscoroutinefunction(function):
            work: asyncio.Future[Any] = asyncio.ensure_future(guarded(function(**values)))
        else:
            work = in_thread(functools.partial(function, **values), self.name)
        try:
            await asyncio.wait({work})
        except asyncio.CancelledError:
            ctx._stop.set()
            if isinstance(work, asyncio.Task):
                work.cancel()
            work.add_done_callback(lambda done: done.cancelled() or done.exception())
            _, left = await asyncio.wait({work}, timeout=GRACE_S)
            if left:
                log.warning("tool %s keeps running although its call was cancelled", self.name)
            raise
        if work.cancelled():
            raise ToolError("it cancelled itself")
        return work.result()


async def guarded(work: Coroutine[Any, Any, Any]) -> Any:
    """Await the work; a tool that tries to exit the process only fails."""
    try:
        return await work
    except (SystemExit, KeyboardInterrupt) as error:
        raise ToolError(f"it tried to end the process: {type(error).__name__}") from error


def in_thread(work: Callable[[], Any], name: str) -> asyncio.Future[Any]:
    """Run blocking work in a new thread, for which neither the stop of the daemon nor other tools wait."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    context = contextvars.copy_context()

    def settle(value: Any, error: BaseException | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def run() -> None:
        value, failure = None, None
        try:
            value = context.run(work)
        except Exception as error:
            # A future can't hold StopIteration.
            failure = RuntimeError("StopIteration") if isinstance(error, StopIteration) else error
        except BaseException as error:
            failure = ToolError(f"it tried to end the process: {type(error).__name__}")
        try:
            loop.call_soon_threadsafe(settle, value, failure)
        except RuntimeError:
            log.debug("tool %s ended after the daemon", name)

    threading.Thread(target=run, name=f"tool {name}", daemon=True).start()
    return future


@overload
def tool(function: Callable[P, R], /) -> OwnTool[P, R]: ...
@overload
def tool(
    *,
    risk: Risk | Callable[..., Risk] = "high",
    name: str | None = None,
    description: str | None = None,
    display: Callable[..., str] | None = None,
) -> Callable[[Callable[P, R]], OwnTool[P, R]]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    risk: Risk | Callable[..., Risk] = "high",
    name: str | None = None,
    description: str | None = None,
    display: Callable[..., str] | None = None,
) -> Any:
    """Make a function a tool that agents can call.

    Its parameters need types; the first may be a `ToolContext`. `risk` is "low" (runs without approval), "medium" or
    "high" (both need an approval, by default), or a function of the arguments that returns one of these. `display` is a
    function of the arguments that returns what the user is shown. The docstring tells the model what the function does,
    and what each parameter is. Raises: TypeError, ValueError, with the name of the function and what is wrong.
    """

    def make(function: Callable[..., Any]) -> OwnTool[..., Any]:
        return own_tool(function, risk, name, description, display)

    return make if function is None else make(function)


def own_tool(
    function: Callable[..., Any],
    risk: Risk | Callable[..., Risk] = "high",
    name: str | None = None,
    description: str | None = None,
    display: Callable[..., str] | None = None,
) -> OwnTool[..., Any]:
    """Raises: TypeError, ValueError."""
    if not inspect.isroutine(function):
        raise TypeError(f"a tool must be a function, not {function!r}")
    called = name or function.__name__
    where = f"tool {called!r} ({Path(inspect.getfile(function)).name})"
    if NAME.fullmatch(called) is None:
        raise ValueError(f"{where}: a tool's name is letters, digits, _ and -, at most 64: pass name=")
    if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
        raise TypeError(
            f"{where}: a generator can't be a tool; return the result, and report progress with ctx.progress"
        )
    if isinstance(risk, str):
        if risk not in RISKS:
            raise ValueError(f"{where}: risk must be one of {', '.join(RISKS)} or a function, not {risk!r}")
    elif not callable(risk) or inspect.iscoroutinefunction(risk):  # pyright: ignore[reportUnnecessaryComparison]
        raise TypeError(f"{where}: risk must be one of {', '.join(RISKS)} or a function that is not async")
    if display is not None and (not callable(display) or inspect.iscoroutinefunction(display)):
        raise TypeError(f"{where}: display must be a function that is not async")
    summary, documented = described(function)
    arguments, context_name, fields = arguments_of(function, called, where, documented)
    return OwnTool(function, called, description or summary or called, risk, display, arguments, context_name, fields)


def arguments_of(
    function: Callable[..., Any], called: str, where: str, documented: Mapping[str, str]
) -> tuple[type[BaseModel], str | None, dict[str, str]]:
    """The model of a function's arguments, the name of its context parameter, and parameter → field.

    Fields are named differently, so that a parameter may be called `schema` or `_id`. Raises: TypeError.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except Exception as error:
        raise TypeError(f"{where}: its types can't be read: {error}; define them at the top of the module") from error
    context_name: str | None = None
    fields: dict[str, str] = {}
    shapes: dict[str, Any] = {}
    for position, parameter in enumerate(inspect.signature(function).parameters.values()):
        hint = hints.get(parameter.name)
        if position == 0 and (hint is ToolContext or (hint is None and parameter.name == "ctx")):
            context_name = parameter.name
            continue
        if hint is ToolContext:
            raise TypeError(f"{where}: the ToolContext must be the first parameter, not {parameter.name!r}")
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{where}: {parameter} can't be an argument of a tool: models pass arguments by name")
        if hint is None:
            raise TypeError(f"{where}: the parameter {parameter.name!r} needs a type")
        place = fields[parameter.name] = f"argument_{position}"
        shapes[place] = (hint, shape(parameter, hint, documented.get(parameter.name)))
    config = ConfigDict(extra="forbid", serialize_by_alias=True, arbitrary_types_allowed=False, title=called)
    try:
        made = create_model(called, __config__=config, **shapes)
        made.model_json_schema()
    except PydanticUserError as error:
        first = str(error).splitlines()[0]
        raise TypeError(f"{where}: a parameter has a type that JSON can't describe: {first}") from error
    return made, context_name, fields


def shape(parameter: inspect.Parameter, hint: Any, description: str | None) -> FieldInfo:
    """The field of one parameter."""
    extra: dict[str, Any] = {"alias": parameter.name}
    own = any(isinstance(part, FieldInfo) and part.description for part in getattr(hint, "__metadata__", ()))
    if description and not own:
        extra["description"] = description
    if parameter.default is not parameter.empty:
        extra["default"] = parameter.default
    return cast("FieldInfo", Field(**extra))


def described(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """What a docstring (Google, NumPy or Sphinx style) says of the function, and of each parameter."""
    doc = inspect.getdoc(function) or ""
    if "\n" not in doc:
        return doc.strip(), {}
    import griffe

    quiet: Any = {"google": {"warnings": False}, "numpy": {"warnings": False}, "sphinx": {"warnings": False}}
    sections = griffe.Docstring(doc).parse("auto", method="max_sections", per_style_options=quiet, default="google")
    texts: list[str] = []
    for section in sections:
        if section.kind is griffe.DocstringSectionKind.text:
            texts.append(str(section.value))
        elif section.kind is griffe.DocstringSectionKind.admonition:
            note: Any = section.value
            texts.append(f"{section.title or note.kind}:\n{note.contents}")
    parameters = {
        str(one.name).lstrip("*"): str(one.description).strip()
        for section in sections
        if isinstance(section, griffe.DocstringSectionParameters)
        for one in section.value
    }
    returns = [
        str(one.description).strip()
        for section in sections
        if section.kind is griffe.DocstringSectionKind.returns
        for one in section.value
    ]
    words = "\n\n".join([*texts, *(f"Returns: {told}" for told in returns if told)])
    return words.strip(), parameters


# -- values ------------------------------------------------------------------------------------------------------------


def canonical(arguments: BaseModel) -> str:
    """The same text for equal arguments, with defaults. Raises: ToolError for what JSON can't hold."""
    try:
        value = arguments.model_dump(mode="json", by_alias=True)
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
        text.encode()
    except ValueError as error:
        raise ToolError(f"an argument can't be written as JSON: {error}") from error
    return text


def outcome(name: str, value: Any) -> Outcome:
    """The result of a function as JSON, cut at a limit. Raises: ToolError."""
    try:
        plain = to_jsonable_python(value, inf_nan_mode="null", by_alias=True)
        text = json.dumps(plain, ensure_ascii=False)
    except ValueError as error:  # includes pydantic's errors
        raise ToolError(f"{name} returned {type(value).__name__}, which JSON can't hold: {error}") from error
    size = len(text.encode("utf-8", "replace"))
    if size <= RESULT_BYTES:
        return Outcome(plain)
    kept = (plain if isinstance(plain, str) else text).encode("utf-8", "replace")[:RESULT_BYTES]
    note = f"\n[... the rest of {sized(size)} is cut ...]"
    return Outcome(kept.decode("utf-8", "ignore") + note, truncated=True)
