"""Which calls of the browser's tools are risky, and which addresses they may open."""

from __future__ import annotations

from typing import Any

import pytest

from aster_sidecar.tools.base import ToolError
from aster_sidecar.tools.browser.calls import RISKS, destination, risk_of


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("browser_snapshot", {}, "low"),
        ("browser_snapshot", {"filename": "a.md"}, "medium"),
        ("browser_click", {"target": "e1"}, "medium"),
        ("browser_tabs", {"action": "list"}, "medium"),
        ("browser_tabs", {"action": "new", "url": "https://a.test"}, "high"),
        ("browser_navigate", {"url": "https://a.test"}, "high"),
        ("browser_evaluate", {"function": "() => 1", "filename": "a"}, "high"),
    ],
)
def test_the_risk_of_a_call(tool: str, arguments: dict[str, Any], expected: str) -> None:
    assert risk_of(tool, arguments) == expected


@pytest.mark.parametrize("tool", ["browser_run_code_unsafe", "browser_cookie_list", "browser_route"])
def test_tools_that_are_not_listed_are_not_called(tool: str) -> None:
    assert tool not in RISKS
    with pytest.raises(ToolError, match="not one of the browser's tools"):
        risk_of(tool, {})


def test_a_call_that_opens_an_address_names_its_origin() -> None:
    target = destination("browser_navigate", {"url": "HTTPS://A.test./b?c"})
    assert target is not None
    assert target.origin == "https://a.test:443"
    assert destination("browser_tabs", {"action": "new", "url": "http://a.test"}) is not None
    for arguments in ({"action": "list"}, {"action": "new", "url": "about:blank"}):
        assert destination("browser_tabs", arguments) is None
    assert destination("browser_click", {"target": "e1"}) is None


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "view-source:file:///etc/passwd", "View-Source:http://a.test", "chrome://settings", ""),
        *("javascript:alert(1)", "data:text/html,a", "blob:http://a.test/1", "devtools://devtools", " http://a.test"),
        *(
            "filesystem:file:///a",
            "localhost:3000",
            "a.test",
            "http://me:pass@a.test",
            "http://2130706433/",
            "//a.test",
        ),
        *("about:config", "http:/\\a.test", "ws://a.test", 1, ["http://a.test"]),
    ],
)
@pytest.mark.parametrize("tool", ["browser_navigate", "browser_tabs"])
def test_other_addresses_are_refused(tool: str, url: Any) -> None:
    with pytest.raises(ToolError):
        destination(tool, {"action": "new", "url": url})
