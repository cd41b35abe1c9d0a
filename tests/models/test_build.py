"""Models are built once, kept, and built again when a key changes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from aster_sidecar.models.build import Models
from aster_sidecar.models.sdk_models import SdkModels
from tests.support.provider import ProviderDouble


def test_models_reached_alike_share_a_client() -> None:
    here = {"OPENAI_BASE_URL": "http://127.0.0.1:1/v1", "ANTHROPIC_API_KEY": "k"}
    models = Models(here, lambda: None, lambda _: None, lambda _, __: None)
    names = ("openai:a", "openai:b", "openai-chat:a", "anthropic:claude-sonnet-4-5", "anthropic:claude-opus-4-1")
    built = [models.build(name).model for name in names]
    used = {id(cast(Any, model).client._client) for model in built}
    assert len(used) == 2
    assert built[3].context_window == 200_000
    asyncio.run(models.close())


SCRIPT = """
import asyncio, os, sys
from pathlib import Path
from aster_sidecar.agents.app_code import AppCode
from aster_sidecar.daemon.wiring import build
from aster_sidecar.models.probe import probe
from aster_sidecar.config.places import places
from aster_sidecar.config.settings import Settings

async def main():
    home = Path(sys.argv[1])
    settings = Settings("web", 0, places(os.environ, data_dir=home, config_dir=home), environment=dict(os.environ))
    daemon = build(settings, AppCode(), 1, lambda: None)
    await daemon.open()
    await daemon._engine.load()
    await probe(daemon.models)
    await daemon.close()

asyncio.run(main())
unused = {"pydantic.v1", "httpx._main", "rich", "pygments", "genai_prices.data", "anthropic"}
print("loaded:", sorted(unused & set(sys.modules)))
from openai.types import responses
large = {"Response", "ParsedResponse", "ResponseCreatedEvent", "ResponseCompletedEvent", "ResponseOutputItemAddedEvent"}
print("built:", [name for name in sorted(large) if getattr(responses, name).__pydantic_complete__])
print("usable:", responses.ParsedResponse[int].model_json_schema()["title"])
"""


def test_a_turn_brings_along_what_it_needs_only(tmp_path: Path, provider: ProviderDouble) -> None:
    told = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent.parent,
        env={**os.environ, "OPENAI_BASE_URL": f"{provider.url}/v1", "ASTER_MODEL": "openai:gpt-5"},
    )
    assert told.stderr == ""
    assert told.stdout.splitlines() == ["loaded: []", "built: []", "usable: ParsedResponse[int]"]


def test_a_model_that_is_being_built_while_its_key_is_forgotten_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"OPENAI_API_KEY": "old", "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"}
    models = Models(environment, lambda: "openai-chat:m", lambda _: None, lambda key, value: None)
    began, goes_on = threading.Event(), threading.Event()
    make = SdkModels.make

    def slow(self: SdkModels, *given: Any) -> Any:
        began.set()
        assert goes_on.wait(20)
        return make(self, *given)

    monkeypatch.setattr(SdkModels, "make", slow)
    building = threading.Thread(target=models.build)  # as happens when a client connects
    building.start()
    assert began.wait(20)
    environment["OPENAI_API_KEY"] = "new"
    models.forget()
    goes_on.set()
    building.join(20)
    assert models.built() is None, "it would have the old key"
    chosen = models.build()
    assert cast("Any", chosen.model).client.api_key == "new"
    assert models.built() is chosen
    assert models.build() is chosen
