"""All cases about command lines."""

from __future__ import annotations

from tests.tools.commands import git_lines, program_lines, shell_lines
from tests.tools.commands.ordinary_lines import ORDINARY
from tests.tools.commands.tables import TRAPS

_WRITTEN_BY = (shell_lines, program_lines, git_lines)  # each adds its lines to TRAPS

CASES = (*ORDINARY, *TRAPS)
