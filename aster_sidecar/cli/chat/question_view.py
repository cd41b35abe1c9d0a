"""A question on the screen: what a person has to see before they allow a tool call."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aster_sidecar.cli.chat import texts
from aster_sidecar.cli.chat.always import choices_of
from aster_sidecar.cli.chat.screen import Screen
from aster_sidecar.text.safe_text import still_visible, visible

if TYPE_CHECKING:
    from rich.text import Text

RISK_COLOURS = {"low": "green", "medium": "yellow", "high": "red"}
BAR = "  ┃ "
DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show_question(screen: Screen, data: dict[str, Any]) -> None:
    """Print exactly what will run, its risk, why it is asked, and what "always" would cover.

    `data` is that of an `approval_required` event.
    """
    from rich.text import Text

    risk = str(data["risk"])
    colour = RISK_COLOURS.get(risk, "red")
    summary = Text.assemble(
        ("? ", "bold " + colour),
        (still_visible(str(data.get("summary") or texts.use(data["name"])), newlines=False), "bold"),
        (texts.risk(risk), colour),
    )
    display = still_visible(str(data["display"]).removesuffix("\n"))
    preview = data.get("preview")
    shown_lines = display.split("\n")
    # The diff of a whole preview is the end of the display; with a preview, the arguments add nothing.
    diff = str(preview["diff"]).split("\n") if preview is not None and not preview.get("truncated") else []
    diff_begins = len(shown_lines) - len(diff)
    lines = [Text(BAR + line) for line in shown_lines[:diff_begins]] + diff_lines(shown_lines[diff_begins:])
    if preview is not None and preview.get("truncated"):
        lines.append(Text(texts.long_change(preview["added"], preview["removed"]), style="dim"))
    if preview is None:
        lines += map(Text, argument_lines(data["arguments"], display))
    reason = still_visible(str(data["reason"]), newlines=False)
    screen.write(screen.prose(summary))
    screen.write([entry for text in lines for entry in screen.render(text)])
    screen.say(texts.why(reason), "dim")
    choices = choices_of(data)
    if len(choices) > 1:
        screen.say(texts.ALWAYS_MAY_COVER, "dim")
        for number, choice in enumerate(choices, 1):
            screen.say(texts.choice(number, choice.words or ""), "dim", indent=texts.CHOICE_INDENT)
    elif (covers := texts.always_covers(choices[0].words if choices else None, reason)) is not None:
        screen.say(covers, "dim")


def diff_lines(diff: Iterable[str]) -> list[Text]:
    """The lines of a unified diff in their colours."""
    from rich.text import Text

    return [Text(BAR + line, style=DIFF_STYLES.get(line[:1], "")) for line in diff]


def argument_lines(arguments: dict[str, Any], display: str) -> list[str]:
    """The arguments that `display` does not show, one `name: value` each, later lines of a value indented."""
    lines: list[str] = []
    for name, value in arguments.items():
        if visible(_text(value)).strip() in display:
            continue
        first, *others = visible(_text(value, indent=2)).split("\n")
        lines.append(f"  {visible(name, newlines=False)}: {first}")
        lines += ["      " + other for other in others]
    return lines


def _text(value: object, indent: int | None = None) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=indent)
