"""Tools from the app's own code: a Python function with typed arguments becomes a tool like the built-in ones.

Its calls are handled like theirs: assessed, decided, approved, run at most once, with progress, and cancelled.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, overload

from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from aster_sidecar.policy.permissions import Assessment, Risk, Scope
from aster_sidecar.text.safe_text import sized, visible
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.function_arguments import arguments_of, described
from aster_sidecar.tools.function_runner import run_to_its_end
from aster_sidecar.tools.tool_context import ToolContext

log = logging.getLogger(__name__)

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
RISKS: tuple[Risk, ...] = ("low", "medium", "high")
RESULT_BYTES = 256 * 1024

P = ParamSpec("P")
R = TypeVar("R")


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
            scopes=(
                Scope("exact", target, f"{self.name} with exactly these arguments", "exact"),
                Scope("any", "", f"every call of {self.name}, with any arguments", "tool"),
            ),
            binding={"arguments": target, "risk": risk, "function": self.function.__qualname__},
        )

    def _rule_value(self, asked: RuleTarget, surroundings: Surroundings) -> str:
        if asked.kind != "exact":
            raise ToolError(f"a rule for {self.name} is exact or any; it can have conditions on arguments")
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
            value = await run_to_its_end(self.function, values, self.name, ctx._stop)
            return outcome(self.name, value)
        except (asyncio.CancelledError, ToolError):
            raise
        except Exception:
            log.warning("tool %s failed", self.name, exc_info=True)
            raise
        finally:
            ctx._teller.close()
            ctx._stop.set()


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
    check_risk(risk, where)
    if display is not None and (not callable(display) or inspect.iscoroutinefunction(display)):
        raise TypeError(f"{where}: display must be a function that is not async")
    summary, documented = described(function)
    arguments, context_name, fields = arguments_of(function, called, where, documented)
    return OwnTool(function, called, description or summary or called, risk, display, arguments, context_name, fields)


def check_risk(risk: Risk | Callable[..., Risk], where: str) -> None:
    """Raises: TypeError, ValueError."""
    if isinstance(risk, str):
        if risk not in RISKS:
            raise ValueError(f"{where}: risk must be one of {', '.join(RISKS)} or a function, not {risk!r}")
    elif not callable(risk) or inspect.iscoroutinefunction(risk):  # pyright: ignore[reportUnnecessaryComparison]
        raise TypeError(f"{where}: risk must be one of {', '.join(RISKS)} or a function that is not async")


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
