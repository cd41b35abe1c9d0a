"""The seed's own JavaScript, unmodified, in Chromium with the real daemon: its clients work, foreign pages don't.

`// src/api.js` (Tauri, port 9528) and `// preload.js` (Electron, port 9527) are cut out of the seed's text.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator

import pytest

from tests.conftest import PROTOCOLS, provider_environment
from tests.support.daemon import Daemon, Json, text_of
from tests.support.provider import Call, Fault, ProviderDouble, Reply, Say
from tests.support.seed import PORTS, Chromium, Exchange, Tab, electron_preload, open_chromium, seed_ports, tauri_module

# One worker runs all of these tests, since they share the seed's fixed ports. The mark exists only where xdist does.
pytestmark: list[pytest.MarkDecorator] = []
with contextlib.suppress(pytest.fail.Exception):
    pytestmark.append(pytest.mark.xdist_group("seed-ports"))

TAURI = "http://tauri.localhost"  # Tauri's own origin on Windows
SHELL = "http://shell.localhost"
EVIL = "http://evil.localhost"
TAURI_PAGE = b"""<!doctype html><script type="module">import * as api from "/src/api.js"; window.aster = api</script>"""
# The part of Electron's preload API that the seed's preload script uses.
SHELL_PAGE = b"""<!doctype html><script>
    window.require = (name) => {
        if (name !== "electron") throw new Error(name);
        return { contextBridge: { exposeInMainWorld: (key, value) => { window[key] = value; } } };
    };
</script><script src="/preload.js"></script>"""
TAURI_TYPES = ["text_chunk", "tool_start", "tool_end", "approval_required"]

Launch = Callable[..., Daemon]
OpenTab = Callable[[str], Tab]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Chromium]:
    sites = {
        TAURI: {"/": TAURI_PAGE, "/src/api.js": tauri_module()},
        SHELL: {"/": SHELL_PAGE, "/preload.js": electron_preload()},
        EVIL: {"/": b"<!doctype html><title>evil</title>"},
    }
    with open_chromium(sites) as browser:
        yield browser


@pytest.fixture(autouse=True)
def ports(chromium: Chromium) -> Iterator[None]:
    """Hold the ports from before the daemon starts until after it has ended."""
    with seed_ports():
        yield


@pytest.fixture
def open_tab(chromium: Chromium) -> Iterator[OpenTab]:
    """Open tabs that are closed when the test ends."""
    opened: list[Tab] = []

    def start(origin: str) -> Tab:
        opened.append(Tab(chromium, origin))
        return opened[-1]

    yield start
    for tab in opened:
        tab.close()


@pytest.fixture
def electron(launch: Launch, provider: ProviderDouble) -> Daemon:
    """The daemon that the seed's preload talks to. Its page has an http origin in Chromium, which must be allowed."""
    return launch(
        framework="electron",
        port=PORTS["electron"],
        arguments=["--allow-origin", SHELL],
        environment=provider_environment(provider),
    )


@pytest.fixture
def shell(electron: Daemon, open_tab: OpenTab) -> Tab:
    """A tab with the seed's preload, which watches the events."""
    tab = open_tab(SHELL)
    subscribe(tab)
    return tab


def subscribe(tab: Tab) -> None:
    """Collect the events that the seed's subscribeEvents passes on. The stream is open when this returns."""
    tab.wait("() => window.aster")
    tab.run(
        "() => { window.seen = []; window.unsubscribe ="
        " aster.subscribeEvents((type, data) => seen.push([type, data])); }"
    )
    tab.wait_until(lambda: tab.named("connected"), "the event stream opens")


def call(tab: Tab, name: str, *arguments: Json) -> Json:
    """One of the seed's calls, and its complete answer."""
    return tab.run("(name, ...rest) => aster[name](...rest)", name, *arguments)


def chat(tab: Tab, message: str) -> Json:
    answer = call(tab, "chat", "default", message)
    assert answer["success"] is True, answer
    assert answer["data"]["status"] == "started"
    return answer["data"]


def seen(tab: Tab) -> list[Json]:
    """The events that the seed's listeners passed on, each under its own type."""
    pairs: list[tuple[str, Json]] = tab.run("() => seen")
    assert [kind for kind, _ in pairs] == [data["type"] for _, data in pairs]
    return [data for _, data in pairs]


def wait_for(tab: Tab, kind: str, count: int = 1) -> Json:
    """Wait until the seed's listener for `kind` was called `count` times. Returns its last event."""
    tab.wait("(kind, count) => seen.filter(([type]) => type === kind).length >= count", kind, count)
    found = [event for event in seen(tab) if event["type"] == kind]
    assert len(found) == count
    return found[-1]


def runs(daemon: Daemon) -> int:
    path = daemon.work_dir / "marks"
    return path.read_text().count("ran") if path.exists() else 0


NOBODY_THERE = ("net::ERR_CONNECTION_REFUSED", "net::ERR_INTERNET_DISCONNECTED")


def is_told(exchange: Exchange) -> bool:
    """Whether all data about a call has arrived; headers and status come from another process of the browser."""
    return exchange.ended in NOBODY_THERE or bool(exchange.headers and exchange.address and exchange.status)


def check_network(tab: Tab, port: int) -> None:
    """All calls went to the daemon itself, each with the page's origin, and the daemon admitted them."""
    tab.wait_until(lambda: all(map(is_told, tab.calls())), "the browser has told all of each call")
    for exchange in tab.calls():
        assert exchange.url.startswith(f"http://127.0.0.1:{port}/api/"), exchange
        if exchange.ended not in NOBODY_THERE:
            assert exchange.headers["origin"] == tab.origin, exchange
            assert exchange.address == f"127.0.0.1:{port}", exchange
            assert exchange.status == (204 if exchange.method == "OPTIONS" else 200), exchange
    assert [call.method for call in tab.calls("/api/chat")].count("OPTIONS") == 1, "a preflight, kept for 10 minutes"


# -- Tauri: src/api.js -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_tauri_page_goes_on_where_it_was_after_kill_9(
    launch: Launch, provider: ProviderDouble, open_tab: OpenTab, protocol: str
) -> None:
    provider.script(
        Reply([Say("Good morning.")]),
        Reply([Say("I'll run it."), Call("run_command", {"command": "echo ran >> marks"})]),
        Reply([Say("It ran.")]),
    )
    provider.on("from elsewhere", Reply([Say("Answered meanwhile.")]))
    environment = provider_environment(provider, PROTOCOLS[protocol])
    daemon = launch(framework="tauri", port=PORTS["tauri"], environment=environment)
    tab = open_tab(TAURI)
    subscribe(tab)
    chat(tab, "good morning")
    tab.wait_until(lambda: tab.named("done"), "the first answer is complete")
    assert text_of(seen(tab)) == "Good morning."
    turn_id = chat(tab, "please run it")["turn_id"]
    required = wait_for(tab, "approval_required")
    assert required["turn_id"] == turn_id
    assert required["data"]["arguments"]["command"] == "echo ran >> marks"

    daemon.kill()
    tab.wait_until(lambda: refused(tab), "the page finds nobody there")
    tab.online(False)
    daemon.start()
    other = daemon.call("POST", "/api/sessions", {"agent_id": "default"})["session_id"]
    missed = daemon.ask("a message from elsewhere", session_id=other)[0]["turn_id"]
    assert len(tab.named("connected")) == len(tab.named("done")) == 1, "the page has not noticed this yet"
    tab.online(True)
    tab.wait_until(lambda: len(tab.named("connected")) == 2, "the page's EventSource reconnects by itself")
    last_before = tab.frames[tab.frames.index(tab.named("connected")[1]) - 1]
    *_, reconnected = tab.calls("/api/events")
    tab.wait_until(lambda: reconnected.headers, "the browser has told what it asked for")
    assert reconnected.headers["last-event-id"] == last_before.cursor
    assert int(last_before.cursor) >= required["seq"]

    assert runs(daemon) == 0
    [pending] = fetched(tab, "GET", "/api/approvals")["data"]
    assert pending["call_id"] == required["data"]["call_id"]
    decision = {"agent_id": "default", "call_id": pending["call_id"], "decision": "allow"}
    assert fetched(tab, "POST", "/api/approve", decision)["data"]["decision"] == "allow"
    tab.wait_until(lambda: len(tab.named("done")) == 3, "all answers are complete")
    assert fetched(tab, "GET", "/api/approvals")["data"] == []
    assert runs(daemon) == 1

    events = [event for event in seen(tab) if event["turn_id"] == turn_id]
    assert text_of(events) == "I'll run it.\n\nIt ran."
    assert [event["type"] for event in events if event["type"] != "text_chunk"] == [
        "approval_required",
        "tool_start",
        "tool_end",
    ]
    assert text_of([event for event in seen(tab) if event["turn_id"] == missed]) == "Answered meanwhile."
    history = fetched(tab, "GET", "/api/history?agent_id=default")["data"]["messages"]
    assert [(message["role"], message["text"]) for message in history] == [
        ("user", "good morning"),
        ("assistant", "Good morning."),
        ("user", "please run it"),
        ("assistant", "I'll run it.\n\nIt ran."),
    ]
    check_nothing_lost_or_doubled(tab, daemon)
    assert tab.errors == []
    check_network(tab, PORTS["tauri"])


def refused(tab: Tab) -> list[Exchange]:
    return [exchange for exchange in tab.calls("/api/events") if exchange.ended == "net::ERR_CONNECTION_REFUSED"]


def fetched(tab: Tab, method: str, path: str, body: Json = None) -> Json:
    """A call that the seed's code doesn't have, made by the page. Returns the complete answer, which was a success."""
    answer = tab.run(
        "(url, method, body) => fetch(url, body === null ? { method } :"
        " { method, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }).then(r => r.json())",
        f"http://127.0.0.1:{PORTS['tauri']}{path}",
        method,
        body,
    )
    assert answer["success"] is True, answer
    return answer


def check_nothing_lost_or_doubled(tab: Tab, daemon: Daemon) -> None:
    """Over both runs of the daemon, the page got exactly the events of the journal, in their order."""
    with daemon.watch(after=0, types=",".join([*TAURI_TYPES, "done"])) as watcher:
        watcher.until("done", 3)
    got, recorded = seen(tab), watcher.events
    assert without_text(got) == [event for event in without_text(recorded) if event["type"] != "done"]
    for turn_id in {event["turn_id"] for event in recorded}:
        chunks = [event for event in got if event["type"] == "text_chunk" and event["turn_id"] == turn_id]
        text = text_of([event for event in recorded if event["turn_id"] == turn_id])
        assert text_of(chunks) == text
        assert "".join(chunk["data"]["delta"] for chunk in chunks) == text, "also for a page that ignores the offset"
    seqs = [event["seq"] for event in got]
    assert seqs == sorted(set(seqs))
    cursors = [int(frame.cursor) for frame in tab.frames if frame.name not in ("connected", "heartbeat")]
    assert cursors == sorted(set(cursors)), "also for events without a listener in the page"


def without_text(events: list[Json]) -> list[Json]:
    """The events without text chunks: the journal joins those of a complete text, so they may differ."""
    return [event for event in events if event["type"] != "text_chunk"]


# -- Electron: preload.js ----------------------------------------------------------------------------------------------


def test_the_preload_chats_and_hears_the_end(electron: Daemon, shell: Tab, provider: ProviderDouble) -> None:
    provider.script(Reply([Say("Good evening. ✓ 😀")]))
    started = chat(shell, "good evening")
    done = wait_for(shell, "done")
    assert (done["turn_id"], done["data"]["stop_reason"]) == (started["turn_id"], "complete")
    assert text_of(seen(shell)) == "Good evening. ✓ 😀"
    refusal = call(shell, "chat", "nobody", "hello")
    assert (refusal["success"], refusal["code"]) == (False, "agent_not_found"), (
        "readable in the page, as the seed wants"
    )
    assert shell.errors == []


# decision: (how often it ran, how often it was asked) when the model calls the same command in two turns
DECISIONS = {"allow": (2, 2), "deny": (0, 2), "allow_always": (2, 1), "deny_always": (0, 1)}


@pytest.mark.parametrize("decision", DECISIONS)
def test_the_preload_answers_approvals(electron: Daemon, shell: Tab, provider: ProviderDouble, decision: str) -> None:
    runs_expected, asked_expected = DECISIONS[decision]
    line = "echo ran | fmt --goal=60"  # an option that is not known to only read
    provider.otherwise = lambda request: (
        Reply([Say("I see.")]) if request.new_tool_results else Reply([Call("run_command", {"command": line})])
    )
    for turn in (1, 2):
        chat(shell, f"run it, {turn}")
        if turn <= asked_expected:
            required = wait_for(shell, "approval_required", turn)["data"]
            assert "echo ran" in required["display"]
            answer = call(shell, "approve", "default", required["call_id"], decision, "because I say so")
            assert answer["success"] is True, answer
            assert answer["data"]["decision"] == decision
            assert (answer["data"]["rule"] is not None) == decision.endswith("_always")
        done = wait_for(shell, "done", turn)
        assert done["data"]["stop_reason"] == "complete"
    asked = [event["data"]["call_id"] for event in seen(shell) if event["type"] == "approval_required"]
    assert len(asked) == asked_expected
    results = [event["data"].get("result") for event in seen(shell) if event["type"] == "tool_end"]
    assert [one["stdout"] for one in results if one is not None] == ["ran\n"] * runs_expected
    outcomes = [event["data"]["outcome"] for event in seen(shell) if event["type"] == "tool_end"]
    assert outcomes == ["done" if decision.startswith("allow") else "denied"] * 2
    heard = [text for request in provider.requests for _, text in request.new_tool_results]
    assert [("because I say so" in text) for text in heard[:1]] == [decision.startswith("deny")], "the model reads it"
    again = call(shell, "approve", "default", asked[0], "allow")
    assert (again["success"], again["code"]) == (False, "approval_resolved")
    assert shell.errors == []


def test_the_preload_cancels_and_goes_on(electron: Daemon, shell: Tab, provider: ProviderDouble) -> None:
    gate = threading.Event()
    provider.script(Reply([Say("This would take long.", chunk=5)], gate=gate, gate_at=1), Reply([Say("Better.")]))
    started = chat(shell, "begin")
    wait_for(shell, "text_chunk")
    answer = call(shell, "cancel", "default")
    assert (answer["success"], answer["data"]) == (True, {"cancelled": [started["turn_id"]]})
    assert wait_for(shell, "done")["data"]["stop_reason"] == "cancelled"
    provider.wait_for_aborted(timeout_s=30)
    gate.set()
    assert call(shell, "cancel", "default")["data"] == {"cancelled": []}
    chat(shell, "something shorter")
    done = wait_for(shell, "done", 2)
    assert text_of([event for event in seen(shell) if event["turn_id"] == done["turn_id"]]) == "Better."
    assert shell.errors == []


def test_the_preload_hears_of_a_failure(electron: Daemon, shell: Tab, provider: ProviderDouble) -> None:
    provider.script(Fault(401), Reply([Say("Back again.")]))
    chat(shell, "hello")
    assert wait_for(shell, "done")["data"]["stop_reason"] == "failed"
    error, _ = seen(shell)
    assert (error["type"], error["data"]["code"], error["data"]["severity"]) == ("error", "key_refused", "error")
    assert error["data"]["hint"]
    chat(shell, "hello?")
    assert wait_for(shell, "done", 2)["data"]["stop_reason"] == "complete"
    assert len(shell.named("connected")) == 1, "an event named error must not look like a lost connection"
    assert shell.errors == []


def test_a_lost_connection_throws_in_the_preload_and_harms_nothing(
    electron: Daemon, shell: Tab, provider: ProviderDouble
) -> None:
    """EventSource calls listeners for `error` also when the connection is lost, with an event that has no data.

    The seed's listener then throws when it parses `undefined`. This is a flaw of the seed's listener, and has no
    consequence: its callback isn't called, and the stream reconnects.
    """
    provider.script(Reply([Say("One.")]), Reply([Say("Two.")]))
    chat(shell, "one")
    wait_for(shell, "done")
    electron.restart()
    shell.wait_until(lambda: len(shell.named("connected")) == 2, "the preload's EventSource reconnects by itself")
    assert shell.errors
    assert set(shell.errors) == {'SyntaxError: "undefined" is not valid JSON'}
    chat(shell, "two")
    wait_for(shell, "done", 2)
    assert [event["type"] for event in seen(shell) if event["type"] != "text_chunk"] == ["done", "done"]
    first, second = [event["turn_id"] for event in seen(shell) if event["type"] == "done"]
    assert text_of([event for event in seen(shell) if event["turn_id"] == first]) == "One."
    assert text_of([event for event in seen(shell) if event["turn_id"] == second]) == "Two."


def test_the_preload_unsubscribes(electron: Daemon, shell: Tab, provider: ProviderDouble) -> None:
    provider.script(Reply([Say("Heard.")]), Reply([Say("Not heard.")]))
    chat(shell, "one")
    wait_for(shell, "done")
    shell.run("() => unsubscribe()")
    [stream] = shell.calls("/api/events")
    shell.wait_until(lambda: stream.ended, "the stream's connection ends")
    heard, frames = seen(shell), len(shell.frames)
    with electron.watch() as watcher:
        chat(shell, "two")
        watcher.until("done")
    assert call(shell, "cancel", "default")["success"] is True, "one more round trip: events would come before"
    assert seen(shell) == heard
    assert shell.frames[frames:] == []
    assert [message["text"] for message in electron.history()] == ["one", "Heard.", "two", "Not heard."]
    assert shell.errors == []
    check_network(shell, PORTS["electron"])


# -- foreign pages -----------------------------------------------------------------------------------------------------

# What a page may try against `url`, marking each request with `mark`; each returns what the page learned. Only the
# attempts in PREFLIGHTED need a preflight.
ATTEMPTS = {
    "cors get": "fetch(`${url}/api/history?agent_id=default&${mark}`).then(r => r.text(), String)",
    "cors json": "fetch(`${url}/api/chat?${mark}`, { method: 'POST', headers: { 'Content-Type': 'application/json' },"
    " body }).then(r => r.text(), String)",
    "cors text": "fetch(`${url}/api/chat?${mark}`, { method: 'POST', body }).then(r => r.text(), String)",
    "cors put": "fetch(`${url}/api/config?${mark}`, { method: 'PUT', body: config }).then(r => r.text(), String)",
    "cors delete": "fetch(`${url}/api/history?agent_id=default&${mark}`, { method: 'DELETE' })"
    ".then(r => r.text(), String)",
    "no-cors text": "fetch(`${url}/api/chat?${mark}`, { method: 'POST', mode: 'no-cors',"
    " headers: { 'Content-Type': 'text/plain' }, body }).then(r => r.text(), String)",
    "no-cors config": "fetch(`${url}/api/config?${mark}`, { method: 'POST', mode: 'no-cors', body: config })"
    ".then(r => r.text(), String)",
    "no-cors without body": "fetch(`${url}/api/shutdown?${mark}`, { method: 'POST', mode: 'no-cors' })"
    ".then(r => r.text(), String)",
    "no-cors get": "fetch(`${url}/api/history?agent_id=default&${mark}`, { mode: 'no-cors' })"
    ".then(r => r.text(), String)",
    "beacon": "Promise.resolve(navigator.sendBeacon(`${url}/api/chat?${mark}`, body)).then(() => 'refused')",
    "event source": "new Promise(tell => { const source = new EventSource(`${url}/api/events?after=0&${mark}`);"
    " for (const type of ['connected', 'message', 'heartbeat']) source.addEventListener(type, () => tell('told'));"
    " source.onopen = () => tell('open');"
    " source.onerror = () => tell(source.readyState === EventSource.CLOSED ? 'refused' : 'tries again'); })",
    "web socket": "new Promise(tell => { const socket = new WebSocket(`${url.replace('http', 'ws')}/ws?${mark}`);"
    " socket.onopen = () => tell('open'); socket.onclose = () => tell('refused'); })",
    "image": "new Promise(tell => { const image = new Image(); image.onload = () => tell('loaded');"
    " image.onerror = () => tell('refused'); image.src = `${url}/api/history?agent_id=default&${mark}`; })",
    "script": "new Promise(tell => { const script = document.createElement('script'); script.onload = () =>"
    " tell('loaded'); script.onerror = () => tell('refused'); script.src = `${url}/openapi.json?${mark}`;"
    " document.body.append(script); })",
    "frame": "new Promise(tell => { const frame = document.createElement('iframe'); frame.onload = () =>"
    " tell(frame.contentDocument === null ? 'refused' : 'readable');"
    " frame.src = `${url}/api/history?agent_id=default&${mark}`; document.body.append(frame); })",
    "form": "new Promise(tell => { document.body.insertAdjacentHTML('beforeend', `<iframe name='${mark}'></iframe>"
    "<form method=post enctype=text/plain target='${mark}' action='${url}/api/chat?${mark}'><input type=hidden>`);"
    " const form = document.body.lastElementChild; const at = body.indexOf('x');"
    " form.firstElementChild.name = body.slice(0, at); form.firstElementChild.value = body.slice(at);"
    " form.previousElementSibling.onload = () => tell('refused'); form.submit(); })",
    # A sandboxed frame's origin is `null`. Playwright does not report its requests, so only its result is checked.
    "sandbox": "new Promise(tell => { addEventListener('message', event => tell(event.data), { once: true });"
    " const frame = document.createElement('iframe'); frame.sandbox = 'allow-scripts'; frame.srcdoc ="
    " `<script>fetch('${url}/api/history?agent_id=default').then(r => r.text(), String)"
    ".then(text => parent.postMessage(text, '*'))</` + `script>`; document.body.append(frame); })",
}
PREFLIGHTED = {"cors json", "cors put", "cors delete"}
UNSEEN = {"web socket", "sandbox"}


@pytest.mark.parametrize("framework", PORTS)
@pytest.mark.parametrize("where", ["another site", "another local server"])
def test_a_foreign_page_gets_nothing_and_does_nothing(
    launch: Launch, open_tab: OpenTab, chromium: Chromium, framework: str, where: str
) -> None:
    daemon = launch(framework=framework, port=PORTS[framework])
    assert daemon.history() == []
    before = everything(daemon)
    tab = open_tab(EVIL if where == "another site" else chromium.neighbour)
    body = json.dumps({"agent_id": "default", "message": "x"})
    patch = json.dumps({"permission_mode": "auto_approve"})
    for name, script in ATTEMPTS.items():
        mark = re.sub(r"\W", "_", name)
        learnt = tab.run(f"(url, mark, body, config) => {script}", daemon.url, f"by={mark}", body, patch)
        if where == "another local server" and learnt.startswith("{"):  # it may read only the refusal
            assert json.loads(learnt) | {"id": "", "hint": ""} == {
                "id": "",
                "success": False,
                "error": f"origin not listed: '{chromium.neighbour}'",
                "code": "origin_refused",
                "hint": "",
            }
        else:
            assert learnt in ("refused", "TypeError: Failed to fetch"), f"{name}: {learnt}"
        if name not in UNSEEN:
            check_refused(tab, f"by={mark}", preflighted=name in PREFLIGHTED, told=where == "another local server")
    tab.wait_until(lambda: "Unexpected response code: 403" in "".join(tab.console), "the WebSocket is refused with 403")
    with tab.page.expect_navigation() as followed:
        tab.run("url => { location.href = `${url}/api/history?agent_id=default` }", daemon.url)
    assert followed.value.status == 403, "also for a link that a person follows"
    assert everything(daemon) == before, "nothing was recorded or changed, and the daemon still runs"


def check_refused(tab: Tab, mark: str, *, preflighted: bool, told: bool) -> None:
    """The daemon answered 403. Only where `told` does the answer have the headers that let the page read it."""
    tab.wait_until(lambda: any(sent.status for sent in tab.calls(mark)), f"an answer to {mark}")
    [sent] = [exchange for exchange in tab.calls(mark) if exchange.status]
    assert sent.status == 403, sent
    assert (sent.method == "OPTIONS") == preflighted, sent
    assert sent.headers["sec-fetch-site"] in ("cross-site", "same-site"), sent
    named = {name: value for name, value in sent.answered.items() if name.startswith("access-control-")}
    if told and not preflighted and "origin" in sent.headers:
        assert named.pop("access-control-allow-origin") == tab.origin, sent
        assert named.pop("access-control-expose-headers") == "x-request-id, retry-after", sent
    assert named == {}, sent


def everything(daemon: Daemon) -> Json:
    """Everything that a page might have changed."""
    with daemon.watch() as watcher:
        last_seq = watcher.connected["data"]["last_seq"]
    paths = ("/api/approvals", "/api/permissions/rules", "/api/config", "/api/sessions")
    return {"last_seq": last_seq, "history": daemon.history(), **{path: daemon.call("GET", path) for path in paths}}


def test_a_name_that_was_rebound_to_this_machine_is_not_served(launch: Launch, open_tab: OpenTab) -> None:
    """Chromium resolves *.localhost to 127.0.0.1, as an attacker's DNS would: same origin, wrong Host."""
    daemon = launch(framework="tauri", port=PORTS["tauri"])
    tab = open_tab(EVIL)
    for path in ("/", "/health", "/api/history?agent_id=default"):
        answer = tab.page.goto(f"{EVIL}:{daemon.port}{path}")
        assert answer is not None
        assert (answer.status, answer.json()["code"]) == (421, "host_refused")
    status = "(path, options) => fetch(path, options).then(answer => answer.status)"
    body = json.dumps({"agent_id": "default", "message": "x"})
    options = {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": body}
    assert tab.run(status, "/api/chat", options) == 421
    assert tab.run(status, "/api/approvals", {}) == 421
    assert daemon.history() == []
