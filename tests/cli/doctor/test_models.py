"""Checks of keys and models."""

from __future__ import annotations

from pathlib import Path

import pytest

from aster_sidecar.cli.config_preview import config_of
from aster_sidecar.cli.doctor import models
from aster_sidecar.config.places import places


@pytest.mark.parametrize("key", ["sk-1 sk-2", "sk-1\nsk-2", "sk-\x001", "sk-\u00e9"])
def test_a_key_that_was_pasted_wrongly_is_found_and_not_shown(key: str) -> None:
    found = models.keys({"OPENAI_API_KEY": key})
    assert found.status == "failed"
    assert "OPENAI_API_KEY" in found.detail
    assert "sk-" not in found.detail


@pytest.mark.parametrize("key", ["sk-1", "sk-1 ", " sk-1", '"sk-1"', "sk-1\n"])
def test_a_key_that_a_turn_could_use_is_found_to_be_one(key: str) -> None:
    found = models.keys({"GEMINI_API_KEY": key})
    assert (found.status, found.detail) == ("ok", "in this environment: GEMINI_API_KEY")


def test_a_placeholder_is_not_taken_for_a_key() -> None:
    found = models.keys({"OPENAI_API_KEY": "sk-..."})
    assert (found.status, found.detail) == ("warning", "OPENAI_API_KEY holds a placeholder, not a key")


@pytest.mark.parametrize(
    ("model", "ask", "detail"),
    [("demo", True, "the offline demo model"), ("openai:gpt-5.2", False, "not asked because of --no-model")],
)
def test_a_model_is_asked_only_when_it_is_real_and_wanted(home: Path, model: str, ask: bool, detail: str) -> None:
    config = config_of(places({"HOME": str(home), "USERPROFILE": str(home)}), model=model)
    first, *others = models.models(config, ask=ask)
    assert (first.name, first.status, detail in first.detail) == ("model", "skipped", True)
    assert [check.name for check in others] == ["local models"]


def test_without_a_configuration_no_model_is_known() -> None:
    assert [(check.name, check.status) for check in models.models(None, ask=True)] == [("model", "skipped")]
