"""The command line but serving: parsers, completion, what is printed, and the client over real sockets."""

from __future__ import annotations

import argparse
import json
import logging
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aster_sidecar.cli import completion, console, doctor, exit_codes, main, serve_args
from aster_sidecar.cli.command_list import COMMANDS
from aster_sidecar.cli.commands import parser as commands
from aster_sidecar.cli.commands.run import run
from aster_sidecar.config.places import places
from aster_sidecar.daemon.client import Client, ClientError, find
from aster_sidecar.store.journal import examine, scripts

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """A command sets the level of its own process; here that is the tests' process."""
    ours = logging.getLogger("aster_sidecar")
    before = ours.level
    yield
    ours.setLevel(before)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person's empty home, and a work directory that is current."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "ASTER_MODEL", "ASTER_SIDECAR_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return tmp_path / "home"


def answer(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    """What a command prints on stdout."""
    assert run(words) == code
    return capsys.readouterr().out


# -- parsers -----------------------------------------------------------------------------------------------------------


def test_serving_imports_no_command() -> None:
    script = (
        "import sys; import aster_sidecar.cli.serve_args as cli, aster_sidecar.daemon.server; cli.parser();"
        "ours = {'commands', 'doctor', 'completion', 'output', 'terminal'};"
        "print(sorted(name for name in sys.modules if name.removeprefix('aster_sidecar.') in ours or name == 'rich'))"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == "[]"


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main(["--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert all(f"  {name}" in text for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main([name, "--help"])
    assert stopped.value.code == 0
    text = capsys.readouterr().out
    assert "example:" in text
    assert "aster-sidecar " + name in text


def test_an_unknown_command_is_refused_with_the_ones_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main.main(["docter"])
    assert stopped.value.code == exit_codes.EXIT_USAGE
    assert "no such command: 'docter'; there are chat, doctor," in capsys.readouterr().err


def test_the_arguments_that_chat_gets() -> None:
    given = commands.parser().parse_args(["chat", "what", "is here", "--agent", "a", "--new", "--json"])
    assert (given.message, given.agent, given.session, given.new, given.model, given.json) == (
        ["what", "is here"],
        "a",
        None,
        True,
        None,
        True,
    )
    assert (given.data_dir, given.config_dir) == (None, None)


def test_flags_hold_before_and_behind_a_verb() -> None:
    parser = commands.parser()
    before = parser.parse_args(["sessions", "--data-dir", "d", "--json", "list"])
    behind = parser.parse_args(["sessions", "list", "--data-dir", "d", "--json"])
    assert vars(before) == vars(behind)
    assert (before.data_dir, before.json) == (Path("d"), True)


# -- paths, version, trust, config without a daemon --------------------------------------------------------------------


def test_paths_says_what_is_there_and_makes_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    home.mkdir()
    before = sorted(home.rglob("*"))
    told = json.loads(answer(capsys, "paths", "--json"))
    where = places({"HOME": str(home), "USERPROFILE": str(home)})
    assert told["config"] == {"path": str(where.config_path), "exists": False}
    assert told["store"]["path"] == str(where.data_dir / "aster.db")
    assert told["work_dir"] == {"path": str(Path.cwd()), "exists": True}
    assert sorted(home.rglob("*")) == before


def test_paths_from_the_home_directory_makes_no_workspace(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.mkdir()
    monkeypatch.chdir(home)
    told = json.loads(answer(capsys, "paths", "--json"))
    assert told["work_dir"]["path"].endswith("workspace")
    assert not told["work_dir"]["exists"]
    assert list(home.iterdir()) == []


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    told = json.loads(answer(capsys, "version", "--json"))
    assert told["version"] in answer(capsys, "version")
    assert told["protocol"] == 1


def test_config_set_get_and_unset_without_a_daemon(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "max_tokens = 5000 (file)" in answer(capsys, "config", "set", "max_tokens", "5000")
    path = places({"HOME": str(home), "USERPROFILE": str(home)}).config_path
    assert tomllib.loads(path.read_text("utf-8")) == {"max_tokens": 5000}
    assert answer(capsys, "config", "get", "max_tokens") == "5000\n"
    shown = json.loads(answer(capsys, "config", "--json"))
    assert shown["values"]["max_tokens"] == {"value": 5000, "source": "file", "settable": True}
    assert shown["running"] is False
    assert "max_tokens = 2000000 (default)" in answer(capsys, "config", "unset", "max_tokens")
    assert tomllib.loads(path.read_text("utf-8")) == {}


def test_config_takes_a_relative_work_dir(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("inner").mkdir()
    answer(capsys, "config", "set", "work_dir", "inner")
    assert answer(capsys, "config", "get", "work_dir").strip() == str(Path("inner").resolve())


def test_config_says_when_a_variable_wins(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASTER_MODEL", "demo")
    assert run(["config", "set", "model", "openai:x"]) == 0
    told = capsys.readouterr()
    assert told.out == "model = demo (environment)\n"
    assert "the environment wins" in told.err


def test_config_refuses_what_is_not_allowed_and_keeps_nothing(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "permission_mode", "never"]) == exit_codes.EXIT_CONFIG
    assert "allowed: auto_approve, smart_approve, always_ask" in capsys.readouterr().err
    assert not places({"HOME": str(home), "USERPROFILE": str(home)}).config_path.exists()
    with pytest.raises(SystemExit) as stopped:
        run(["config", "set", "colour", "red"])
    assert stopped.value.code == exit_codes.EXIT_USAGE
    assert run(["config", "get", "colour"]) == exit_codes.EXIT_FAILED


def test_trust_list_and_untrust(home: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    project = tmp_path / "pro\x1b[31mject"
    project.mkdir()
    assert json.loads(answer(capsys, "trust", str(project), "--json")) == {"trusted": str(project)}
    listed = answer(capsys, "trust")
    assert "\x1b" not in listed
    assert "‹U+001B›" in listed
    assert answer(capsys, "untrust", str(project)).startswith("no longer trusted")
    assert run(["untrust", str(project)]) == exit_codes.EXIT_FAILED
    assert json.loads(answer(capsys, "trust", "--json")) == []


def test_sessions_without_a_daemon_say_how_to_start_one(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sessions"]) == exit_codes.EXIT_FAILED
    told = capsys.readouterr().err
    assert "no daemon runs over" in told
    assert "start one: aster-sidecar" in told


def test_agents_without_a_daemon_are_the_built_in_ones(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [agent["id"] for agent in json.loads(answer(capsys, "agents", "--json"))] == ["default"]


# -- completion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_has_every_command_verb_flag_and_choice(shell: str) -> None:
    text = completion.script(shell, serve_args.parser(), commands.parser())
    places: dict[str, completion.Place] = {}
    completion.collect(places, "", commands.parser())
    completion.collect(places, "", serve_args.parser())
    assert {"", "config set", "sessions delete"} <= set(places)
    for place in places.values():
        wanted = {*place.words, *place.flags, *(value for known in place.values.values() for value in known or ())}
        if shell == "fish":
            wanted = {word.lstrip("-") for word in wanted}
        assert {word for word in wanted if word not in text} == set()


def test_completion_reads_a_parser_as_it_is() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("where", type=Path)
    parser.add_argument("--colour", choices=("red", "blue"))
    parser.add_argument("--loud", action="store_true")
    places: dict[str, completion.Place] = {}
    completion.collect(places, "", parser)
    assert places[""].values == {"--colour": ["red", "blue"]}
    assert "--loud" in places[""].flags
    assert places[""].directories


# -- output ------------------------------------------------------------------------------------------------------------


def test_a_table_hides_nothing_and_says_nothing_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_table(("a", "b"), [("x\ny\x1b]0;t\x07", True), ("\u202e", None)])
    assert capsys.readouterr().out.splitlines() == [
        "a".ljust(len("x‹U+000A›y‹U+001B›]0;t‹U+0007›")) + "  b",
        "x‹U+000A›y‹U+001B›]0;t‹U+0007›  yes",
        "‹U+202E›",
    ]


def test_json_has_no_character_that_a_terminal_acts_on(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_json({"title": "\x1b[2J\x7f\x9b\u202eé"})
    text = capsys.readouterr().out
    assert text.isascii()
    assert not set(text) & {"\x1b", "\x7f"}
    assert json.loads(text)["title"] == "\x1b[2J\x7f\x9b\u202eé"


# -- client ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["http://example.com:80", "https://127.0.0.1:8080", "http://127.0.0.1", "file:///x"])
def test_the_client_talks_to_this_machine_only(url: str) -> None:
    with pytest.raises(ValueError, match="on this machine"):
        Client(url)


@pytest.fixture
def stranger() -> Iterator[str]:
    """A server that is no daemon: it answers everything with the same bytes. Yields its URL."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection, suppress(OSError):  # who only looks whether it answers has left by now
                    connection.recv(65536)
                    body = b'["hello"]'
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join(30)


def test_what_is_no_daemon_is_not_taken_for_one(stranger: str, tmp_path: Path) -> None:
    told = {"url": stranger, "pid": 1, "instance_id": "instance_1", "token": False, "framework": "web", "started_at": 1}
    (tmp_path / "sidecar.json").write_text(json.dumps(told), "utf-8")
    assert find(tmp_path) is None
    with pytest.raises(ClientError, match="not as a daemon does"):
        Client(stranger).call("GET", "/api/agents")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"url": 5}', '{"url": "http://127.0.0.1:9"}', "[" * 100_000])
def test_a_state_file_that_makes_no_sense_is_no_daemon(text: str, tmp_path: Path) -> None:
    (tmp_path / "sidecar.json").write_text(text, "utf-8")
    assert find(tmp_path) is None


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, so that nobody gets it, and on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def test_nobody_there_is_an_error_with_a_remedy(nobody: int) -> None:
    with pytest.raises(ClientError) as refused:
        Client(f"http://127.0.0.1:{nobody}").call("GET", "/api/agents")
    assert (refused.value.status, refused.value.code) == (0, "unreachable")
    assert refused.value.hint is not None


# -- doctor's checks that need no daemon -------------------------------------------------------------------------------


def test_libraries_that_are_missing_are_named() -> None:
    assert doctor.libraries().status == "ok"
    found = doctor.libraries(["json", "no_such_library"])
    assert (found.status, found.detail) == ("failed", "missing: no_such_library")


def test_directories_are_judged(tmp_path: Path) -> None:
    assert doctor.directory("data", tmp_path / "a" / "b").status == "ok"
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").write_text("")
    assert doctor.directory("data", tmp_path / "file").status == "failed"
    assert doctor.directory("data", tmp_path / "file" / "below").status == "failed"
    if sys.platform != "win32":
        (tmp_path / "open").mkdir()
        (tmp_path / "open").chmod(0o755)
        found = doctor.directory("data", tmp_path / "open")
        assert (found.status, found.remedy) == ("warning", f"chmod 700 {tmp_path / 'open'}")
        (tmp_path / "open").chmod(0o700)
        assert doctor.directory("data", tmp_path / "open").status == "ok"


@pytest.mark.parametrize("key", ["sk-1 sk-2", "sk-1\nsk-2", "sk-\x001", "sk-\u00e9"])
def test_a_key_that_was_pasted_wrongly_is_found_and_not_shown(key: str) -> None:
    found = doctor.keys({"OPENAI_API_KEY": key})
    assert found.status == "failed"
    assert "OPENAI_API_KEY" in found.detail
    assert "sk-" not in found.detail


@pytest.mark.parametrize("key", ["sk-1", "sk-1 ", " sk-1", '"sk-1"', "sk-1\n"])
def test_a_key_that_a_turn_could_use_is_found_to_be_one(key: str) -> None:
    found = doctor.keys({"GEMINI_API_KEY": key})
    assert (found.status, found.detail) == ("ok", "in this environment: GEMINI_API_KEY")


def test_a_placeholder_is_not_taken_for_a_key() -> None:
    found = doctor.keys({"OPENAI_API_KEY": "sk-..."})
    assert (found.status, found.detail) == ("warning", "OPENAI_API_KEY holds a placeholder, not a key")


def test_a_proxy_that_does_not_answer_is_found_and_its_password_not_shown(
    home: Path, monkeypatch: pytest.MonkeyPatch, stranger: str, nobody: int
) -> None:
    assert doctor.proxies().detail == "none"
    monkeypatch.setenv("HTTPS_PROXY", f"http://ada:geheim@127.0.0.1:{nobody}")
    found = doctor.proxies()
    assert (found.status, "geheim" in str(found), "ada" in str(found)) == ("warning", False, False)
    assert "HTTPS_PROXY" in (found.remedy or "")
    monkeypatch.setenv("HTTPS_PROXY", stranger)
    monkeypatch.setenv("NO_PROXY", "example.com")
    assert doctor.proxies().status == "ok"
    assert "not for example.com" in doctor.proxies().detail
    monkeypatch.setenv("HTTPS_PROXY", "gopher://127.0.0.1:1")
    assert doctor.proxies().status == "warning"


def test_the_sandbox_check_says_what_the_machine_offers(tmp_path: Path) -> None:
    (tmp_path / "lsm").write_text("lockdown,capability,landlock,yama\n")
    assert "landlock" in doctor.sandbox(tmp_path / "lsm").detail
    assert "landlock" not in doctor.sandbox(tmp_path / "none").detail
    assert doctor.sandbox(tmp_path / "lsm").status == "warning"


def test_a_misspelt_setting_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = places({"HOME": str(home), "USERPROFILE": str(home)}).config_path
    path.parent.mkdir(parents=True)
    path.write_text('permision_mode = "always_ask"\n')
    found = {
        check["name"]: check
        for check in json.loads(answer(capsys, "doctor", "--json", "--port", "0", "--no-model"))["checks"]
    }
    assert found["configuration"]["status"] == "warning"
    assert "permision_mode" in found["configuration"]["detail"]
    assert "permission_mode" in found["configuration"]["detail"]
    assert run(["config", "show"]) == 0
    assert "permision_mode" in capsys.readouterr().err


def test_examining_a_store_leaves_nothing_behind(tmp_path: Path) -> None:
    import apsw

    path = tmp_path / "it's 100% a store?.db"
    connection = apsw.Connection(str(path))
    connection.execute(f"PRAGMA journal_mode=WAL; {scripts()[0].read_text('utf-8')}; PRAGMA user_version=99").fetchall()
    connection.close()
    found = examine(path)
    assert (found.schema, found.problems) == (99, ())
    assert found.knows < 99
    assert list(tmp_path.iterdir()) == [path]
