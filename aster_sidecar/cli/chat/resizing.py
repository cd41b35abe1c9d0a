"""Keeps the input line intact when the window's width changes.

The terminal then wraps what is on it again, so that the line takes more or fewer rows than prompt_toolkit has drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from aster_sidecar.cli.chat.library_patches import replace_erase
from aster_sidecar.cli.chat.screen import rows_of

if TYPE_CHECKING:
    from prompt_toolkit.application import Application


class Resizing:
    """Watches the width of one prompt; `resized` is called when the prompt has been drawn at another width."""

    def __init__(self, app: Application[Any], resized: Callable[[], None]) -> None:
        self._app = app
        self._resized = resized
        self._drawn_columns = 0
        """The width at which the prompt is drawn; 0 before the first time."""
        self._reported_columns = 0
        self.redraw_all = False
        """Whether the prompt has to be erased and drawn again, not only what has changed of it."""
        replace_erase(app, self._erase_wrapped)
        app.before_render += self._before_render
        app.after_render += self._after_render

    @property
    def _columns(self) -> int:
        return self._app.output.get_size().columns

    def _erase_wrapped(self) -> bool:
        """Erase the prompt if it was drawn at another width; returns whether it was."""
        app, columns = self._app, self._columns
        drawn = app.renderer.last_rendered_screen
        if drawn is None or not self._drawn_columns or columns == self._drawn_columns:
            return False
        cursor = drawn.get_cursor_position(app.layout.current_window)
        rows = cursor.x // columns
        for y in range(cursor.y):
            row = drawn.data_buffer[y]
            rows += rows_of(max((x + cell.width for x, cell in row.items() if cell.char.strip()), default=0), columns)
        app.output.write_raw("\r")
        app.output.cursor_up(rows)
        app.output.erase_down()
        app.output.reset_attributes()
        app.output.enable_autowrap()
        app.output.flush()
        self._drawn_columns = columns
        app.renderer.reset()
        return True

    def _before_render(self, _: object) -> None:
        self._erase_wrapped()

    def _after_render(self, _: object) -> None:
        columns = self._columns
        before, self._drawn_columns = self._drawn_columns, columns
        if columns != self._reported_columns:
            self._reported_columns = columns
            if before:
                # A row that was drawn shorter over a longer one is still wrapped as the longer one.
                self.redraw_all = True
                self._resized()
