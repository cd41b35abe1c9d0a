"""Wire models of the web page's bootstrap and of browser sign-in."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from aster_sidecar.contract.base import Framework, Model, Name, Request, Time


class HandoffCreate(Request):
    """What the browser should open: a section of the UI, or a session."""

    section: Annotated[str, StringConstraints(pattern="^[a-z][a-z-]{0,49}$")] | None = None
    session_id: Name | None = None


class Handoff(Model):
    """A one-time sign-in link for one browser. The code is in the URL's fragment, which is neither sent nor logged."""

    url: str
    expires_at: Time


class HandoffRedeem(Request):
    """The code of a sign-in link. It replaces the token for this request."""

    code: Name


class HandoffRedeemed(Model):
    """`bearer`: what the page sends as `Authorization: Bearer` from now on; valid until the daemon stops."""

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
    """What a UI needs before any other call. `runtime_surface` is `native` when a desktop shell asks."""

    runtime_surface: Literal["native", "browser"]
    framework: Framework
    version: str
    protocol: int
    instance_id: str
    ws_path: str
    token_required: bool
    flags: dict[str, bool | str]
