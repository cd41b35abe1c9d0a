"""What the desktop app uses: the snapshot, notifications, focus, flags, first-run steps, keys, diagnostics."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.conftest import provider_environment
from tests.support.daemon import WAIT_S, Daemon, Json
from tests.support.provider import Fault, ProviderDouble, Reply, Say

pytestmark = pytest.mark.timeout(180)
KEY = "sk-canary-kept-by-the-daemon-77aa"


def unread(daemon: Daemon) -> list[Json]:
    return daemon.call("GET", "/api/notifications", None, unread="true")["notifications"]


def step(daemon: Daemon, name: str) -> Json:
    return next(one for one in daemon.call("GET", "/api/onboarding")["steps"] if one["id"] == name)


# -- snapshot ----------------------------------------------------------------------------------------------------------


def test_the_snapshot_is_what_the_endpoints_say_and_the_stream_goes_on_from_it(daemon: Daemon) -> None:
    daemon.ask("hello")
    daemon.chat(
        "write hello.txt", session_id=daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    )
    with daemon.watch(after=0) as watcher:
        watcher.until("status_change", state="waiting_approval")
    snapshot = daemon.call("GET", "/api/snapshot")
    assert snapshot["agents"] == daemon.call("GET", "/api/agents")
    assert snapshot["sessions"] == daemon.call("GET", "/api/sessions", None, limit=16)["sessions"]
    assert snapshot["approvals"] == daemon.call("GET", "/api/approvals")
    assert snapshot["flags"] == daemon.call("GET", "/api/flags")
    assert snapshot["onboarding"] == daemon.call("GET", "/api/onboarding")
    assert snapshot["services"] == daemon.call("GET", "/api/services")
    assert snapshot["notifications"] == daemon.call("GET", "/api/notifications")
    assert [turn["state"] for turn in snapshot["turns"]] == ["waiting"]
    health = daemon.raw("GET", "/health")[1]
    assert {snapshot["daemon"][name] for name in ("instance_id", "pid", "port")} == {
        health[name] for name in ("instance_id", "pid", "port")
    }
    assert (snapshot["metrics"]["sessions"], snapshot["metrics"]["turns"]) == (2, 2)
    with daemon.watch(after=snapshot["last_seq"]) as watcher:
        daemon.ask("hello")
        assert all(event["seq"] > snapshot["last_seq"] for event in watcher.until("done"))


# -- attention ---------------------------------------------------------------------------------------------------------


def test_what_waits_is_kept_without_a_window_and_is_read_when_it_is_answered_anywhere(daemon: Daemon) -> None:
    session_id = daemon.call("POST", "/api/sessions", {"agent_id": "default", "title": "letters"})["session_id"]
    with daemon.watch() as watcher:
        daemon.chat("write hello.txt", session_id=session_id)
        added = watcher.until("notification_added")[-1]
    daemon.restart()
    (waits,) = unread(daemon)
    assert {**waits, "unread": 1} == {**added["data"], "turn_id": waits["turn_id"]}
    assert added["turn_id"] is None
    assert (waits["kind"], waits["title"], waits["body"]) == (
        "approval_required",
        "Assistant asks for permission",
        "letters · write_file, medium risk",
    )
    assert "hello.txt" not in json.dumps(waits)  # neither the message nor the call is in it
    with daemon.watch() as watcher:
        daemon.approve(waits["call_id"])
        read = watcher.until("notifications_read")[-1]["data"]
        assert read == {"ids": [waits["notification_id"]], "unread": 0}
        watcher.until("notification_added", title="Assistant is done")
    assert [one["kind"] for one in unread(daemon)] == ["turn_done"]


def test_a_turn_that_somebody_looks_at_ends_without_a_notification(daemon: Daemon) -> None:
    session_id = daemon.ask("hello")[-1]["session_id"]
    daemon.call("POST", "/api/notifications/read", {})
    with daemon.watch() as window:
        client_id = window.connected["data"]["client_id"]
        daemon.call("POST", "/api/focus", {"client_id": client_id, "session_id": session_id})
        daemon.ask("hello", session_id=session_id)
        assert unread(daemon) == []
        daemon.call("POST", "/api/focus", {"client_id": client_id})
        daemon.ask("hello", session_id=session_id)
        (told,) = unread(daemon)
        assert (told["kind"], told["session_id"]) == ("turn_done", session_id)
        daemon.call("POST", "/api/focus", {"client_id": client_id, "session_id": session_id})
    # The window is closed: as soon as the daemon notices it, the session has no viewer.
    until = time.monotonic() + WAIT_S
    while daemon.raw("POST", "/api/focus", {"client_id": client_id, "session_id": session_id})[0] != 404:
        assert time.monotonic() < until
        time.sleep(0.02)
    with daemon.watch() as watcher:
        daemon.chat("hello", session_id=session_id)
        watcher.until("notification_added")
    assert len(unread(daemon)) == 2
    gone = daemon.refused("POST", "/api/focus", {"client_id": client_id, "session_id": session_id})
    assert (gone.status, gone.code) == (404, "client_not_found")


def test_errors_and_ends_are_told_once_and_a_cancel_is_not(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment={"ASTER_MODEL": "demo"})
    daemon.ask("fail")
    with daemon.watch() as watcher:
        daemon.chat("long")
        watcher.until("text_chunk")
        daemon.call("POST", "/api/cancel", {"agent_id": "default"})
        watcher.until("done")
    assert [one["kind"] for one in unread(daemon)] == ["error"]
    read = daemon.call("POST", "/api/notifications/read", {})
    assert (len(read["ids"]), read["unread"]) == (1, 0)
    assert daemon.call("POST", "/api/notifications/read", {"ids": read["ids"]}) == {"ids": [], "unread": 0}
    everything = daemon.call("GET", "/api/notifications")["notifications"]
    assert [one["read"] for one in everything] == [True]


def test_after_kill_9_nothing_is_told_twice_or_left_out(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    for _ in range(4):
        with daemon.watch() as watcher:
            daemon.chat("hello")
            watcher.until("done")
        daemon.restart()
    done = 4
    told = daemon.call("GET", "/api/notifications")["notifications"]
    assert [one["kind"] for one in told] == ["turn_done"] * done
    assert len({one["turn_id"] for one in told}) == done


def test_at_most_200_are_kept_and_those_of_a_deleted_session_go(daemon: Daemon) -> None:
    session_id = daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    with daemon.watch() as watcher:
        for _ in range(205):
            daemon.chat("hello", session_id=session_id)
        watcher.until("notification_added", count=205, within_s=120)
    assert daemon.call("GET", "/api/notifications", None, limit=500)["unread"] == 200
    assert len(daemon.call("GET", "/api/notifications", None, limit=500)["notifications"]) == 200
    with daemon.watch() as watcher:
        daemon.call("DELETE", f"/api/sessions/{session_id}")
        assert watcher.until("notifications_read")[-1]["data"]["unread"] == 0
    assert daemon.call("GET", "/api/notifications") == {"notifications": [], "unread": 0}


# -- flags -------------------------------------------------------------------------------------------------------------


def test_flags_are_kept_in_the_config_file_and_its_comments_stay(daemon: Daemon) -> None:
    config = daemon.data_dir / "config.toml"
    before = config.read_text("utf-8")
    with daemon.watch() as watcher:
        changed = daemon.call("POST", "/api/flags", {"tts": True, "ambient": False})
        told = watcher.until("flags_changed")[-1]["data"]["changed"]
    assert {flag["name"]: flag["value"] for flag in told} == {"ambient": False, "tts": True}
    assert {flag["name"] for flag in changed if flag["source"] == "file"} == {"ambient", "tts"}
    assert config.read_text("utf-8").startswith(before.rstrip())
    daemon.restart()
    values = {flag["name"]: flag["value"] for flag in daemon.call("GET", "/api/flags")}
    assert (values["tts"], values["ambient"], values["offline_drafts"]) == (True, False, True)
    assert daemon.call("GET", "/webui/bootstrap")["flags"] == values
    daemon.call("POST", "/api/flags", {"tts": None, "ambient": None})
    assert config.read_text("utf-8").rstrip() == before.rstrip()
    for body in ({"tts": "yes"}, {"release_channel": "nightly"}, {"no_such": True}):
        assert daemon.refused("POST", "/api/flags", body).code == "invalid_shape"


def test_a_wrong_flag_in_the_file_is_named(launch: Callable[..., Daemon], tmp_path: Path) -> None:
    (tmp_path / "a" / "data").mkdir(parents=True)
    (tmp_path / "a" / "data" / "config.toml").write_text("[flags]\nambient = 'no'\n")
    with pytest.raises(AssertionError, match=r"exit 5[\s\S]*flags\.ambient"):
        launch()


# -- first run ---------------------------------------------------------------------------------------------------------


def test_the_first_run_goes_step_by_step_and_survives_a_restart(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment={"ASTER_MODEL": ""})
    assert daemon.call("GET", "/api/onboarding")["current"] == "welcome"
    assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"  # a chat works before the first run is finished
    seen: list[str] = []
    while (state := daemon.call("GET", "/api/onboarding"))["current"] not in (None, "provider"):
        seen.append(state["current"])
        daemon.call("POST", "/api/onboarding", {"step": state["current"], "action": "complete"})
    assert seen == ["welcome", "state_root"]
    said = daemon.call("POST", "/api/onboarding", {"step": "provider", "action": "complete"})
    assert said["current"] == "provider"  # the step is complete only with a model
    daemon.restart()
    assert daemon.call("GET", "/api/onboarding")["current"] == "provider"
    with daemon.watch() as watcher:
        daemon.config(model="demo")
        daemon.call("POST", "/api/onboarding", {"step": "permissions", "action": "skip"})
        told = watcher.until("onboarding_changed")[-1]["data"]
    assert told["current"] == "done" == daemon.call("GET", "/api/onboarding")["current"]
    over = daemon.call("POST", "/api/onboarding", {"step": "done", "action": "complete"})
    assert (over["done"], over["current"]) == (True, None)
    assert {one["id"]: one["state"] for one in over["steps"]} == {
        **dict.fromkeys(("welcome", "environment", "state_root", "engine", "provider", "done"), "done"),
        "permissions": "skipped",
        "handoff": "todo",
    }
    again = daemon.call("POST", "/api/onboarding", {"step": "welcome", "action": "reset"})
    assert again["current"] == "welcome"


def test_a_demo_model_that_the_start_gave_leaves_the_choice_to_the_person(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment={"ASTER_MODEL": "demo"})
    assert step(daemon, "provider")["state"] == "todo"
    kept = step(daemon, "state_root")["checks"][0]["message"]
    assert str(daemon.data_dir) in kept
    assert "config.toml" in kept
    daemon.config(model="demo:instant")
    assert step(daemon, "provider")["state"] == "done"


def test_a_provider_counts_once_it_has_answered_and_failures_are_counted(
    real: Daemon, provider: ProviderDouble
) -> None:
    assert step(real, "provider")["state"] == "todo"
    provider.script(Fault(401))
    failed = real.call("POST", "/api/models/check", {})
    assert (failed["ok"], failed["error"]["code"]) == (False, "key_refused")
    now = step(real, "provider")
    assert (now["failures"], now["last_error"]["code"]) == (1, "key_refused")
    assert now["actions"]
    provider.script(Reply([Say("ok")]))
    assert real.call("POST", "/api/models/check", {})["ok"] is True
    assert step(real, "provider")["state"] == "done"


def test_what_blocks_is_said_with_a_remedy(daemon: Daemon) -> None:
    gone = daemon.work_dir / "gone"
    gone.mkdir()
    daemon.config(work_dir=str(gone))
    gone.rmdir()
    environment = step(daemon, "environment")
    (check,) = [one for one in environment["checks"] if one["id"] == "work_dir"]
    assert check["status"] == "blocked"
    assert check["remedy"] in environment["actions"]


# -- keys --------------------------------------------------------------------------------------------------------------


def keyless(provider: ProviderDouble) -> dict[str, str]:
    environment = provider_environment(provider)
    del environment["OPENAI_API_KEY"]
    return environment


def key_sent(daemon: Daemon, provider: ProviderDouble) -> str:
    """The key that a turn's request carries.

    The daemon takes the double for the user's own server, so it needs no key.
    """
    provider.script(Reply([Say("hello")]))
    assert daemon.ask("hello")[-1]["data"]["stop_reason"] == "complete"
    return provider.requests[-1].headers.get("authorization", "").removeprefix("Bearer ")


def test_a_key_that_a_person_gives_is_used_at_once_and_after_a_restart(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment=keyless(provider))
    assert key_sent(daemon, provider) != KEY
    with daemon.watch() as watcher:
        put = daemon.call("PUT", "/api/secrets/openai", {"value": KEY})
        assert put == {
            "provider": "openai",
            "variable": "OPENAI_API_KEY",
            "set": True,
            "source": "file",
            "protected": False,
        }
        assert watcher.until("secrets_changed")[-1]["data"] == put
    for _ in range(2):
        assert key_sent(daemon, provider) == KEY
        daemon.restart()
    kept = daemon.data_dir / "keys.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "key_unprotected" in [one["code"] for one in daemon.call("GET", "/api/snapshot")["warnings"]]
    gone = daemon.call("DELETE", "/api/secrets/openai")
    assert (gone["set"], gone["source"]) == (False, None)
    assert not kept.exists()
    assert daemon.call("DELETE", "/api/secrets/openai") == gone
    assert key_sent(daemon, provider) != KEY
    written = [path for path in daemon.home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert written == []


def test_a_checked_key_that_is_refused_is_not_kept(launch: Callable[..., Daemon], provider: ProviderDouble) -> None:
    daemon = launch(environment=keyless(provider))
    provider.script(Fault(401))
    refused = daemon.refused("PUT", "/api/secrets/openai", {"value": KEY, "check": True})
    assert (refused.status, refused.code) == (502, "key_refused")
    assert not any(one["set"] for one in daemon.call("GET", "/api/secrets") if one["provider"] == "openai")
    provider.script(Reply([Say("ok")]))
    assert daemon.call("PUT", "/api/secrets/openai", {"value": KEY, "check": True})["set"] is True
    assert step(daemon, "provider")["state"] == "done"
    other = daemon.refused("PUT", "/api/secrets/anthropic", {"value": KEY, "check": True})
    assert (other.status, other.code) == (422, "invalid_shape")


def test_a_key_in_the_environment_wins_and_bad_ones_are_refused(real: Daemon, provider: ProviderDouble) -> None:
    put = real.call("PUT", "/api/secrets/openai", {"value": KEY})
    assert (put["source"], put["protected"]) == ("environment", False)
    provider.script(Reply([Say("hello")]))
    real.ask("hello")
    assert provider.requests[-1].headers["authorization"] == "Bearer sk-canary-openai-5f0c"
    assert real.refused("PUT", "/api/secrets/nobody", {"value": KEY}).code == "not_found"
    assert real.refused("PUT", "/api/secrets/demo", {"value": KEY}).code == "not_found"
    for value in ("", "two words", "line\nbreak", "ü" * 20):
        assert real.refused("PUT", "/api/secrets/openai", {"value": value}).code == "invalid_shape"


def test_no_tool_reads_the_file_with_the_keys(daemon: Daemon) -> None:
    daemon.call("PUT", "/api/secrets/openai", {"value": KEY})
    daemon.config(permission_mode="auto_approve")
    events = daemon.ask(f'call read_file {{"path": "{daemon.data_dir / "keys.json"}"}}')
    assert KEY not in json.dumps(events)


@pytest.mark.skipif(sys.platform != "linux", reason="the Secret Service is Linux's keychain")
def test_where_there_is_a_keychain_the_key_goes_there_and_nowhere_else(
    launch: Callable[..., Daemon], provider: ProviderDouble, tmp_path: Path
) -> None:
    bus = SessionBus(tmp_path)
    try:
        daemon = launch(environment={**keyless(provider), "DBUS_SESSION_BUS_ADDRESS": bus.address})
        put = daemon.call("PUT", "/api/secrets/openai", {"value": KEY})
        assert (put["source"], put["protected"]) == ("keychain", True)
        assert not (daemon.data_dir / "keys.json").exists()
        written = [path for path in daemon.home.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
        assert written == []
        daemon.restart()
        assert key_sent(daemon, provider) == KEY
        assert step(daemon, "environment")["checks"][2] == {
            "id": "keychain",
            "status": "ok",
            "message": "Keys are kept in the system's keychain.",
            "remedy": None,
        }
        assert daemon.call("DELETE", "/api/secrets/openai")["set"] is False
        daemon.restart()
        assert key_sent(daemon, provider) != KEY
    finally:
        bus.end()


class SessionBus:
    """A separate session bus with GNOME's keychain on it, unlocked. `end` stops both."""

    def __init__(self, home: Path) -> None:
        for program in ("dbus-daemon", "gnome-keyring-daemon"):
            if shutil.which(program) is None:
                if os.environ.get("CI") == "true":
                    raise AssertionError(f"{program} is missing: scripts/system-packages.sh installs it")
                pytest.skip(f"{program} is not installed: make test as root installs it")
        place = home / "bus"
        place.mkdir()
        self._sockets = tempfile.TemporaryDirectory(prefix="bus-")  # a socket's path must be short
        sockets = Path(self._sockets.name)
        self._bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--print-address=1", f"--address=unix:path={sockets / 's'}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._bus.stdout is not None
        self.address = self._bus.stdout.readline().strip()
        assert self.address, "the session bus did not start"
        environment = {
            **{name: os.environ[name] for name in ("PATH",)},
            "HOME": str(place),
            "XDG_DATA_HOME": str(place),
            "XDG_RUNTIME_DIR": str(sockets),
            "DBUS_SESSION_BUS_ADDRESS": self.address,
        }
        place.chmod(0o700)
        self._keychain = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            text=True,
        )
        assert self._keychain.stdin is not None
        self._keychain.stdin.write("a password\n")
        self._keychain.stdin.close()
        asked = ["dbus-send", f"--bus={self.address}", "--print-reply", "--dest=org.freedesktop.DBus", "/"]
        until = time.monotonic() + 40
        while time.monotonic() < until and self._keychain.poll() is None:
            answer = subprocess.run(
                [*asked, "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"],
                capture_output=True,
                text=True,
            )
            if "true" in answer.stdout:
                return
            time.sleep(0.02)
        self.end()
        raise AssertionError("the keychain did not start")

    def end(self) -> None:
        for process in (self._keychain, self._bus):
            process.terminate()
            process.wait(40)
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()
        self._sockets.cleanup()


# -- diagnostics -------------------------------------------------------------------------------------------------------


def bundle(daemon: Daemon, name: str) -> dict[str, str]:
    with httpx.Client(trust_env=False, verify=False, timeout=20) as client:
        answer = client.get(f"{daemon.url}/api/diagnostics/{name}", headers=daemon.headers())
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        return {one: packed.read(one).decode() for one in packed.namelist()}


def test_a_bundle_says_how_it_is_set_up_and_holds_neither_secrets_nor_what_was_said(
    launch: Callable[..., Daemon], provider: ProviderDouble
) -> None:
    daemon = launch(environment=provider_environment(provider), token="a-canary-token-of-the-launcher")
    provider.script(Reply([Say("the answer is a secret-canary-word")]))
    daemon.ask("what is the canary-question?")
    daemon.call("PUT", "/api/secrets/openrouter", {"value": KEY})
    provider.script(Fault(401))
    daemon.ask("again")
    made = daemon.call("POST", "/api/diagnostics", {})
    assert daemon.call("GET", "/api/diagnostics") == [made]
    contents = bundle(daemon, made["name"])
    assert Path(made["path"]).stat().st_mode & 0o777 == 0o600
    assert {"about.json", "config.json", "services.json", "errors.json", "journal.json", "logs/aster.log"} <= set(
        contents
    )
    for name, text in contents.items():
        if name.endswith(".json"):
            json.loads(text)
        for secret in (KEY, "sk-canary", "a-canary-token", "canary-word", "canary-question"):
            assert secret not in text, name
    assert json.loads(contents["about.json"])["instance_id"]
    assert json.loads(contents["errors.json"])[0]["code"]
    with_messages = daemon.call("POST", "/api/diagnostics", {"include_messages": True})
    said = bundle(daemon, with_messages["name"])["messages.json"]
    assert "canary-question" in said
    assert KEY not in said


def test_five_bundles_are_kept_and_none_is_larger_than_it_may_be(daemon: Daemon) -> None:
    (daemon.data_dir / "logs" / "aster.log.1").write_bytes(os.urandom(8 << 20))
    names = [daemon.call("POST", "/api/diagnostics", {})["name"] for _ in range(7)]
    kept = daemon.call("GET", "/api/diagnostics")
    assert [one["name"] for one in kept] == names[:1:-1]
    assert all(one["bytes"] <= 5 << 20 for one in kept)
    assert daemon.refused("GET", f"/api/diagnostics/{names[0]}").code == "not_found"
    for name in ("..%2Faster.db", "x.zip", "aster-diagnostics-20261120T120000Z-0a1b2c3d.zip"):
        assert daemon.refused("GET", f"/api/diagnostics/{name}").code == "not_found"
