"""Notifications, focus, flags and the first run."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from aster_sidecar.contract.base import ErrorInfo, Model, Name, NotificationKind, OnboardingStepId, Request, Time


class Notification(Model):
    """Something that wants a person's attention. Its words name the agent and the tool, and hold nothing they said."""

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
    """Newest first; at most 200 are kept. `unread` counts all of them."""

    notifications: list[Notification]
    unread: int


class NotificationsReadRequest(Request):
    """Mark these as read; without `ids`: all."""

    ids: Annotated[list[Name], Field(max_length=1000)] | None = None


class NotificationsRead(Model):
    """`ids` are those that were unread."""

    ids: list[str]
    unread: int


class FocusRequest(Request):
    """Which session a person looks at through this client: its turns end without a notification."""

    client_id: Name
    session_id: Name | None = None


class Focused(Model):
    client_id: str
    session_id: str | None


class FlagsPatch(Request):
    """Any subset of the flags; `null` goes back to the default."""

    companion_shell: bool | None = Field(None, description="Show setup, and what happened while you were away.")
    desktop_notifications: bool | None = Field(None, description="Show desktop notifications.")
    offline_drafts: bool | None = Field(None, description="Save messages as drafts while Aster can't be reached.")
    ambient: bool | None = Field(None, description="Show the tray icon, the quick panel and its hotkey.")
    voice_capture: bool | None = Field(None, description="Dictate messages.")
    voice_overlay: bool | None = Field(None, description="Show a window with what is dictated.")
    tts: bool | None = Field(None, description="Read answers aloud.")
    release_channel: Literal["stable", "beta"] | None = Field(None, description="Which updates the app offers.")


class FlagInfo(Model):
    """A part of the companion that can be switched off."""

    name: str
    description: str
    value: bool | str
    default: bool | str
    choices: list[str] | None = None
    source: Literal["file", "default"]


class OnboardingCheck(Model):
    """One thing that was looked at. `remedy` says what to do when it is not ok."""

    id: str
    status: Literal["ok", "warning", "blocked"]
    message: str
    remedy: str | None = None


class OnboardingStep(Model):
    """A step, in order. `failures` counts what went wrong in it so far; `actions` are what may help."""

    id: OnboardingStepId
    state: Literal["done", "current", "todo", "skipped"]
    optional: bool
    checks: list[OnboardingCheck]
    failures: int
    last_error: ErrorInfo | None = None
    actions: list[str]


class Onboarding(Model):
    """`current` is the first step that is not met; null when it is over. Chatting never waits for it."""

    steps: list[OnboardingStep]
    current: OnboardingStepId | None
    done: bool


class OnboardingRequest(Request):
    """`complete`: the person went through it; `skip`: later, or never; `reset`: as if it had not been there."""

    step: OnboardingStepId
    action: Literal["complete", "skip", "reset"]
