"""What all file tools share: judging a path, and running blocking work on it.

`assess` resolves and rates the path (`paths.look`); `run` opens exactly that path, component by component
(`opening.py`), and refuses a link or another file that took its place.
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

from aster_sidecar.policy.permissions import Assessment, Preview, Risk, Scope, reaches, sentences
from aster_sidecar.services.process_tree import to_the_end
from aster_sidecar.text.safe_text import brief, shown, visible
from aster_sidecar.tools import lookalikes, opening, paths
from aster_sidecar.tools.base import Surroundings, ToolError
from aster_sidecar.tools.denied_places import Denied
from aster_sidecar.tools.opening import Folder
from aster_sidecar.tools.paths import Place
from aster_sidecar.tools.sensitive_places import is_beneath

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
    denied = denied_to(tool, surroundings)
    places = [
        paths.look(
            one,
            surroundings,
            follow=follow,
            changes=not reads,
            lookalike="take" if reads else "tell" if (tool, number) in _CREATED else "refuse",
            denied=denied,
        )
        for number, one in enumerate(asked)
    ]
    concerns = list(dict.fromkeys(concern for place in places for concern in place.concerns))
    risk: Risk = "high" if concerns else "low" if reads else "medium"
    reasons = concerns or [f"It {'reads' if reads else 'changes'} files in the work folder."]
    taken = [lookalikes.resemblance(place.instead_of, place.path) for place in places if place.instead_of is not None]
    targets = [str(place.path) for place in places]
    forbidden = next((why for place in places if (why := place.forbidden or _denied(tool, place, denied))), None)
    said = display.format(*(brief(place.path, surroundings.work_dir) for place in places)).strip().replace("\n", " ")
    return Assessment(
        risk=risk,
        target=targets[0],
        also=tuple(targets[1:]),
        display=display.format(*(shown(target) for target in targets)),
        summary=said[:1].upper() + said[1:],
        reason=sentences([*reasons, *taken]),
        remember=None if forbidden else _scope(tool, places, surroundings),
        scopes=() if forbidden else _scopes(tool, places, surroundings),
        binding={"paths": targets, "work_dir": str(surroundings.work_dir)} | ({"taken": taken} if taken else {}),
        forbidden=forbidden,
        concerns=tuple(concerns),
        guarded=any(place.guarded for place in places),
    )


DENIED = "a rule denies it"
# The paths that may not exist yet, as (tool, position of the path among its arguments).
_CREATED = {("write_file", 0), ("move_file", 1)}
# An agent that may not read a file may not see it in the result of these tools either.
_READ_BY = ("list_dir", "search_files")


def denied_to(tool: str, surroundings: Surroundings) -> Denied:
    """The places that deny rules cover for `tool`."""
    asked = (tool, "read_file") if tool in _READ_BY else (tool,)
    return Denied(dict.fromkeys(rule for one in asked for rule in surroundings.denials(one)))


def _denied(tool: str, place: Place, denied: Denied) -> str | None:
    """Why a rule denies the place; None also when `permissions.decide` denies it by the target's text."""
    target = str(place.path)
    if any(rule.tool in (tool, "*") and reaches(rule, target) for rule in denied.rules):
        return None
    return denied.reason(place.path)


def taken_instead(assessment: Assessment) -> list[str]:
    """The notes about paths in place of which others with the same look were read."""
    return list(assessment.binding.get("taken", []))


class Omitted:
    """Collects what a call left out, by reason, for its notes."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def add(self, reason: str, name: object) -> None:
        """Add a name; `reason` is the text after "… left out: "."""
        self._names.setdefault(reason, []).append(shown(name))

    def notes(self) -> list[str]:
        """One note for each reason."""
        return [
            f"{listed(names)} {'is' if len(names) == 1 else 'are'} left out: {why}"
            for why, names in self._names.items()
        ]


def why(error: OSError | ToolError) -> str:
    """The message of an error, without the name of the file."""
    cause = error if isinstance(error, OSError) else error.__cause__
    return (isinstance(cause, OSError) and cause.strerror) or str(error)


def listed(names: Sequence[str]) -> str:
    """The first ten names, and how many more there are."""
    most = 10
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _scope(tool: str, places: Sequence[Place], surroundings: Surroundings) -> Scope | None:
    if any(place.always_asks or place.forbidden for place in places):
        return None
    if all(place.inside for place in places):
        folder = str(surroundings.work_dir)
        # Calls that can't be remembered (secrets, files that others run) are still asked about; a denial covers them.
        return Scope("beneath", folder, f"{tool} anywhere in {shown(folder)}")
    if len(places) > 1:
        return None  # a rule has one path, and this call has two
    path = str(places[0].path)
    return Scope("exact", path, f"{tool} on {shown(path)} only")


def _scopes(tool: str, places: Sequence[Place], surroundings: Surroundings) -> tuple[Scope, ...]:
    """What "always" may cover: this file, its folder, the work folder."""
    if any(place.always_asks or place.forbidden for place in places):
        return ()
    path, folder = places[0].path, surroundings.work_dir
    whole = Scope("beneath", str(folder), f"{tool} anywhere in {shown(folder)}", "work_folder")
    if len(places) > 1:  # a rule has one path, and this call has two
        return (whole,) if all(place.inside for place in places) else ()
    found = [Scope("exact", str(path), f"{tool} on {shown(path)} only", "exact")]
    if places[0].inside:
        if path.parent not in (folder, path) and is_beneath(path.parent, folder):
            found.append(Scope("beneath", str(path.parent), f"{tool} anywhere in {shown(path.parent)}", "folder"))
        found.append(whole)
    return tuple(found)


def braced(text: str, *, newlines: bool = True) -> str:
    return visible(text, newlines=newlines).replace("{", "{{").replace("}", "}}")


def bound(
    assessment: Assessment, display: str, *, summary: str = "", preview: Preview | None = None, **more: Any
) -> Assessment:
    """The assessment with more to show, and more that an approval is bound to."""
    return replace(
        assessment,
        display=assessment.display + display,
        summary=summary or assessment.summary,
        preview=preview,
        binding={**assessment.binding, **more},
    )


def warned(assessment: Assessment, concern: str) -> Assessment:
    """The assessment of a call that needs an approval every time, because of `concern`."""
    concerns = (*assessment.concerns, concern)
    return replace(assessment, risk="high", reason=sentences(concerns), remember=None, scopes=(), concerns=concerns)


async def in_thread(work: Callable[[threading.Event], T], *, cancelled: Callable[[], object] = lambda: None) -> T:
    """Run blocking `work` in a thread. On cancellation, set its event and wait until the thread has ended."""
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
    """The opened directory of `path`, and its name there. Raises: ToolError; an OSError inside becomes one."""
    if not path.name:
        raise ToolError(f"{shown(path)} is a directory")
    with opening.opened_folder(path.parent, create=create) as folder:
        try:
            yield folder, path.name
        except OSError as error:
            raise opening.refused(path, error) from error
