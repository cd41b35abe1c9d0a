"""Times in Chromium: the first paint, when the page takes a key, and which frames it drops while an answer comes.

The floor is a page of twenty lines that the floor's server serves: a text box, and an element to which text is
appended.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
BOX = "textarea[aria-label=Message]"
FRAME_MS = 1000 / 60

WATCH = """
(() => {
  const seen = { box: null, gaps: [], keys: [] };
  window.__seen = seen;
  const look = () => {
    const box = document.querySelector("textarea[aria-label=Message]");
    if (box && !box.disabled) seen.box = performance.now();
    else requestAnimationFrame(look);
  };
  look();
  let last = null;
  const frame = (now) => {
    if (last !== null) seen.gaps.push(now - last);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  addEventListener("keydown", ({ timeStamp }) => {
    requestAnimationFrame(() => seen.keys.push(performance.now() - timeStamp));
  }, true);
})()
"""
"""Records when the box is ready, the time between frames, and how long each key waits for the next frame."""


@dataclass(frozen=True)
class Load:
    """One load of the page, in ms after it began."""

    paint_ms: float
    ready_ms: float


@dataclass(frozen=True)
class Burst:
    """The frames while an answer came in. `dropped` of the `frames` that were due were not drawn."""

    frames: int
    dropped: int
    longest_ms: float
    seconds: float


@dataclass(frozen=True)
class Growth:
    """While one large block grew: the longest frame, and the longest time from a key to its frame."""

    longest_ms: float
    key_ms: float


def chromium_path() -> str | None:
    return shutil.which("chromium")


def with_browser(path: str, work: Callable[[Browser], Any]) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=ARGUMENTS)
        try:
            work(browser)
        finally:
            browser.close()


def until(page: Page, what: str) -> Any:
    """Ask until it is true. Playwright's own waiting runs a script that the page's policy (CSP) refuses."""
    deadline = time.perf_counter() + 120
    while not (found := page.evaluate(what)):
        if time.perf_counter() > deadline:
            raise SystemExit(f"the page never said: {what}")
        time.sleep(0.01)
    return found


def load(browser: Browser, url: str) -> Load:
    """Open the page in a new browser context, without a cache."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(f"localStorage.setItem('aster.welcomed', 'yes');{WATCH}")
    page = context.new_page()
    page.goto(url)
    ready_ms = until(page, "window.__seen.box")
    paint_ms = until(page, "performance.getEntriesByName('first-contentful-paint')[0]?.startTime")
    # The page is ready when it accepts typed text, not when it looks ready.
    began = time.perf_counter()
    page.press(BOX, "x")
    until(page, f"document.querySelector('{BOX}').value === 'x'")
    took_ms = (time.perf_counter() - began) * 1000
    context.close()
    return Load(paint_ms, ready_ms + took_ms)


def burst(browser: Browser, url: str, tokens: int) -> Burst:
    """An answer of `tokens` tokens as fast as they come, watched frame by frame until it is complete."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(f"localStorage.setItem('aster.welcomed', 'yes');{WATCH}")
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(BOX)
    page.wait_for_timeout(3000)  # the daemon imports in this time what a first turn needs
    page.fill(BOX, f"bench {tokens} 0")
    page.evaluate("window.__seen.gaps.length = 0")
    began = time.perf_counter()
    page.press(BOX, "Enter")
    until(page, "document.querySelector('article[aria-label=Assistant][aria-busy=false], #done') !== null")
    seconds = time.perf_counter() - began
    page.wait_for_timeout(200)
    gaps: list[float] = page.evaluate("window.__seen.gaps")
    shown = page.evaluate("document.querySelector('article[aria-label=Assistant], #log').textContent")
    context.close()
    # Our page shows only the first part of such a long paragraph, and says how long it is.
    assert shown.count(" ") >= tokens - 1 or " characters." in shown[-200:], shown[-200:]
    dropped = sum(max(0, round(gap / FRAME_MS) - 1) for gap in gaps)
    return Burst(len(gaps) + dropped, dropped, max(gaps), seconds)


def growth(browser: Browser, url: str, shape: str) -> Growth:
    """An answer that is one large block, while keys are typed."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(f"localStorage.setItem('aster.welcomed', 'yes');{WATCH}")
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector(BOX)
    page.wait_for_timeout(3000)
    page.fill(BOX, f"bench {shape}")
    page.press(BOX, "Enter")
    until(page, "document.querySelector('article[aria-label=Assistant], #log')?.textContent.length > 200")
    page.fill(BOX, "")
    page.evaluate("window.__seen.gaps.length = window.__seen.keys.length = 0")
    ended = "document.querySelector('article[aria-label=Assistant][aria-busy=false], #done') !== null"
    while not page.evaluate(ended):
        page.keyboard.press("x")
        time.sleep(0.1)
    page.wait_for_timeout(500)
    gaps, keys = page.evaluate("[window.__seen.gaps, window.__seen.keys]")
    context.close()
    return Growth(max(gaps), max(keys))
