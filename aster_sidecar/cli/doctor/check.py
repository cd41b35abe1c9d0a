"""The result of one check of the doctor."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """What one check found. A warning and a failure have a `remedy`."""

    name: str
    status: Status
    detail: str
    remedy: str | None = None
