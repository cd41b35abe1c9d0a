"""Asks a model for one word, to check that it works: for `POST /api/models/check`, onboarding and `doctor`."""

from __future__ import annotations

import asyncio

from aster_sidecar.errors import ModelError
from aster_sidecar.models.build import Models
from aster_sidecar.models.chosen import Chosen
from aster_sidecar.models.request_context import exchanging

PROBE_S = 60.0
PROBE_TOKENS = 16
"""Some providers refuse fewer."""


async def probe(models: Models, name: str | None = None) -> Chosen:
    """Send a model (by default the chosen one) a request as a turn does, and read its answer. Raises: ModelError."""
    from pydantic_ai import ModelRequest, ModelSettings
    from pydantic_ai.direct import model_request_stream

    while True:
        chosen = await asyncio.to_thread(models.build, name)
        try:
            question = ModelRequest.user_text_prompt("Answer with one word: ok")
            settings: ModelSettings = {"max_tokens": PROBE_TOKENS}
            with exchanging(chosen.exchange()):
                async with (
                    asyncio.timeout(PROBE_S),
                    model_request_stream(chosen.model, [question], model_settings=settings) as answer,
                ):
                    async for _ in answer:
                        pass
            models.worked(chosen)
            return chosen
        except TimeoutError as error:
            raise ModelError(
                "provider_timeout",
                f"{chosen.name}: the provider did not answer within {PROBE_S:g} s",
                hint="try again; a local server may still be loading the model",
            ) from error
        except Exception as error:
            failure = models.why(chosen, error)
            if not (isinstance(failure, ModelError) and models.adapts(chosen, failure)):
                if isinstance(failure, ModelError):
                    models.failed(chosen, failure)
                raise failure from error
