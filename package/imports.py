"""Prints what the daemon's modules import from other packages: PyInstaller's analysis depends on nothing else of them.

While this output stays the same, a change of the daemon's own code needs no new analysis (freeze.sh).
"""

import ast
import sys
from pathlib import Path

names: set[str] = set()
for path in Path(sys.argv[1]).rglob("*.py"):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
for name in sorted(names):
    if name.split(".")[0] != "aster_sidecar":
        print(name)
