"""Fixtures: a provider of raw bytes, and a daemon that talks to it. A module's tests share both."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.support.bytes_provider import BytesProvider
from tests.support.daemon import Daemon
from tests.support.stream_bytes import CHAT, DIALECTS, Dialect
from tests.support.talk import Talk, environment

AUTO = ["--permission-mode", "auto_approve"]


@pytest.fixture(scope="module")
def shared_provider() -> Iterator[BytesProvider]:
    with BytesProvider() as provider:
        yield provider


@pytest.fixture
def provider(shared_provider: BytesProvider) -> BytesProvider:
    """The module's provider, with nothing scripted."""
    shared_provider.reset()
    return shared_provider


@pytest.fixture(scope="module")
def shared_daemon(shared_provider: BytesProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("daemon")
    daemon = Daemon(home, arguments=AUTO, environment=environment(shared_provider))
    daemon.start()
    for name in ("a.txt", "b.txt"):
        (daemon.work_dir / name).write_text(f"in {name}\n")
    yield daemon
    daemon.stop()


@pytest.fixture
def begin(shared_daemon: Daemon, provider: BytesProvider) -> Callable[..., Talk]:
    """Begin a conversation in a new session, in a dialect or with a model by name."""

    def talk(dialect: Dialect | str = CHAT) -> Talk:
        model = dialect if isinstance(dialect, str) else dialect.model
        shared_daemon.config(model=model)
        session_id = shared_daemon.call("POST", "/api/sessions", {})["session_id"]
        return Talk(shared_daemon, provider, session_id)

    return talk


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Each of the dialects in turn."""
    return DIALECTS[request.param]


@pytest.fixture
def own(launch: Callable[..., Daemon], provider: BytesProvider) -> Callable[..., Talk]:
    """Begin a conversation with the test's own daemon: for other variables, or if it learns something about a model."""

    def talk(model: str = CHAT.model, *, arguments: list[str] | None = None, **variables: str) -> Talk:
        variables = environment(provider, **{"ASTER_MODEL": model, **variables})
        daemon = launch(arguments=AUTO if arguments is None else arguments, environment=variables)
        (daemon.work_dir / "a.txt").write_text("in a.txt\n")
        session_id = daemon.call("POST", "/api/sessions", {})["session_id"]
        return Talk(daemon, provider, session_id)

    return talk
