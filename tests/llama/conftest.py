"""Fixtures: llama.cpp's server with a model that the tests make, and a daemon that talks to it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.llama.server import LlamaServer, environment, program
from tests.support.daemon import Daemon

WINDOW_TOKENS = 32768
AUTO = ["--permission-mode", "auto_approve"]
MODELS = {
    "chat": "llamacpp:two-layers",
    "openai": "openai:two-layers",
    "responses": "openai-responses:two-layers",
    "anthropic": "anthropic:two-layers",
}


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of the model's file."""
    python = os.environ.get("ASTER_LLAMA_PYTHON")
    if python is None:
        pytest.skip("needs what `make test-llama` installs")
    path = tmp_path_factory.mktemp("model") / "two-layers.gguf"
    subprocess.run([python, str(Path(__file__).parent / "small_model.py"), str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def serve(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LlamaServer]]:
    """Start servers that are stopped when the tests end."""
    name = program()
    if name is None:
        pytest.skip("the lock has no llama.cpp server for this system: LLAMA_SERVER=/path names one")
    started: list[LlamaServer] = []

    def start(*more: str, window_tokens: int = WINDOW_TOKENS) -> LlamaServer:
        log = tmp_path_factory.mktemp("server") / "log.txt"
        server = LlamaServer(name, model, log, ["--ctx-size", str(window_tokens), *more])
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.stop()


@pytest.fixture(scope="session")
def server(serve: Callable[..., LlamaServer]) -> LlamaServer:
    """A server for all tests that do not change its state."""
    return serve()


@pytest.fixture
def talk(launch: Callable[..., Daemon]) -> Callable[..., Daemon]:
    """Start a daemon that uses a server."""

    def start(server: LlamaServer, model: str = MODELS["chat"], **more: str) -> Daemon:
        daemon = launch(arguments=AUTO, environment=environment(server, ASTER_MODEL=model, **more))
        (daemon.work_dir / "notes.txt").write_text("what is noted\n")
        return daemon

    return start
