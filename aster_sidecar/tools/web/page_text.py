"""A page as a model reads it: HTML as Markdown, other text as it is, up to a limit."""

from __future__ import annotations

import asyncio
import subprocess
from typing import Any

from aster_sidecar.services.process_tree import finished
from aster_sidecar.text.safe_text import sized
from aster_sidecar.tools.base import Outcome
from aster_sidecar.tools.web import content, markdown_worker
from aster_sidecar.tools.web.fetching import Page
from aster_sidecar.tools.workers import worker

TEXT_BYTES = 64 * 1024


async def told(page: Page, markdown_s: float) -> Outcome:
    """A page as a model reads it."""
    value: dict[str, Any] = {"url": page.target.url, "status": page.status, "content_type": page.content_type}
    if page.redirect is not None:
        note = "it redirects to another site, which needs a separate call"
        return Outcome(value | {"redirects_to": page.redirect, "note": note})
    sort = content.sort(page.body, page.content_type, page.charset)
    if sort == "binary":
        size = sized(int(page.length)) if page.length and page.length.isdecimal() else "of unknown size"
        return Outcome(value | {"binary": True, "note": f"not text ({size}): not shown"})
    notes = [f"only the first {sized(len(page.body))} were read"] if page.cut else []
    text = content.decoded(page.body, page.charset or (content.declared(page.body) if sort == "html" else None))
    if sort == "html":
        markdown = await _markdown(text, markdown_s)
        if markdown is None:
            notes.append("the page could not be converted to Markdown: its plain text is returned")
        text = _bare(text) if markdown is None else markdown
    whole = text.encode("utf-8", "replace")
    kept = whole[:TEXT_BYTES].decode("utf-8", "ignore")
    if len(whole) > TEXT_BYTES:
        notes.append(f"only the first {sized(TEXT_BYTES)} of {sized(len(whole))} are returned")
    return Outcome(
        value | {"text": kept, "note": "; ".join(notes)}, truncated=bool(page.cut or len(whole) > TEXT_BYTES)
    )


async def _markdown(html: str, within_s: float) -> str | None:
    """The page as Markdown, converted in a child process; None when that takes too much time or memory.

    A malicious page keeps the HTML parser busy for minutes, and a thread can't be stopped.
    """
    argv, env = worker(markdown_worker)
    process, cancelled = await finished(
        asyncio.create_subprocess_exec(
            *argv,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    )
    try:
        if cancelled:
            raise asyncio.CancelledError
        async with asyncio.timeout(within_s):
            output, _ = await process.communicate(html.encode("utf-8", "replace"))
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return output.decode("utf-8", "replace") if process.returncode == 0 else None


def _bare(html: str) -> str:
    """A page without everything in angle brackets, in one pass, for pages that the parser can't handle."""
    first, *parts = html.split("<")
    return " ".join(filter(None, (first.strip(), *(part.partition(">")[2].strip() for part in parts))))
