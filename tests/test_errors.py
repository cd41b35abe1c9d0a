"""The error tree in the module's docstring matches the code, and each error says what to do."""

from __future__ import annotations

import re

import pytest

from aster_sidecar import errors
from tests.contract.test_protocol_doc import DOCUMENT, error_classes, rows, section

OWN = [kind for kind in error_classes() if kind.__module__ == errors.__name__]
TEXT = errors.__doc__ or ""


def listed() -> dict[str, tuple[str, str, int]]:
    """The classes in the docstring's tree, by name: parent, code and status (empty or 0 if not given)."""
    found: dict[str, tuple[str, str, int]] = {}
    above: list[str] = []
    for line in TEXT.split("\n\n")[1].splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+)\s*(\d{3})?(?:\s+([a-z]+_[a-z_]+))?", line)
        if match is None:
            continue
        depth = len(match[1]) // 4
        above[depth:] = [match[2]]
        found[match[2]] = (above[depth - 1] if depth else "", match[4] or "", int(match[3] or 0))
    return found


def test_the_tree_lists_every_class_under_its_parent() -> None:
    tree = listed()
    assert len(tree) > 30
    unlisted = {"StoreLocked"}  # clients see StoreError
    assert set(tree) == {kind.__name__ for kind in OWN} - unlisted
    for name, (parent, _, _) in tree.items():
        base = getattr(errors, name).__base__.__name__
        assert parent == ("" if name == "AsterError" else base), name


def test_the_tree_s_codes_and_statuses_are_those_of_the_classes() -> None:
    for name, (_, code, status) in listed().items():
        kind = getattr(errors, name)
        assert status in (0, kind.status), name
        assert code in ("", kind.code), name


def test_the_codes_without_a_class_are_those_of_the_protocol() -> None:
    codes = set(re.split(r"[,\s]+", TEXT.split("one code each:")[1].strip()))
    table = rows(section(DOCUMENT, "Errors"))
    classes = {kind.code for kind in OWN} - {"internal_error"}
    assert codes == {code for code, row in table.items() if "error event" in row} - classes


FAMILIES = {
    "AsterError",
    "BadRequest",
    "ConfigInvalid",
    "GateError",
    "Conflict",
    "ModelError",
    "Refused",
}
"""Classes whose errors get their hint where they are raised."""


@pytest.mark.parametrize("kind", OWN, ids=lambda kind: kind.__name__)
def test_every_error_has_a_hint(kind: type[errors.AsterError]) -> None:
    assert (kind.hint is None) == (kind.__name__ in FAMILIES)


def test_a_hint_of_the_moment_replaces_the_class_s() -> None:
    assert errors.NotFound("x").hint == errors.NotFound.hint
    assert errors.NotFound("x", hint="look there").hint == "look there"
    assert errors.NotFound.hint != "look there"
    assert str(errors.NotFound("the words")) == errors.NotFound("the words").message == "the words"
