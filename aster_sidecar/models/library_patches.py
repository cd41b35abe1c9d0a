"""Every place where models/ and conversation/ change a library, or use a part of it that is not public.

Most patches save time or memory; those of google-genai set timeouts and release connections.

Each has a test in tests/models/test_library_patches.py that fails when a new version lacks what it needs.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
from collections.abc import AsyncIterator, Callable, Collection, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from aster_sidecar.models.request_context import without_marks
from aster_sidecar.models.sdk_objects import Unclear, shaped, types_in

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponseStreamEvent
    from pydantic_ai.models import StreamedResponse

log = logging.getLogger(__name__)

# -- imports -----------------------------------------------------------------------------------------------------------


@contextmanager
def without(*names: str) -> Generator[None]:
    """Import as if these modules did not exist. Only for modules that their importer treats as optional."""
    modules = cast("dict[str, Any]", sys.modules)
    hidden = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(hidden))
    try:
        yield
    finally:
        for name in hidden:
            if modules.get(name, ...) is None:
                del modules[name]


@contextmanager
def unbuilt(model: type[BaseModel]) -> Generator[None]:
    """Delay building a generic model's schema until its first use; pydantic builds it when a parameter is given.

    For a model that no other thread uses yet.
    """

    def later(cls: type[BaseModel], **_: Any) -> None: ...

    model.model_rebuild = classmethod(later)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield
    finally:
        del model.model_rebuild


# -- genai_prices ------------------------------------------------------------------------------------------------------

_priced: set[str] | None = None
"""The providers whose prices are loaded; None: none yet."""


def add_prices(*providers: str) -> None:
    """Load the prices and context windows of these providers (names or URLs), besides those loaded before.

    Not thread-safe: the caller holds a lock.
    """
    global _priced
    if _priced is None or not _priced.issuperset(providers):
        _priced = {*(_priced or ()), *providers}
        keep_prices(_priced)


def keep_prices(providers: Collection[str]) -> None:
    """Limit pydantic-ai's price list to these providers (names or URLs). The whole list takes 5 MB.

    Prices that an app's own code keeps up to date are left alone.
    """
    try:
        from genai_prices import data_snapshot

        before = getattr(data_snapshot, "_custom_snapshot", None)
        if before is not None and before.from_auto_update:
            return
        found = {provider.id: provider for provider in all_prices()} if providers else {}
        kept = [
            p for p in found.values() if p.id in providers or any(re.match(p.api_pattern, url) for url in providers)
        ]
        for provider in kept:  # the list grows: a provider may refer to the models of another one
            others = (found[other] for other in provider.fallback_model_providers or () if other in found)
            kept += [other for other in others if other not in kept]
        data_snapshot.set_custom_snapshot(data_snapshot.DataSnapshot(providers=kept, from_auto_update=False))
    except Exception as error:  # the library has changed: it keeps its whole list
        log.debug("the price list stays whole: %s", error)


def all_prices() -> list[Any]:
    """The whole price list. Its module does not stay loaded."""
    spec = importlib.util.find_spec("genai_prices.data")
    if spec is None or spec.loader is None:
        raise ImportError("no genai_prices.data")
    data = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(data)
    return data.providers


# -- openai and anthropic ----------------------------------------------------------------------------------------------


def send_as_is(resource: Any, names: tuple[str, ...], form: Callable[[list[Any]], list[Any]] | None = None) -> None:
    """Make the `create` of an SDK's resource send these arguments unchanged. `form` is applied to the first one.

    The SDKs walk through every argument, once for each possible type, to rename fields that pydantic-ai never uses:
    4 ms for nine tools alone, and more with each message of a long conversation. `extra_body` avoids that.
    """
    create: Callable[..., Any] = resource.create

    def lean(**given: Any) -> Any:
        body = {name: given[name] for name in names if isinstance(given.get(name), list | str)}
        if isinstance(body.get(names[0]), list):
            body[names[0]] = without_marks(form(body[names[0]]) if form is not None else body[names[0]])
        given |= {name: [] for name in body}
        given["extra_body"] = {**(given.get("extra_body") or {}), **body}
        return create(**given)

    resource.create = lean


def read_by_type(client: Any, union: Any) -> None:
    """Make an SDK's client choose the member of a union of streamed events by the event's `type`.

    The SDK tries all members on each event: 44 µs instead of 2, a third of what a token costs. An event that does not
    fit is left to the SDK.
    """
    read: Callable[..., Any] | None = getattr(client, "_process_response_data", None)
    by_type = types_in(union)
    if read is None:
        return

    def lean(*, data: Any, cast_to: Any, response: Any) -> Any:
        fields = cast("dict[str, Any]", data) if cast_to is union and isinstance(data, dict) else {}
        member = by_type.get(str(fields.get("type")))
        if member is not None:
            try:
                return member.model_validate(data) if "delta" in fields else shaped(member, data)
            except (ValidationError, Unclear, TypeError):
                pass
        return read(data=data, cast_to=member or cast_to, response=response)

    client._process_response_data = lean


# -- google-genai ------------------------------------------------------------------------------------------------------


def use_timeouts(client: Any, timeout: Any) -> None:
    """Make Google's client use the timeouts of its HTTP client.

    Its own setting is one number for all phases, which it also sends to the server: that would end an answer after
    that time even while more is coming.
    """
    inner = client._api_client
    build: Callable[..., Any] = inner._build_request

    def lean(*given: Any, **named: Any) -> Any:
        request = build(*given, **named)
        request.timeout = timeout
        return request

    inner._build_request = lean


class Segments:
    """A streamed answer of Google's client that releases its connection as soon as it is no longer read.

    The client's own answer is part of a reference cycle: its connection stays open until the garbage collector runs.
    """

    def __init__(self, answer: Any) -> None:
        self._answer = answer
        self.headers = answer.headers

    def __aiter__(self) -> Any:
        return self._answer.async_segments()


def release_streams(client: Any) -> None:
    """Make Google's client return streamed answers as `Segments`."""
    inner = client._api_client
    ask: Callable[..., Any] = inner._async_request

    async def lean(*given: Any, stream: bool = False, **named: Any) -> Any:
        answer = await ask(*given, stream=stream, **named)
        return Segments(answer) if stream else answer

    inner._async_request = lean


# -- pydantic-ai -------------------------------------------------------------------------------------------------------


def tap_events(
    stream: StreamedResponse,
    tap: Callable[[AsyncIterator[ModelResponseStreamEvent]], AsyncIterator[ModelResponseStreamEvent]],
) -> None:
    """Make a streamed response yield what `tap` yields of its events. To be called before the first event is read."""
    stream._event_iterator = tap(aiter(stream))
