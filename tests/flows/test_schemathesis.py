"""A running daemon does what /openapi.json says: generated requests, valid and invalid, at every endpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, cast

import httpx
import pytest
import requests
import schemathesis
import schemathesis.checks
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.timeout(240)
WITHIN_S = 30.0
"""After this time each operation is tried only once, so that the slowest machine still checks all of them."""
EXAMPLES = 10
SKIPPED = {"/api/events", "/api/shutdown"}
"""One never ends, the other stops the daemon."""
ALWAYS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]


@pytest.fixture
def lived_in(launch: Callable[..., Daemon]) -> tuple[Daemon, dict[str, str]]:
    """A daemon with a history, a rule and a pending approval; and the ids of these."""
    daemon = launch(arguments=["--permission-mode", "always_ask"])
    rule = daemon.call("POST", "/api/permissions/rules", {"decision": "deny", "tool": "fetch_url", "kind": "any"})
    session = daemon.call("POST", "/api/sessions", {"title": "spare"})
    with daemon.watch() as watcher:
        daemon.chat("hello")
        watcher.until("done")
        daemon.chat("write hello.txt")
        asked = watcher.until("approval_required")[-1]
    return daemon, {
        "agent_id": "default",
        "session_id": session["session_id"],
        "turn_id": asked["turn_id"],
        "call_id": asked["data"]["call_id"],
        "rule_id": rule["rule_id"],
        "tool": "read_file",
        "before": asked["data"]["message_id"],
    }


def led(place: Any, names: dict[str, str], take: Callable[[], bool]) -> None:
    """Replace made-up ids of a request with existing ones, where `take` returns True."""
    if isinstance(place, dict):
        made_up = cast(dict[str, Any], place)
        for key in made_up.keys() & names.keys():
            if take():
                made_up[key] = names[key]


def try_out(operation: Any, mode: GenerationMode, most: int, send: Callable[[Any], Any], names: dict[str, str]) -> None:
    """Send generated requests of this `mode`, at most `most`. Raises: a failure of a check, Unsatisfiable."""
    asked = [*ALWAYS, *(["negative_data_rejection"] if mode is GenerationMode.NEGATIVE else [])]
    checks = cast(Any, schemathesis.checks).CHECKS.get_by_names(asked)
    always = cast(Any, schemathesis.checks).CHECKS.get_by_names(ALWAYS)

    @settings(
        max_examples=most,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    @given(data=st.data(), case=operation.as_strategy(generation_mode=mode))
    def conforms(data: st.DataObject, case: Any) -> None:
        if mode is GenerationMode.POSITIVE:
            for place in (case.body, case.query, case.path_parameters):
                led(place, names, lambda: data.draw(st.booleans()))
        response = send(case)
        # 413 refuses a wrong request as well, before it is read; the check does not know that.
        refused = response.status_code == 413
        case.validate_response(response, checks=always if refused else checks)

    conforms()


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_a_running_daemon_does_what_its_openapi_says(
    lived_in: tuple[Daemon, dict[str, str]], mode: GenerationMode
) -> None:
    daemon, names = lived_in
    _, document = daemon.raw("GET", "/openapi.json")
    schema: Any = schemathesis.openapi.from_dict(document)
    failures: list[str] = []
    tried: set[tuple[str, str]] = set()
    began = time.monotonic()
    with requests.Session() as session:
        session.trust_env = False
        for found in schema.get_all_operations():
            operation = found.ok()
            if operation.path in SKIPPED:
                continue
            tried.add((operation.path, operation.method))
            most = EXAMPLES if time.monotonic() - began < WITHIN_S else 1
            try:
                try_out(operation, mode, most, lambda case: case.call(base_url=daemon.url, session=session), names)
            except Unsatisfiable:
                # An operation without input has no invalid input.
                if mode is GenerationMode.POSITIVE or operation.body:
                    raise
            except Exception as failure:
                failures.append(f"{operation.method} {operation.path}: {str(failure)[:1500]}")
    assert not failures, "\n\n".join(failures)
    assert tried == {
        (path, method) for path in document["paths"].keys() - SKIPPED for method in document["paths"][path]
    }
    assert "Traceback" not in daemon.log


ODD = {
    "half a surrogate pair": r'{"a": "\ud800"}',
    "half a surrogate pair as a key": r'{"\udfff": 1}',
    "no number": '{"a": NaN, "b": -Infinity}',
    "a huge number": '{"a": 1' + "0" * 400 + "}",
    "NUL": r'{"a": "\u0000", "\u0000": null}',
    "one key twice": '{"a": 1, "a": {"b": []}}',
    "depth": '{"a": ' + "[" * 900 + "]" * 900 + "}",
    "more depth": '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}",
}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/chat", '{"agent_id": "default", "message": "hello", "context": %s}'),
        ("/api/chat", '{"agent_id": "default", "message": "hello", "client_message_id": "m1", "context": %s}'),
        ("/api/permissions/check", '{"tool": "write_file", "arguments": %s}'),
    ],
    ids=["chat", "chat once", "check"],
)
def test_json_that_generators_do_not_make_is_taken_or_refused_but_breaks_nothing(
    launch: Callable[..., Daemon], path: str, body: str
) -> None:
    daemon = launch()
    answers: dict[str, tuple[int, Json]] = {}
    for name, value in ODD.items():
        content = (body % value).replace('"m1"', json.dumps(name))
        headers = {"content-type": "application/json"}
        answer = httpx.post(
            daemon.url + path, content=content, headers=headers, trust_env=False, verify=False, timeout=20.0
        )
        answers[name] = (answer.status_code, answer.json().get("code"))
    assert {name: answer for name, answer in answers.items() if answer[0] >= 500} == {}
    with daemon.watch() as watcher:
        turn_id = daemon.chat("hello again")["turn_id"]
        watcher.until("done", turn_id=turn_id)
    assert daemon.history(limit=1)[0]["status"] == "complete"
