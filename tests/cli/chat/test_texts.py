"""All texts of `chat` are in texts.py: no other file has words for people, and every text is used."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from aster_sidecar.cli.chat import texts

PAGE = (Path(__file__).parent.parent.parent.parent / "shells" / "ui" / "src" / "messages.tsx").read_text("utf-8")
CHAT = Path(__file__).parents[3] / "aster_sidecar" / "cli" / "chat"
OTHERS = sorted(
    path.stem for path in CHAT.glob("*.py") if path.stem not in ("__init__", "texts", "loopback")
)  # loopback has words of HTTP
SHOWN = {
    "note",
    "say",
    "_tell",
    "confirmed",
    "ask",
    "prompted",
    "refuse",
    "print_error",
    "print",
    "Text",
    "prose",
    "Unreachable",
    "NotStarted",
}
"""Calls whose first text is shown to people."""
SENTENCE = re.compile(r"[^\W\d_]{2,}[,.;:!?…]* +[^\W\d_]{2,}")
WORD = re.compile(r"[^\W\d_]{2,}")
STYLES = {"bold", "dim", "italic", "underline", "red", "green", "yellow", "cyan", "magenta", "black"}


def leftovers(source: str) -> list[str]:
    """Literals that read like words for people, as `line: text`."""
    tree = ast.parse(source)
    skipped: set[int] = set()
    shown: set[int] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as text):  # docstrings
                skipped.add(id(text))
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args) if name in SHOWN:
                first = next(
                    (
                        arg
                        for arg in args
                        if isinstance(arg, ast.Constant | ast.JoinedStr | ast.BinOp)
                        and not (isinstance(arg, ast.Constant) and not isinstance(arg.value, str))
                    ),
                    None,
                )
                if first is not None:
                    shown |= {id(part) for part in ast.walk(first)}
            case ast.Subscript(slice=ast.Constant() as key):
                skipped.add(id(key))
            case _:
                pass
    found: list[str] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str) or id(node) in skipped:
            continue
        text = node.value
        if set(text.split()) <= STYLES:
            continue
        if SENTENCE.search(text) or (id(node) in shown and WORD.search(text)):
            found.append(f"{node.lineno}: {text}")
    return found


def unused(texts: str, *users: str) -> list[str]:
    """Names in the source of texts.py that no other source uses."""
    tree = ast.parse(texts)
    names = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    used: set[str] = set()
    for user in users:
        for node in ast.walk(ast.parse(user)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "texts":
                used.add(node.attr)
    used |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    return sorted(names - used - {"Json"})


def source(name: str) -> str:
    return (CHAT / f"{name}.py").read_text("utf-8")


@pytest.mark.parametrize("name", OTHERS)
def test_no_other_file_has_words_for_people(name: str) -> None:
    assert leftovers(source(name)) == []


@pytest.mark.parametrize(
    "seed",
    [
        'view.note("The answer has ended.")',
        'view.note("none")',
        'view.note(f"deleted {title}", "dim")',
        'screen.say("✗ " + "broken")',
        'words = "kept as a rule"',
        'def f():\n    return f"{count} messages wait"',
        'await self._prompt.ask("arguments: ", default=text)',
        'raise Unreachable(f"nobody on {url}")',
        'refuse(2, "nothing")',
    ],
)
def test_words_for_people_in_another_file_are_found(seed: str) -> None:
    assert leftovers(seed) != []
    assert (
        len(leftovers(source("session") + "\n" + seed.replace("await ", ""))) == len(leftovers(source("session"))) + 1
    )


@pytest.mark.parametrize(
    "fine",
    ['"""A docstring has words."""', 'view.note(texts.QUEUED, "bold dim")', 'call("GET", "/api/history")', "f(3)"],
)
def test_other_strings_are_allowed(fine: str) -> None:
    assert leftovers(fine) == []


def test_every_text_is_used() -> None:
    assert unused(source("texts"), *map(source, OTHERS)) == []


def test_an_unused_text_is_found() -> None:
    seeded = source("texts") + '\n\nNEVER_SAID = "Never said."\n'
    assert unused(seeded, *map(source, OTHERS)) == ["NEVER_SAID"]


def table(name: str) -> dict[str, str]:
    """An object of strings in the web UI's texts."""
    found = re.search(rf"^ +{name}: \{{(.*?)\}}", PAGE, re.DOTALL | re.MULTILINE)
    assert found is not None, name
    return dict(re.findall(r'(\w+): "([^"]+)"', found[1]))


def test_the_page_has_the_same_words() -> None:
    assert table("toolState") == texts.STATES
    assert table("decision") == texts.DECISIONS | texts.OUTCOMES
    assert table("risk") == texts.RISKS
    assert table("ends").items() <= texts.ENDS.items()
    for said in (
        *(choice[4:] for choice in texts.choices(always=True).split(" · ")),
        texts.ENDS["denied"],
        texts.NO_ALWAYS,
        texts.STEERED,
        texts.lost("x").removesuffix(" (x)"),
        texts.NOT_SENT_YET.split(".")[0],
    ):
        assert said in PAGE, said
