"""Folders for a picker, and trust over the API: what a person sees, what they decide, and what follows at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemon import Daemon, Json

AGENT = "description: Plans the beds.\ninstructions: Grow.\n"


def project(daemon: Daemon, name: str = "garden") -> Path:
    """A project with settings and an agent."""
    made = daemon.home.resolve() / name
    (made / ".aster" / "agents").mkdir(parents=True)
    (made / ".aster" / "config.toml").write_text('max_requests = 7\npermission_mode = "auto_approve"\n')
    (made / ".aster" / "agents" / "gardener.yaml").write_text(AGENT)
    (made / "src").mkdir()
    return made


def trust(daemon: Daemon, path: Path) -> Json:
    """Trust a project as a person does: look, then answer."""
    digest = daemon.call("GET", "/api/trust", path=str(path))["digest"]
    return daemon.call("POST", "/api/trust", {"path": str(path), "digest": digest})


def agents_of(daemon: Daemon, folder: Path) -> list[str]:
    session = daemon.call("POST", "/api/sessions", {"work_dir": str(folder)})["session_id"]
    return [agent["id"] for agent in daemon.call("GET", "/api/agents", session_id=session)]


# -- folders -----------------------------------------------------------------------------------------------------------


def test_a_directory_is_listed_as_people_expect(daemon: Daemon) -> None:
    root = daemon.home.resolve() / "pick"
    for name in ("b10", "B2", "Ärger", "arm", ".hidden", "site/.git", "garden/.aster"):
        (root / name).mkdir(parents=True)
    (root / "file").write_text("")
    (root / "to-site").symlink_to(root / "site")
    (root / "to-file").symlink_to(root / "file")
    (root / "loop").symlink_to(root / "loop")
    (root / "gone").symlink_to(root / "nowhere")
    os.mkfifo(root / "pipe")
    found = daemon.call("GET", "/api/folders", path=f"{root}/arm/..")
    assert (found["path"], found["parent"]) == (str(root), str(root.parent))
    assert [folder["name"] for folder in found["folders"]] == ["Ärger", "arm", "B2", "b10", "garden", "site", "to-site"]
    assert [folder["name"] for folder in found["folders"] if folder["project"]] == ["garden", "site", "to-site"]
    assert all(folder["usable"] for folder in found["folders"])
    assert (found["truncated"], found["unnamed"]) == (False, 0)
    hidden = daemon.call("GET", "/api/folders", path=str(root), hidden=True)
    assert hidden["folders"][0]["name"] == ".hidden"


def test_without_a_path_it_is_the_daemon_s_own_folder_and_recent_ones_come_with_it(daemon: Daemon) -> None:
    one, two = project(daemon, "one"), project(daemon, "two")
    for folder in (one, two, one):
        daemon.call("POST", "/api/sessions", {"work_dir": str(folder)})
    found = daemon.call("GET", "/api/folders")
    work = str(daemon.work_dir.resolve())
    assert found["path"] == work
    assert [folder["path"] for folder in found["recent"]] == [str(one), str(two), work]
    assert found["roots"]
    two.rename(two.with_name("moved"))
    assert [folder["path"] for folder in daemon.call("GET", "/api/folders")["recent"]] == [str(one), work]
    assert daemon.call("GET", "/api/folders", path="/")["parent"] is None
    assert daemon.call("GET", "/api/folders", path="~")["path"] == str(Path.home().resolve())


@pytest.mark.skipif(sys.platform != "linux", reason="macOS has no such names")
def test_names_that_are_not_utf_8_are_counted(daemon: Daemon) -> None:
    root = daemon.home / "pick"
    (root / "fine").mkdir(parents=True)
    os.mkdir(os.fsencode(root) + b"/\xff")
    (root / "link").symlink_to(os.fsdecode(os.fsencode(root) + b"/\xff"))
    found = daemon.call("GET", "/api/folders", path=str(root))
    assert [(folder["name"], folder["usable"]) for folder in found["folders"]] == [("fine", True), ("link", False)]
    assert found["unnamed"] == 1
    assert daemon.refused("GET", "/api/folders", path=str(root / "link")).code == "invalid_shape"


def test_a_large_directory_is_cut(daemon: Daemon) -> None:
    root = daemon.home / "pick"
    for number in range(1_001):
        (root / str(number)).mkdir(parents=True)
    found = daemon.call("GET", "/api/folders", path=str(root))
    assert found["truncated"]
    assert [folder["name"] for folder in found["folders"]] == [str(number) for number in range(1_000)]


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("relative", "not an absolute path"),
        ("/no/such/folder", "not a directory"),
        ("/etc/hostname", "not a directory"),
        ("/" + "x" * 300, "name too long"),
        ("/tmp/\0", "not UTF-8"),
        ("~no-such-user-here", "no such user"),
        ("", "path"),
        ("/" + "x" * 5000, "path"),
    ],
)
@pytest.mark.parametrize("endpoint", ["/api/folders", "/api/trust"])
def test_what_is_no_directory_is_refused(daemon: Daemon, endpoint: str, path: str, named: str) -> None:
    refused = daemon.refused("GET", endpoint, path=path)
    assert (refused.status, refused.code) == (422, "invalid_shape")
    assert named.lower() in refused.body["error"].lower()
    assert refused.body["hint"]


# -- trust -------------------------------------------------------------------------------------------------------------


def test_a_person_sees_what_they_let_in_and_it_counts_at_once(daemon: Daemon) -> None:
    place = project(daemon)
    session = daemon.call("POST", "/api/sessions", {"work_dir": str(place)})["session_id"]
    seen = daemon.call("GET", "/api/trust", path=str(place / "src"))
    assert (seen["directory"], seen["trusted"], seen["projects"]) == (str(place), False, [])
    assert seen["settings"] == {"max_requests": 7}
    [problem] = seen["problems"]
    assert "permission_mode" in problem
    [agent] = seen["agents"]
    assert (agent["id"], agent["description"], agent["problems"]) == ("gardener", "Plans the beds.", [])
    assert {file["name"]: file["text"] for file in seen["files"]} == {
        ".aster/config.toml": (place / ".aster" / "config.toml").read_text(),
        ".aster/agents/gardener.yaml": AGENT,
    }
    assert agents_of(daemon, place) == ["default"]
    with daemon.watch() as watcher:
        body = {"path": str(place / "src"), "digest": seen["digest"]}
        given = daemon.call("POST", "/api/trust", body)
        watcher.until("config_changed")
        assert daemon.call("POST", "/api/trust", body) == given, "a second time changes nothing"
    assert (given["trusted"], given["projects"], given["changed"]) == (True, [str(place)], [])
    assert daemon.call("GET", "/api/trust", path=str(place)) == given
    assert [agent["id"] for agent in daemon.call("GET", "/api/agents", session_id=session)] == ["default", "gardener"]
    assert json.loads((daemon.data_dir / "trusted.json").read_text()) == [str(place)]
    if os.name == "posix":
        assert (daemon.data_dir / "trusted_files.json").stat().st_mode & 0o777 == 0o600
    for _ in range(2):
        taken = daemon.call("DELETE", "/api/trust", path=str(place / "src"))
        assert (taken["directory"], taken["trusted"], taken["projects"]) == (str(place), False, [])
    assert [agent["id"] for agent in daemon.call("GET", "/api/agents", session_id=session)] == ["default"]


def test_the_daemon_s_own_project_counts_at_once(daemon: Daemon) -> None:
    work = daemon.work_dir.resolve()
    assert daemon.call("GET", "/api/trust")["directory"] is None
    refused = daemon.refused("POST", "/api/trust", {"path": str(work), "digest": "x"})
    assert (refused.code, "no project contains it" in refused.body["error"]) == ("invalid_shape", True)
    (work / ".aster" / "agents").mkdir(parents=True)
    (work / ".aster" / "config.toml").write_text("max_requests = 7\n")
    (work / ".aster" / "agents" / "gardener.yaml").write_text(AGENT)
    with daemon.watch() as watcher:
        trust(daemon, work)
        events = watcher.until("config_changed")
        changed = events[-1]["data"]["changed"]
        assert changed == {"max_requests": {"value": 7, "source": "project", "settable": True}}
        if not watcher.of("agents_changed"):
            watcher.until("agents_changed")
        assert watcher.of("agents_changed")[-1]["data"]["agents"] == ["default", "gardener"]
    view = daemon.call("GET", "/api/config")
    assert (view["project"], view["values"]["max_requests"]["value"]) == (str(work), 7)
    daemon.call("DELETE", "/api/trust", path=str(work))
    view = daemon.call("GET", "/api/config")
    assert (view["project"], view["values"]["max_requests"]["value"]) == (None, 50)
    assert "not trusted" in view["problems"][0]


def test_files_that_changed_since_the_person_looked_are_not_trusted(daemon: Daemon) -> None:
    place = project(daemon)
    seen = daemon.call("GET", "/api/trust", path=str(place))
    (place / ".aster" / "agents" / "gardener.yaml").write_text(AGENT + "tools: []\n")
    refused = daemon.refused("POST", "/api/trust", {"path": str(place), "digest": seen["digest"]})
    assert (refused.status, refused.code) == (409, "trust_changed")
    now = refused.body["details"]
    assert now == daemon.call("GET", "/api/trust", path=str(place))
    assert (now["trusted"], now["digest"] != seen["digest"]) == (False, True)
    other = project(daemon, "copy")
    assert trust(daemon, place)["trusted"]
    digest = daemon.call("GET", "/api/trust", path=str(place))["digest"]
    assert daemon.refused("POST", "/api/trust", {"path": str(other), "digest": digest}).code == "trust_changed"


def test_changes_since_then_are_named_until_the_person_has_seen_them(daemon: Daemon) -> None:
    place = project(daemon)
    trust(daemon, place)
    (place / ".aster" / "config.toml").write_text("max_requests = 8\n")
    (place / ".aster" / "agents" / "gardener.yaml").unlink()
    (place / ".aster" / "agents" / "weeder.yml").write_text(AGENT)
    changed = daemon.call("GET", "/api/trust", path=str(place))["changed"]
    assert [(change["name"], change["change"]) for change in changed] == [
        (".aster/agents/gardener.yaml", "removed"),
        (".aster/agents/weeder.yml", "added"),
        (".aster/config.toml", "changed"),
    ]
    assert trust(daemon, place)["changed"] == []


def test_what_the_command_line_trusts_is_the_same(daemon: Daemon) -> None:
    place = project(daemon)

    def command(*words: str) -> subprocess.CompletedProcess[str]:
        program = [sys.executable, "-m", "aster_sidecar", *words, "--data-dir", str(daemon.data_dir)]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
        return subprocess.run(program, capture_output=True, text=True, check=True, timeout=60, env=environment)

    assert "the running daemon applies this at once to agents" in command("trust", str(place)).stderr
    seen = daemon.call("GET", "/api/trust", path=str(place))
    assert (seen["trusted"], seen["changed"]) == (True, [])
    assert agents_of(daemon, place) == ["default", "gardener"]
    (place / ".aster" / "config.toml").unlink()
    assert daemon.call("GET", "/api/trust", path=str(place))["changed"] == [
        {"name": ".aster/config.toml", "change": "removed"}
    ]
    assert "the running daemon applies this" in command("untrust", str(place)).stderr
    assert daemon.call("GET", "/api/trust", path=str(place))["trusted"] is False
    trust(daemon, place)
    assert command("trust").stdout.strip() == str(place)


def test_a_list_of_an_earlier_version_has_no_changes_and_a_damaged_one_is_named(daemon: Daemon) -> None:
    place = project(daemon)
    (daemon.data_dir / "trusted.json").write_text(json.dumps([str(place)]))
    seen = daemon.call("GET", "/api/trust", path=str(place))
    assert (seen["trusted"], seen["changed"]) == (True, [])
    (daemon.data_dir / "trusted_files.json").write_text("[" * 100_000)
    assert daemon.call("GET", "/api/trust", path=str(place)) == seen
    (daemon.data_dir / "trusted.json").write_text("{")
    for refused in (
        daemon.refused("GET", "/api/trust", path=str(place)),
        daemon.refused("POST", "/api/trust", {"path": str(place), "digest": seen["digest"]}),
        daemon.refused("DELETE", "/api/trust", path=str(place)),
    ):
        assert (refused.status, refused.code) == (422, "config_invalid")
        assert "trusted.json" in refused.body["error"]


def test_a_trusted_project_that_is_gone_can_be_taken_back(daemon: Daemon) -> None:
    place = project(daemon)
    trust(daemon, place)
    place.rename(place.with_name("moved"))
    assert daemon.refused("GET", "/api/trust", path=str(place)).code == "invalid_shape"
    taken = daemon.call("DELETE", "/api/trust", path=str(place))
    assert (taken["directory"], taken["projects"]) == (None, [])
    assert daemon.refused("DELETE", "/api/trust", path=str(place)).code == "invalid_shape"


@pytest.mark.skipif(os.name != "posix", reason="makes FIFOs and links")
def test_nothing_in_a_project_can_hang_the_daemon_or_lead_out_of_it(daemon: Daemon, tmp_path: Path) -> None:
    place = project(daemon)
    secret = tmp_path / "secret.toml"
    secret.write_text("max_requests = 1 # a-secret\n")
    theirs = place / ".aster" / "agents"
    (place / ".aster" / "config.toml").unlink()
    (place / ".aster" / "config.toml").symlink_to(secret)
    (theirs / "linked.yaml").symlink_to(secret)
    (theirs / "huge.yaml").write_text("#" * 100_000)
    os.mkfifo(theirs / "pipe.yaml")
    (theirs / "folder.yaml").mkdir()
    (theirs / "latin.yaml").write_bytes(b"description: \xff\n")
    (theirs / "default.yaml").write_text(AGENT)
    (theirs / "gardener.yml").write_text(AGENT)
    if sys.platform == "linux":
        Path(os.fsdecode(os.fsencode(theirs) + b"/\xff.yaml")).write_text(AGENT)
    given = trust(daemon, place)
    assert "a-secret" not in json.dumps(given)
    assert given["settings"] == {}
    assert "a link" in given["problems"][0]
    working = [agent["id"] for agent in given["agents"] if not agent["problems"]]
    assert working == ["gardener"]
    session = daemon.call("POST", "/api/sessions", {"work_dir": str(place)})["session_id"]
    listed = daemon.call("GET", "/api/agents", session_id=session)
    assert [agent["id"] for agent in listed if agent["state"] != "failed"] == ["default", "gardener"]
    (place / ".aster" / "config.toml").unlink()
    os.mkfifo(place / ".aster" / "config.toml")
    assert "not a regular file" in trust(daemon, place)["problems"][0]
    linked = daemon.home.resolve() / "linked"
    linked.mkdir()
    (linked / ".aster").symlink_to(place / ".aster")
    seen = daemon.call("GET", "/api/trust", path=str(linked))
    assert (seen["directory"], seen["settings"], seen["agents"]) == (str(linked), {}, [])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a tool's process is known by its environment")
def test_a_tool_s_process_can_neither_trust_nor_look(launch: Callable[..., Daemon]) -> None:
    daemon = launch()
    daemon.config(permission_mode="auto_approve", sandbox="off")  # in it, nothing reaches the daemon
    place = project(daemon)
    digest = daemon.call("GET", "/api/trust", path=str(place))["digest"]
    (daemon.work_dir / "call.py").write_text(
        "import http.client, json, sys\n"
        "for method, path, body in json.load(open('calls.json')):\n"
        "    client = http.client.HTTPConnection('127.0.0.1', int(sys.argv[1]))\n"
        "    client.request(method, path, body and json.dumps(body), {'Content-Type': 'application/json'})\n"
        "    print(json.load(client.getresponse())['code'])\n"
    )
    calls = [
        ("POST", "/api/trust", {"path": str(place), "digest": digest}),
        ("DELETE", f"/api/trust?path={place}", None),
        ("GET", f"/api/trust?path={place}", None),
        ("GET", "/api/folders", None),
    ]
    (daemon.work_dir / "calls.json").write_text(json.dumps(calls))
    events = daemon.ask(f"run `{sys.executable} call.py {daemon.port}`")
    ended = next(event["data"] for event in events if event["type"] == "tool_end")
    assert ended["result"]["stdout"].split() == ["peer_refused"] * 4
    assert daemon.call("GET", "/api/trust", path=str(place))["trusted"] is False


def test_a_daemon_that_a_tool_started_trusts_nothing(launch: Callable[..., Daemon]) -> None:
    daemon = launch(environment={"ASTER_TOOL_CALL": "call_1"}, cold=True)
    place = project(daemon)
    digest = daemon.call("GET", "/api/trust", path=str(place))["digest"]
    refused = daemon.refused("POST", "/api/trust", {"path": str(place), "digest": digest})
    assert (refused.code, "a tool has started" in refused.body["error"]) == ("config_invalid", True)
