"""The page, and browsers that are sent to it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from aster_sidecar.contract.base import Framework, Model, Name, Request, Time


class HandoffCreate(Request):
    """What the browser should open: a part of the UI, a session."""

    section: Annotated[str, StringConstraints(pattern="^[a-z][a-z-]{0,49}$")] | None = None
    session_id: Name | None = None


class Handoff(Model):
    """A link for one browser, once. The code is in its fragment, which no browser sends and no log sees."""

    url: str
    expires_at: Time


class HandoffRedeem(Request):
    """The code of a link. Needs no token: it is one."""

    code: Name


class HandoffRedeemed(Model):
    """`bearer` is what the page sends as `Authorization: Bearer` from now on; it ends with the daemon."""

    bearer: str
    bearer_id: str
    section: str | None
    session_id: str | None


class BearerInfo(Model):
    """A browser that is signed in."""

    bearer_id: str
    created_at: Time
    last_used_at: Time


class BearerRevoked(Model):
    bearer_id: str


class Bootstrap(Model):
    """What a UI has to know before anything else. `runtime_surface` is `native` when a host asks for its page."""

    runtime_surface: Literal["native", "browser"]
    framework: Framework
    version: str
    protocol: int
    instance_id: str
    ws_path: str
    token_required: bool
    flags: dict[str, bool | str]
