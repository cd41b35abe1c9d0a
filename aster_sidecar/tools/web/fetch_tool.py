"""The tool `fetch_url`: what a fetch is asked for as, and what its rules cover."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from aster_sidecar.policy.permissions import Assessment, Scope
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import BRIEF_CHARS, shown
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.paths import Text
from aster_sidecar.tools.web.fetching import Fetcher
from aster_sidecar.tools.web.page_text import told
from aster_sidecar.tools.web.urls import parse

BODY_BYTES = 2 * 1024 * 1024
MARKDOWN_S = 10.0


class FetchUrl(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    url: Text = Field(min_length=1, max_length=8000, description="http or https address on the public internet.")
    max_bytes: int = Field(
        default=BODY_BYTES, ge=1, le=BODY_BYTES, description="How much of the answer to read at most."
    )


def rule_value(asked: RuleTarget, surroundings: Surroundings) -> str:
    """The origin, or pattern of origins, that a rule for addresses covers. Raises: ToolError."""
    if asked.kind == "glob":
        found = re.fullmatch(r"(https?)://[a-z0-9.*-]+(:[0-9]+)?/?", asked.value.lower())
        if found is None:
            raise ToolError("a pattern of origins is a scheme and a host, such as https://*.example.com")
        port = "" if found[2] else ":443" if found[1] == "https" else ":80"  # as in `Target.origin`
        return asked.value.lower().rstrip("/") + port
    target = parse(asked.value)
    if asked.kind != "exact" or target.path not in ("", "/"):
        raise ToolError(f"a rule for fetch_url is exact and names an origin, such as {target.origin}, without a path")
    return target.origin


@dataclass(frozen=True)
class FetchTool:
    """Fetches pages with `fetcher`; the conversion to Markdown may take `markdown_s`."""

    fetcher: Fetcher = field(default_factory=Fetcher)
    markdown_s: float = MARKDOWN_S

    def tool(self) -> Tool[FetchUrl]:
        return Tool(
            "fetch_url",
            "Read a page from the public internet; HTML comes as Markdown. Not for localhost or private networks, "
            "and a redirect to another site is reported, not followed.",
            FetchUrl,
            "high",
            self.assess,
            self.run,
            rule_value,
        )

    def assess(self, arguments: FetchUrl, surroundings: Surroundings) -> Assessment:
        target = parse(arguments.url)
        self.fetcher.refuse_literal(target)
        words = f"fetch_url from {target.scheme}://{target.authority} only"
        return Assessment(
            risk="high",
            target=target.origin,
            summary=f"Fetch {cut(shown(target.url), BRIEF_CHARS)}",
            display=f"fetch {shown(target.url)}",
            reason="The address can carry your data to that site, and the page may hold instructions meant to mislead"
            " the agent.",
            remember=Scope("exact", target.origin, words),
            scopes=(Scope("exact", target.origin, words, "exact"),),
            binding={"url": target.url, "origin": target.origin},
        )

    async def run(self, arguments: FetchUrl, assessment: Assessment, ctx: CallContext) -> Outcome:
        page = await self.fetcher.fetch(parse(arguments.url), arguments.max_bytes)
        return await told(page, self.markdown_s)


TOOLS: tuple[Tool[Any], ...] = (FetchTool().tool(),)
