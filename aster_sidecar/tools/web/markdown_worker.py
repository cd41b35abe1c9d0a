"""What the child process of `page_text.py` runs. It imports nothing of ours: see `tools/workers.py`."""

from __future__ import annotations

import sys


def main() -> None:
    """Convert HTML on stdin to Markdown on stdout. Exits with 1 when that takes too much memory or depth."""
    limit_memory()
    sys.setrecursionlimit(20_000)
    try:
        title, text = converted(sys.stdin.buffer.read().decode("utf-8", "replace"))
    except (RecursionError, MemoryError):
        sys.exit(1)
    sys.stdout.buffer.write(with_title(title, text).encode("utf-8", "replace"))


def limit_memory() -> None:
    """Limit the memory of this process to 1 GiB, where the system supports it."""
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (1024**3, 1024**3))
    except (ImportError, ValueError, OSError):
        pass


def converted(html: str) -> tuple[str, str]:
    """The title of a page, and its Markdown without what is not for reading."""
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    soup = BeautifulSoup(html, "html.parser")
    for tag in soup.find_all(["script", "style", "noscript", "template", "svg", "iframe", "object", "canvas"]):
        tag.decompose()
    for image in soup.find_all("img"):
        if str(image.get("src", "")).startswith("data:"):
            image["src"] = ""
    title = soup.title.get_text(" ", strip=True) if soup.title else ""
    if soup.title:
        soup.title.decompose()
    return title, MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(soup).strip()


def with_title(title: str, text: str) -> str:
    """The Markdown with the title first, unless it begins with a heading, and without repeated empty lines."""
    lines: list[str] = []
    for line in [f"# {title}", "", *text.split("\n")] if title and not text.startswith("# ") else text.split("\n"):
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    return "\n".join(lines)
