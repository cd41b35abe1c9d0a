"""The first run of a companion app: its steps with their checks, and a check of the model.

The steps are computed from the current state. Only what the person did (completed, skipped) and failures are stored.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from aster_sidecar import clock
from aster_sidecar.config.settings import Config, Settings
from aster_sidecar.contract import wire
from aster_sidecar.errors import ModelError, StoreError
from aster_sidecar.models.build import Models
from aster_sidecar.models.catalog import DEMO
from aster_sidecar.models.probe import probe
from aster_sidecar.policy.permissions import sentence
from aster_sidecar.store.journal import Journal
from aster_sidecar.store.rows.meta import remember

STEPS: tuple[wire.OnboardingStepId, ...] = get_args(wire.OnboardingStepId)
OPTIONAL = frozenset(("handoff",))
FACT = "onboarding"
"""The key under which the store keeps `Kept`."""


@dataclass
class Kept:
    """What is stored of the first run."""

    said: dict[str, Literal["done", "skipped"]] = field(default_factory=dict[str, Literal["done", "skipped"]])
    """What the person did with each step."""
    failures: dict[str, int] = field(default_factory=dict[str, int])
    errors: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    answered: str | None = None
    """The last model that was asked and answered."""


class Onboarding:
    """The first run's steps. `keychain` returns why keys are not kept in the system's keychain; None if they are."""

    def __init__(
        self, journal: Journal, settings: Settings, config: Config, models: Models, keychain: Callable[[], str | None]
    ) -> None:
        self._journal = journal
        self._settings = settings
        self._config = config
        self._models = models
        self._keychain = keychain
        self._kept = Kept()

    def open(self) -> None:
        """Load what was stored. Raises: StoreError."""
        self._read()
        self._journal.lost.subscribe(self._read)

    def _read(self) -> None:
        kept = self._journal.recall(FACT)
        self._kept = Kept(**json.loads(kept)) if kept is not None else Kept()

    # -- the state -----------------------------------------------------------------------------------------------------

    def state(self) -> wire.Onboarding:
        """The current state of all steps. Makes a few system calls to check directories."""
        checks = {step: self._checks(step) for step in STEPS}
        met: dict[wire.OnboardingStepId, bool] = {
            step: self._is_met(step, checks[step]) for step in STEPS if step != "done"
        }
        skipped = {step for step in met if not met[step] and self._kept.said.get(step) == "skipped"}
        missing: list[wire.OnboardingStepId] = [
            step for step in met if not met[step] and step not in skipped and step not in OPTIONAL
        ]
        current: wire.OnboardingStepId | None = missing[0] if missing else None
        if current is None and self._kept.said.get("done") != "done":
            current = "done"
        steps: list[wire.OnboardingStep] = []
        for step in STEPS:
            over = met.get(step, current is None)
            error = self._kept.errors.get(step)
            steps.append(
                wire.OnboardingStep(
                    id=step,
                    state="done"
                    if over
                    else "current"
                    if step == current
                    else "skipped"
                    if step in skipped
                    else "todo",
                    optional=step in OPTIONAL,
                    checks=checks[step],
                    failures=self._kept.failures.get(step, 0),
                    last_error=wire.ErrorInfo.model_validate(error) if error is not None and not over else None,
                    actions=self._actions(step, checks[step], error if not over else None),
                )
            )
        return wire.Onboarding(steps=steps, current=current, done=current is None)

    def _is_met(self, step: str, checks: list[wire.OnboardingCheck]) -> bool:
        if any(check.status == "blocked" for check in checks):
            return False
        match step:
            case "environment" | "engine":
                return True
            case "provider":
                model = self._models.name()
                if model.partition(":")[0] == DEMO:
                    # A launcher can set the demo model, to try the daemon. The person chooses through the API.
                    return self._config.sourced("model").source == "api"
                return model != "" and self._kept.answered == model
            case "permissions" if self._config.sourced("permission_mode").source != "default":
                return True
            case _:
                return self._kept.said.get(step) == "done"

    def _checks(self, step: str) -> list[wire.OnboardingCheck]:
        match step:
            case "environment":
                places = self._settings.places
                return [
                    writable("data_dir", places.data_dir, "Choose another data folder."),
                    wire.OnboardingCheck(id="port", status="ok", message="Aster is running."),
                    self._check_keychain(),
                    writable("work_dir", self._config.work_dir, "Choose another work folder in the settings."),
                ]
            case "state_root":
                places = self._settings.places
                message = f"Conversations and rules are kept in {places.data_dir}, settings in {places.config_path}."
                return [wire.OnboardingCheck(id="place", status="ok", message=message)]
            case "engine":
                failure = self._journal.failure
                if failure is not None:
                    return [blocked("store", failure.message, failure.hint)]
                return [wire.OnboardingCheck(id="store", status="ok", message="Conversations are saved.")]
            case "provider":
                model = self._models.name()
                if not model:
                    return [blocked("model", "A key is set, but no model is chosen.", "Choose a model.")]
                return [wire.OnboardingCheck(id="model", status="ok", message=f"Messages go to {model}.")]
            case _:
                return []

    def _check_keychain(self) -> wire.OnboardingCheck:
        why_not = self._keychain()
        if why_not is None:
            return wire.OnboardingCheck(id="keychain", status="ok", message="Keys are kept in the system's keychain.")
        return wire.OnboardingCheck(
            id="keychain",
            status="warning",
            message=f"Keys are kept in a file without encryption: {why_not}.",
            remedy="Unlock or install the system's keychain, or set keys as environment variables.",
        )

    def _actions(self, step: str, checks: list[wire.OnboardingCheck], error: dict[str, Any] | None) -> list[str]:
        """What a person can do, as sentences, the most likely remedy first."""
        found = [check.remedy for check in checks if check.status != "ok" and check.remedy]
        if error is not None and error.get("hint"):
            found.append(sentence(str(error["hint"])))
        if step == "provider":
            found += ["Add a key.", "Start a model server on this computer.", "Choose the demo model."]
        return list(dict.fromkeys(found))

    # -- changes -------------------------------------------------------------------------------------------------------

    async def say(self, request: wire.OnboardingRequest) -> wire.Onboarding:
        """Store what a person did with a step, and return the new state."""
        if request.action == "reset":
            for kept in (self._kept.said, self._kept.failures, self._kept.errors):
                kept.pop(request.step, None)
            if request.step == "provider":
                self._kept.answered = None
        else:
            self._kept.said[request.step] = "done" if request.action == "complete" else "skipped"
        return await self._store()

    async def asked(self, model: str, error: ModelError | None) -> None:
        """Store whether a model answered a check."""
        if error is None:
            self._kept.answered = model
            self._kept.errors.pop("provider", None)
        else:
            self._kept.failures["provider"] = self._kept.failures.get("provider", 0) + 1
            self._kept.errors["provider"] = error_info(error).model_dump()
        await self._store()

    async def handed_off(self) -> None:
        """Store that a browser was signed in."""
        if self._kept.said.get("handoff") != "done":
            self._kept.said["handoff"] = "done"
            await self._store()

    async def _store(self) -> wire.Onboarding:
        state = self.state()
        await self._journal.record(
            "onboarding_changed",
            wire.OnboardingChangedEvent(**dict(state)),
            writes=[remember(FACT, json.dumps(vars(self._kept)))],
        )
        return state


def writable(name: str, place: Path, remedy: str) -> wire.OnboardingCheck:
    """A check whether files can be created in a directory."""
    if place.is_dir() and os.access(place, os.W_OK | os.X_OK):
        return wire.OnboardingCheck(id=name, status="ok", message=f"{place} can be written to.")
    return blocked(name, f"{place} cannot be written to.", remedy)


def blocked(name: str, message: str, remedy: str | None) -> wire.OnboardingCheck:
    """A failed check that blocks its step."""
    return wire.OnboardingCheck(id=name, status="blocked", message=message, remedy=remedy)


def error_info(error: ModelError | StoreError) -> wire.ErrorInfo:
    """An error for clients."""
    return wire.ErrorInfo(code=error.code, message=error.message, hint=error.hint, time=clock.stamp())


async def check_model(models: Models, name: str | None) -> tuple[wire.ModelCheck, ModelError | None]:
    """Ask a model, by name or (None) the configured one, for one word. Returns the result and the error, if any."""
    began = time.monotonic()
    error: ModelError | None = None
    try:
        await probe(models, name)
    except ModelError as failed:
        error = failed
    return (
        wire.ModelCheck(
            ok=error is None,
            model=name or models.name(),
            duration_ms=round((time.monotonic() - began) * 1000),
            error=error_info(error) if error is not None else None,
        ),
        error,
    )
