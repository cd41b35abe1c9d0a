"""docs/models.md is true: its rows name existing tests and cases, its quotations are really sent, its numbers right."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from aster_sidecar.conversation import answer_endings, compaction, retries, strict_history
from aster_sidecar.models import build, chosen, request_context, sdk_models, server_facts, transport
from aster_sidecar.models.catalog import PROVIDERS, Provider
from aster_sidecar.models.provider_errors.kinds import REFUSAL_CODES

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "models.md").read_text("utf-8")
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text("utf-8")
FLAT = " ".join(TEXT.split())
MODULES = {path: path.read_text("utf-8") for path in sorted((ROOT / "tests").rglob("test_*.py"))}
STREAMS = {path.stem for path in (ROOT / "tests" / "golden" / "streams").glob("*.sse")}
REFUSALS: list[dict[str, Any]] = [
    json.loads(line)
    for line in (ROOT / "tests" / "models" / "provider_errors" / "refusals.jsonl").read_text("utf-8").splitlines()
]


def section(title: str) -> str:
    """The text under a heading of the second or third level, with the headings below it."""
    found = re.search(rf"^(##+) {re.escape(title)}$(.*?)(?=^##(?!#)|\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert found, f"no section {title!r}"
    return found[2]


def rows(text: str) -> dict[str, str]:
    """The rows with an anchor of a text's tables, by their anchor."""
    return {found[1]: line for line in text.splitlines() if (found := re.match(r"\| <a id=\"([\w-]+)\">", line))}


def proofs(row: str) -> list[tuple[str, list[str]]]:
    """The tests that a row names (a code span after a bullet), each with the cases in its brackets."""
    spans = re.findall(r"• `(\w+)(?:\[([^`]*)\])?`", row)
    return [(name, cases.split("; ") if cases else []) for name, cases in spans]


def functions(source: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)\(", source, re.MULTILINE))


def texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value, and in JSON inside them."""
    if isinstance(value, str):
        yield value
        if value.lstrip().startswith(("{", "[")):
            try:
                yield from texts(json.loads(value))
            except ValueError:
                return
    elif isinstance(value, dict | list):
        items = cast("list[Any]", list(value.values()) if isinstance(value, dict) else value)  # type: ignore[arg-type]
        for item in items:
            yield from texts(item)


def literals(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


TABLE = rows(TEXT)
WHERE: dict[str, list[str]] = {}
for _source in MODULES.values():
    for _name in functions(_source):
        WHERE.setdefault(_name, []).append(_source)
SENT = [
    *(text for refusal in REFUSALS for text in texts(refusal["body"])),
    *(text for path, source in MODULES.items() if "providers" in path.parts for text in literals(source)),
]
SERVERS = re.findall(r"^### (.+)$", section("What servers send"), re.MULTILINE)


# -- tests -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("anchor", TABLE)
def test_a_row_names_tests_and_cases_that_exist(anchor: str) -> None:
    named = proofs(TABLE[anchor])
    assert named, "no test"
    for name, cases in named:
        assert name in WHERE, f"no test {name}"
        known = {text for source in WHERE[name] for text in literals(source)}
        if name == "test_a_refusal_is_understood":
            known = {refusal["what"] for refusal in REFUSALS}
        elif name == "test_the_same_response_comes_out":
            known = {*STREAMS}
        assert set(cases) - known == set(), name


def test_every_row_of_a_table_with_anchors_has_one_and_each_is_there_once() -> None:
    assert sorted(re.findall(r"<a id=\"([\w-]+)\">", TEXT)) == sorted(TABLE)
    body = TEXT.partition("### Addresses, keys, proxies, certificates")[2]
    bare = [
        line
        for line in body.splitlines()
        if line.startswith("| ") and not line.startswith(("| <a id", "| what ", "| when "))
    ]
    assert bare == []


@pytest.mark.parametrize(
    "server",
    [
        *("OpenAI", "Azure and gateways like it", "Anthropic", "Google", "OpenRouter", "DeepSeek", "Moonshot", "z.ai"),
        *("Mistral", "Groq", "Together", "vLLM", "SGLang", "llama.cpp's llama-server", "LM Studio", "Ollama"),
        *("LiteLLM and other gateways", "Every server"),
    ],
)
def test_every_server_has_its_rows(server: str) -> None:
    assert server in SERVERS
    text = section("What servers send").partition(f"### {server}\n")[2].partition("\n### ")[0]
    assert rows(text)


def test_what_is_quoted_is_sent_by_a_test() -> None:
    quoted = re.findall(r"“([^”]+)”", section("What servers send"))
    assert len(quoted) > 60
    assert [words for words in quoted if not any(words in text for text in SENT)] == []


@pytest.mark.parametrize("module", [path for path in MODULES if "providers" in path.parts], ids=lambda path: path.stem)
def test_every_module_of_the_providers_tests_is_named(module: Path) -> None:
    told = {name for row in TABLE.values() for name, _ in proofs(row)}
    assert functions(MODULES[module]) & told


# -- names and numbers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
def test_every_provider_has_its_variables(provider: Provider) -> None:
    [row] = [line for line in section("Choosing a model").splitlines() if line.startswith(f"| `{provider.name}` |")]
    named = set(re.findall(r"`([^`]+)`", row))
    wanted = {provider.key, provider.key_too, provider.base, provider.default_url, provider.extra} - {None}
    assert wanted - named == set()
    assert {name for name in named if name.isupper()} - wanted <= {"OLLAMA_HOST"}
    assert ("none is needed" in row) is not provider.needs_key


def test_every_code_of_a_failure_is_in_the_protocol() -> None:
    codes = REFUSAL_CODES | {answer_endings.OutputCut.code, answer_endings.empty_answer_error("m").code}
    named = set(re.findall(r"^\| `(\w+)` \|", PROTOCOL, re.MULTILINE))
    assert codes - named == set()


def test_every_code_on_this_page_is_one() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", PROTOCOL, re.MULTILINE))
    for row in rows(section("How answers end")).values():
        stop_reason, code = (re.findall(r"`(\w+)`", cell) for cell in row.split("|")[2:4])
        assert set(stop_reason) <= {"complete", "limit", "failed"}
        assert set(code) <= named


def test_every_number_is_the_codes() -> None:
    for said in (
        f"The first word of an answer may take {request_context.FIRST_S:g} s, "
        f"or {request_context.FIRST_HERE_S:g} s from a server on",
        f"every {transport.STALL_S:g} s; comments",
        f"must be established within {sdk_models.CONNECT_TIMEOUT_S:g} s.",
        f"waits at most {transport.TAIL_S:g} s for the end of the stream",
        f"is complete after {transport.TAIL_S:g} s",
        f"Sent up to {retries.MAX_ATTEMPTS} times",
        f"If the wait is more than {retries.RETRY_MOST_S:g} s, the daemon does not wait",
        f"5. {chosen.DEFAULT_WINDOW_TOKENS:,} tokens.",
        f"more than {compaction.COMPACT_AT:.0%} of the window".replace("%", " %"),
        f"above {compaction.UNSURE_AT:.0%} of the window (of {compaction.ASSUMED_TOKENS:,} tokens".replace("%", " %"),
        f"at most {compaction.MOST_COMPACTIONS} times for one request, each time to half",
        f"or {server_facts.OLLAMA_WINDOW_TOKENS} tokens, until it is loaded",
        f"Ids of {strict_history.SHORT_CHARS} letters and digits",
        f"names at most {build.MOST_NAMED} configured models",
    ):
        assert said in FLAT, said
    for said in (
        f"{request_context.FIRST_S:g} s for the first word "
        f"({request_context.FIRST_HERE_S:g} s from a server on this machine), then"
        f" {transport.STALL_S:g} s",
        f"is sent up to {retries.MAX_ATTEMPTS} times",
    ):
        assert said in " ".join(PROTOCOL.split()), said
