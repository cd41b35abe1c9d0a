"""A question's form on the screen: who asks, why, and each field with its options."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.question_view import BAR
from aster_sidecar.cli.chat.question_words import brief, labels_of, server_of
from aster_sidecar.cli.chat.screen import Screen
from aster_sidecar.cli.chat.typed_answers import marks
from aster_sidecar.text.safe_text import still_visible, visible

OPTION_INDENT = 8
"""Cells before the second line of an option."""


def show_form(screen: Screen, data: dict[str, Any]) -> None:
    """Print who asks and why; for a page, its exact address. `data` is that of a `question_asked` event."""
    from rich.text import Text

    url = data.get("url")
    screen.write(screen.prose(Text("? " + texts.asks(server_of(data), page=bool(url)), style="bold cyan")))
    reason = still_visible(str(data["reason"]).strip())
    screen.write([entry for line in reason.split("\n") for entry in screen.render(Text(BAR + line))])
    if url:
        address = visible(str(url), newlines=False)
        screen.write(screen.render(Text("  " + address, style="bold")))
        screen.say(texts.page_host(host_of(str(url))), "dim")
    if data["fields"]:
        screen.say("  " + (texts.FORM_KEYS if len(data["fields"]) == 1 else texts.FORM_KEYS_OF_MANY), "dim")


def show_field(screen: Screen, field: dict[str, Any], number: int, count: int) -> None:
    """Print the question of a field, which is the `number`th of `count`, and its options."""
    first, *others = still_visible(str(field["text"]).strip()).split("\n")
    screen.say(texts.field(number, count, first), "bold", indent=2)
    for line in others:
        screen.say("  " + line, "bold", indent=2)
    if field.get("options"):
        for mark, label in zip(marks(field), labels_of(field), strict=False):
            screen.say(texts.option(mark, brief(label)), indent=OPTION_INDENT)


def host_of(url: str) -> str:
    """The host of an address in the letters that computers use, so that no other host looks the same."""
    try:
        host = urlsplit(url).hostname or ""
        host = host if host.isascii() else host.encode("idna").decode()
    except ValueError:
        host = ""
    return visible(host or "?", newlines=False)
