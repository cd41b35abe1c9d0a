"""What all file tools share: how a path is judged, and how blocking work on it is run.

`assess` resolves the path and rates it (paths.look); `run` opens that very path, component by component, and refuses
whatever took its place.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from aster_sidecar.permissions import Assessment, Risk, Scope
from aster_sidecar.processes import to_the_end
from aster_sidecar.tools import Surroundings, ToolError, paths
from aster_sidecar.tools.display import shown, visible
from aster_sidecar.tools.paths import Folder, Place

T = TypeVar("T")


class Arguments(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)


def judge(
    tool: str,
    asked: Sequence[str],
    surroundings: Surroundings,
    display: str,
    *,
    reads: bool = False,
    follow: bool = True,
) -> Assessment:
    """Rate a use of the paths `asked`. `display` has a {} for each of them, in order."""
    places = [paths.look(one, surroundings, follow=follow, changes=not reads) for one in asked]
    concerns = list(dict.fromkeys(concern for place in places for concern in place.concerns))
    risk: Risk = "high" if concerns else "low" if reads else "medium"
    reason = "; ".join(concerns) or ("reads" if reads else "changes files") + " in the work directory"
    targets = [str(place.path) for place in places]
    return Assessment(
        risk=risk,
        target=targets[0],
        also=tuple(targets[1:]),
        display=display.format(*(shown(target) for target in targets)),
        reason=reason,
        remember=_scope(tool, places, surroundings),
        binding={"paths": targets, "work_dir": str(surroundings.work_dir)},
        forbidden=next((place.forbidden for place in places if place.forbidden), None),
        concerns=tuple(concerns),
    )


def _scope(tool: str, places: Sequence[Place], surroundings: Surroundings) -> Scope | None:
    if any(place.always_asks or place.forbidden for place in places):
        return None
    if all(place.inside for place in places):
        folder = str(surroundings.work_dir)
        return Scope("beneath", folder, f"{tool} anywhere in {shown(folder)} (files that hold secrets still ask)")
    if len(places) > 1:
        return None  # a rule names one path, this call has two
    path = str(places[0].path)
    return Scope("exact", path, f"{tool} on {shown(path)} only")


def braced(text: str, *, newlines: bool = True) -> str:
    return visible(text, newlines=newlines).replace("{", "{{").replace("}", "}}")


def bound(assessment: Assessment, display: str, **more: Any) -> Assessment:
    """The assessment with what else is shown, and what else an approval is bound to."""
    return replace(assessment, display=assessment.display + display, binding={**assessment.binding, **more})


def warned(assessment: Assessment, concern: str) -> Assessment:
    """The assessment of a call that is asked every time, because of `concern`."""
    concerns = (*assessment.concerns, concern)
    return replace(assessment, risk="high", reason="; ".join(concerns), remember=None, concerns=concerns)


async def in_thread(work: Callable[[threading.Event], T], *, cancelled: Callable[[], object] = lambda: None) -> T:
    """Run blocking `work` in a thread. Cancelled, it is told so by its event, and waited for: nothing happens later."""
    stop = threading.Event()

    def end() -> None:
        stop.set()
        cancelled()

    try:
        return await to_the_end(asyncio.to_thread(work, stop), cancelled=end)
    except OSError as error:
        raise ToolError(f"{error.strerror or error}") from error


@contextmanager
def located(path: Path, *, create: bool = False) -> Generator[tuple[Folder, str], None, None]:
    """The opened directory of `path`, and its name there. Raises: ToolError, also in place of OSError inside."""
    if not path.name:
        raise ToolError(f"{shown(path)} is a directory")
    with paths.opened_folder(path.parent, create=create) as folder:
        try:
            yield folder, path.name
        except OSError as error:
            raise paths.refused(path, error) from error
