"""Fixtures: a daemon, the provider double, and a daemon that talks to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.daemon import Daemon
from tests.support.provider import ProviderDouble

PROTOCOLS = {"responses": "openai:double", "chat": "openai-chat:double", "anthropic": "anthropic:double"}


FOLDERS = {"flows": "daemon", "guide": "daemon", "llama": "daemon", "readme": "daemon"} | dict.fromkeys(
    ("package", "install"), "package"
)
"""Folders whose tests have a mark of their own; all other tests are marked `unit`."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder, so that `-m unit` and the like select them; `launch` starts a daemon anywhere."""
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        mark = FOLDERS.get(folder, "unit")
        item.add_marker("daemon" if mark == "unit" and "launch" in getattr(item, "fixturenames", ()) else mark)


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Start daemons that are killed when the test ends."""
    started: list[Daemon] = []

    def start(name: str = "a", **fields: object) -> Daemon:
        home = tmp_path / name
        home.mkdir(exist_ok=True)
        daemon = Daemon(home, **fields)  # type: ignore[arg-type]
        started.append(daemon)
        return daemon.start()

    yield start
    for daemon in started:
        if daemon.process is not None:
            daemon.stop()


@pytest.fixture
def daemon(launch: Callable[..., Daemon]) -> Daemon:
    """A daemon with the demo model."""
    return launch()


@pytest.fixture
def provider() -> Iterator[ProviderDouble]:
    with ProviderDouble() as double:
        yield double


@pytest.fixture
def real(launch: Callable[..., Daemon], provider: ProviderDouble) -> Daemon:
    """A daemon whose model is the provider double, over OpenAI Responses."""
    return launch(environment=provider_environment(provider))


def provider_environment(provider: ProviderDouble, model: str = PROTOCOLS["responses"]) -> dict[str, str]:
    """Variables that make a daemon talk to the double."""
    return {
        "ASTER_MODEL": model,
        "OPENAI_API_KEY": "sk-canary-openai-5f0c",
        "OPENAI_BASE_URL": provider.url + "/v1",
        "ANTHROPIC_API_KEY": "sk-canary-anthropic-5f0c",
        "ANTHROPIC_BASE_URL": provider.url,
    }
