"""The modules of the Tauri app and of its supervisor have no circular imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

TAURI = Path(__file__).parent.parent / "shells" / "tauri"

TESTS = re.compile(r"^#\[cfg\((?:all\()?test\b[^\n]*\]\nmod \w+ \{\n.*?^\}$", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^\s*//.*$", re.MULTILINE)
USE = re.compile(r"\buse ([^;]+);")
PATH = re.compile(r"\b(?:crate|super)(?:::\w+)+")


def sources(folder: Path) -> dict[str, str]:
    """The text of each module of a crate by its name, as `a` or `a::b`; the crate's root has the empty name."""
    found: dict[str, str] = {}
    for path in folder.rglob("*.rs"):
        parts = path.relative_to(folder).with_suffix("").parts
        if parts[0] == "bin":
            continue
        name = "::".join(part for part in parts if part != "mod")
        found["" if name in ("lib", "main") else name] = path.read_text("utf-8")
    return found


def flat(tree: str) -> Iterator[str]:
    """The paths of one use declaration: `a::{b, c::d}` has `a::b` and `a::c::d`."""
    head, brace, rest = tree.strip().partition("{")
    if not brace:
        if head := head.split(" as ")[0].strip():
            yield head
        return
    depth, start, inner = 0, 0, rest.rstrip().removesuffix("}") + ","
    for at, letter in enumerate(inner):
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            for path in flat(inner[start:at]):
                yield head + path
            start = at + 1


def paths(text: str) -> set[str]:
    """All paths into the crate, from its root. Tests and comments are ignored."""
    text = COMMENT.sub("", TESTS.sub("", text))
    found = {path for use in USE.findall(text) for path in flat(use)} | set(PATH.findall(USE.sub("", text)))
    return {path.partition("::")[2] for path in found if path.startswith(("crate::", "super::"))}


def imports(modules: dict[str, str]) -> dict[str, set[str]]:
    """The modules that each module uses. A re-exported name counts as its original module."""
    reexported = {
        path.split("::")[-1]: path
        for use in re.findall(r"\bpub use ([^;]+);", modules.get("", ""))
        for path in flat(use.removeprefix("crate::"))
    }

    def module(path: str) -> str | None:
        parts = path.split("::")
        path = "::".join([*reexported.get(parts[0], parts[0]).split("::"), *parts[1:]])
        while path and path not in modules:
            path = path.rpartition("::")[0]
        return path or None

    return {
        name: {target for path in paths(text) if (target := module(path)) and target != name}
        for name, text in modules.items()
        if name
    }


def circle(modules: dict[str, str]) -> list[str]:
    """Modules that import each other in a circle, with the first repeated at the end; [] if there is no circle."""
    try:
        TopologicalSorter(imports(modules)).prepare()
    except CycleError as error:
        return error.args[1]
    return []


@pytest.mark.parametrize("crate", ["app", "supervisor"])
def test_no_module_imports_one_that_imports_it(crate: str) -> None:
    modules = sources(TAURI / crate / "src")
    assert len([name for name, targets in imports(modules).items() if targets]) > 5
    assert circle(modules) == []


def test_a_circle_is_noticed_however_it_is_written() -> None:
    root = "mod a;\nmod b;\npub use a::{Error, One};\npub use crate::b::Two;"
    for to_b in [
        "use crate::b::Two;",
        "use crate::{\n    c,\n    b::{Two as Other, x::Y},\n};",
        "fn f() { crate::b::g(); }",
        "use crate::Two;",
        "use super::b;",
        "impl Drop for crate::b::Two {}",
    ]:
        for to_a in ["use crate::Error;", "use crate::{c, One};", "fn f() -> crate::a::Z { g() }"]:
            assert sorted(circle({"": root, "a": to_b, "b": to_a})) in (["a", "a", "b"], ["a", "b", "b"]), (to_b, to_a)


def test_what_is_no_import_is_not_taken_for_one() -> None:
    tests = "use crate::b;\n\n#[cfg(all(test, unix))]\nmod tests {\n    use crate::a::f;\n\n    fn g() {}\n}\n"
    modules = {"a": "use crate::b::{self, c};\nfn f() {}", "b": tests, "b::c": "// use crate::a;\nuse tokio::a;"}
    assert imports(modules) == {"a": {"b", "b::c"}, "b": set(), "b::c": set()}
    assert circle(modules) == []
