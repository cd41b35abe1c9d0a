"""Wire models of notifications, focus, feature flags and onboarding."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aster_sidecar.contract.base import ErrorInfo, Model, Name, NotificationKind, OnboardingStepId, Request, Time


class Notification(Model):
    """Something that needs a person's attention. Its texts name the agent and the tool, and contain no conversation."""

    notification_id: str
    kind: NotificationKind
    title: str
    body: str
    agent_id: str | None = None
    session_id: str | None = None
    turn_id: str | None = None
    call_id: str | None = None
    created_at: Time
    read: bool


class Notifications(Model):
    """Newest first; at most 200 are kept. `unread` counts all unread ones, not only those in this answer."""

    notifications: list[Notification]
    unread: int


class NotificationsReadRequest(Request):
    """Mark these notifications as read; without `ids`: all."""

    ids: Annotated[list[Name], Field(max_length=1000)] | None = None


class NotificationsRead(Model):
    """`ids`: the notifications that were unread before. `unread`: how many still are."""

    ids: list[str]
    unread: int


class FocusRequest(Request):
    """The session that a person is viewing in this client. Its turns end without a notification."""

    client_id: Name
    session_id: Name | None = None


class Focused(Model):
    client_id: str
    session_id: str | None


class FlagsPatch(Request):
    """Any subset of the flags; `null` resets a flag to its default."""

    companion_shell: bool | None = Field(None, description="Show setup, and what happened while you were away.")
    desktop_notifications: bool | None = Field(None, description="Show desktop notifications.")
    offline_drafts: bool | None = Field(None, description="Save messages as drafts while Aster can't be reached.")
    ambient: bool | None = Field(None, description="Show the tray icon, the quick panel and its hotkey.")
    browser: bool | None = Field(None, description="Give agents a browser.")
    voice_capture: bool | None = Field(None, description="Dictate messages.")
    voice_overlay: bool | None = Field(None, description="Show a window with what is dictated.")
    tts: bool | None = Field(None, description="Read answers aloud.")
    release_channel: Literal["stable", "beta"] | None = Field(None, description="Which updates the app offers.")


class FlagInfo(Model):
    """A feature of the companion that can be switched on or off."""

    name: str
    description: str
    value: bool | str
    default: bool | str
    choices: list[str] | None = None
    source: Literal["file", "default"]


class OnboardingCheck(Model):
    """The result of one check. `remedy` says what to do if `status` is not `ok`."""

    id: str
    status: Literal["ok", "warning", "blocked"]
    message: str
    remedy: str | None = None


class OnboardingStep(Model):
    """One onboarding step. `failures` counts the failed attempts so far; `actions` are possible remedies."""

    id: OnboardingStepId
    state: Literal["done", "current", "todo", "skipped"]
    optional: bool
    checks: list[OnboardingCheck]
    failures: int
    last_error: ErrorInfo | None = None
    actions: list[str]


class Onboarding(Model):
    """The steps in order. `current`: the first unfinished step; null when all are done. Chatting never requires it."""

    steps: list[OnboardingStep]
    current: OnboardingStepId | None
    done: bool


class OnboardingRequest(Request):
    """`complete`: mark the step as done; `skip`: skip it; `reset`: undo either."""

    step: OnboardingStepId
    action: Literal["complete", "skip", "reset"]
