"""The tools of the browser that an agent may call, the risk of each, and the addresses that they may open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aster_sidecar.policy.permissions import Risk
from aster_sidecar.text.safe_text import shown
from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.web.urls import Target, parse

RISKS: Mapping[str, Risk] = {
    # These read what is open already.
    "browser_snapshot": "low",
    "browser_find": "low",
    "browser_take_screenshot": "low",
    "browser_console_messages": "low",
    "browser_network_requests": "low",
    "browser_wait_for": "low",
    "browser_resize": "low",
    "browser_emulate_media": "low",
    "browser_close": "low",
    # This one shows cookies and other headers.
    "browser_network_request": "medium",
    # These act in a page that is open, with the logins of the profile.
    "browser_navigate_back": "medium",
    "browser_click": "medium",
    "browser_hover": "medium",
    "browser_drag": "medium",
    "browser_type": "medium",
    "browser_press_key": "medium",
    "browser_fill_form": "medium",
    "browser_select_option": "medium",
    "browser_handle_dialog": "medium",
    "browser_tabs": "medium",
    # Like fetch_url: an address can carry data away, and a page can hold instructions.
    "browser_navigate": "high",
    # These run a program in the page, or give files to it.
    "browser_evaluate": "high",
    "browser_file_upload": "high",
    "browser_drop": "high",
}
"""All tools of `@playwright/mcp` without further capabilities (version: `programs.VERSION`), except for one:
`browser_run_code_unsafe` runs a program in the server itself, outside of the browser's sandbox and past the proxy.
"""


def risk_of(tool: str, arguments: Mapping[str, Any]) -> Risk:
    """The risk of a call. Raises: ToolError for a tool that is not in `RISKS`."""
    risk = RISKS.get(tool)
    if risk is None:
        raise ToolError(f"{shown(tool)} is not one of the browser's tools")
    if tool == "browser_tabs" and arguments.get("url") is not None:
        return RISKS["browser_navigate"]
    if risk == "low" and arguments.get("filename") is not None:
        return "medium"  # it may replace a file in the output directory
    return risk


def destination(tool: str, arguments: Mapping[str, Any]) -> Target | None:
    """Where a call goes to; None when it opens no address. Raises: ToolError for all but http and https.

    The server itself refuses `file:` only. `view-source:file:///…` shows any file, and `chrome:` pages are settings.
    """
    url = arguments.get("url")
    if tool not in ("browser_navigate", "browser_tabs") or url is None or url == "about:blank":
        return None
    if not isinstance(url, str):
        raise ToolError("url is not a text")
    return parse(url)
