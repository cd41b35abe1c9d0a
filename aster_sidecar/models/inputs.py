"""Which models take images and PDFs, as far as it is known without asking a server.

What is not known is tried: a refusal is understood and learned (`provider_errors`, `learned.py`). So a family is listed
as refusing only if all of its models refuse. Sources: the providers' documentation and lists of models, 2026-11.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import urlsplit

from aster_sidecar.models.catalog import ON_THIS_MACHINE, PROVIDERS, Provider

Kind = Literal["image", "pdf"]
KINDS: tuple[Kind, ...] = get_args(Kind)
LABEL = "[attached "
"""The beginning of the text with the name of a file, which stands before each file in a message."""
LACKED_AS: dict[Kind, str] = {"image": "images", "pdf": "files"}
"""Kind → the feature that a server lacks when it refuses the kind (see `chosen.LACKING`)."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """The kinds that a model is known to take, and those that it is known to refuse. Other kinds are tried."""

    takes: frozenset[Kind] = frozenset()
    refuses: frozenset[Kind] = frozenset()

    def but(self, kind: Kind, takes: bool | None) -> Inputs:
        """The same, with what is known about one kind replaced. None: keep it."""
        if takes is None:
            return self
        only = frozenset((kind,))
        if takes:
            return Inputs(self.takes | only, self.refuses - only)
        return Inputs(self.takes - only, self.refuses | only)


BOTH = Inputs(takes=frozenset(KINDS))


def _family(*patterns: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{'|'.join(patterns)})")


SEES = re.compile(
    r"(?<![a-z])(?:vision|vlm?|multimodal|omni)(?![a-z])"
    r"|llava|smolvlm|internvl|pixtral|moondream|minicpm-?[vo]"
)
"""Anywhere in a name: the model takes images."""
OWN_NAMES_BLIND = _family(
    r"gpt-3\.?5",
    r"gpt-4(?:-32k)?(?:-0\d{3})?$",
    r"gpt-4-(?:1106|0125)-preview",
    r"gpt-4-turbo-preview",
    r"o1-(?:mini|preview)",
    r"o3-mini",
    r"claude-(?:2|instant)",
    r"grok-(?:2(?!-image)|3)",
    r"moonshot-v1-(?:8k|32k|128k|auto)$",
    r"mistral-(?:tiny|saba)",
)
"""Models of one provider that take no images."""
OWN_NAMES_SEE = _family(
    r"(?:chatgpt|gpt)-4o(?!.*-(?:audio|realtime|search|transcribe|tts))",
    r"gpt-4\.[15]",
    r"gpt-4-turbo",
    r"gpt-[5-9](?!.*-spark)",
    r"o[134](?:-pro|-deep-research|-mini)?(?:-\d{4}-\d\d-\d\d)?$",
    r"o4-mini",
    r"codex-mini",
    r"computer-use",
    r"claude-[3-9]",
    r"claude-(?:opus|sonnet|haiku)-",
    r"gemini-(?!embedding)",
    r"grok-[4-9]",
    r"mistral-(?:medium|small)-(?:latest|25(?:0[3-9]|1\d)|2[6-9]\d\d)",
    r"magistral-(?:medium|small)-(?:latest|25(?:09|1\d)|2[6-9]\d\d)",
)
"""Models of one provider that take images."""
OPEN_BLIND = _family(
    r"gpt-oss",
    r"deepseek-(?:coder|llm|math|r1|v[23])",
    r"(?:meta-)?llama-?(?:2|3(?:\.[13])?)(?![\d.])",
    r"(?:meta-)?llama-?3\.2(?::|-)(?:1b|3b)",
    r"code-?llama",
    r"tinyllama",
    r"qwen-?(?:1\.5|2(?:\.5)?|3)(?![\d.])",
    r"qwq",
    r"mixtral",
    r"open-mixtral",
    r"(?:open-)?mistral-(?:7b|nemo)",
    r"(?:open-)?codestral",
    r"mathstral",
    r"mistral(?::|$)",
    r"mistral-large-2[34]\d\d",
    r"mistral-small-(?:2[34]\d\d|2501)",
    r"ministral-(?:3b|8b)-2410",
    r"devstral-(?:small|medium)-250[57]",
    r"kimi-k2(?![\d.])",
    r"glm-(?:4\.[5-7]|5|5\.[0-2])(?![\d.v])",
    r"minimax-m2",
    r"phi-?[1-4](?![\d])",
    r"gemma-?(?:2|3:1b|3:270m|3-1b|3-270m)(?![\d.])",
    r"gemma(?::|$)",
    r"codegemma",
    r"starcoder",
    r"granite(?!.*docling)",
    r"olmo(?!cr)",
    r"smollm",
)
"""Models with open weights that take no images; any server may offer them."""
OPEN_SEE = _family(
    r"gemma-?3(?!n)",
    r"gemma-?4",
    r"(?:meta-)?llama-?4",
    r"(?:meta-)?llama-?3\.2(?::|-)(?:11b|90b)",
    r"qwen-?3\.[56]",
    r"mistral-small-?3\.[1-9]",
    r"mistral-(?:small-4|large-(?:2512|3)|medium-3)",
    r"ministral-3(?:$|[:-])",
    r"devstral-small-2(?:$|[:-])",
    r"kimi-k2\.[5-9]",
    r"glm-4(?:\.\d)?v",
    r"glm-5v",
    r"deepseek-(?:ocr|flash)",
    r"molmo",
    r"paligemma",
)
"""Models with open weights that take images."""

PUBLIC = ("api.mistral.ai", "api.x.ai", "api.moonshot.ai", "api.moonshot.cn")
"""Hosts, besides the providers' own, at which a model has the name that its maker gave it.

Anywhere else, `gpt-3.5-turbo` may be the name that somebody gave to another model.
"""
OWN_HOSTS = frozenset(
    (*PUBLIC, *(urlsplit(p.default_url).hostname for p in PROVIDERS.values() if p.default_url and p.needs_key))
)
NO_PDF = ("api.deepseek.com", "api.groq.com", "api.mistral.ai", "api.moonshot.ai", "api.moonshot.cn", ".azure.com")
"""Ends of hosts whose chat completions accept text and images only. (Mistral accepts PDFs in another form.)"""
READS_PDF = frozenset(("api.openai.com", "api.anthropic.com", "generativelanguage.googleapis.com"))
"""Hosts that accept PDFs for models that take images: they send the model an image of each page."""
PARSES_PDF = frozenset(("openrouter.ai",))
"""Hosts that accept PDFs for every model: they send it the text, if it takes no PDF itself."""


def known(provider: Provider, model_name: str, base_url: str | None, *, speaks: str, server: str = "") -> Inputs:
    """What is known about a provider's model at an address (None: the provider's own).

    `speaks` is the protocol. `server`: ollama, lmstudio or llamacpp, if the address is known to be such a server.
    """
    host = urlsplit(base_url or provider.default_url or "").hostname or ""
    name = model_name.lower().rpartition("/")[2]
    chat_only = speaks == "chat" and ((server or provider.name) in ON_THIS_MACHINE or host.endswith(NO_PDF))
    return Inputs().but("image", sees(name, host)).but("pdf", False if chat_only else reads_pdf(name, host))


def sees(name: str, host: str) -> bool | None:
    """Whether a model takes images; None if it is not known. `name`: in lower case, without its maker's name."""
    own_names = host in OWN_HOSTS
    if SEES.search(name):
        return True
    if OPEN_BLIND.match(name) or (own_names and OWN_NAMES_BLIND.match(name)):
        return False
    return True if OPEN_SEE.match(name) or (own_names and OWN_NAMES_SEE.match(name)) else None


def reads_pdf(name: str, host: str) -> bool | None:
    """Whether a host accepts PDFs for a model; None if it is not known. `name` as for `sees`."""
    if host in PARSES_PDF:
        return True
    if host not in READS_PDF:
        return None
    image = sees(name, host)
    return image if image is False or OWN_NAMES_SEE.match(name) else None
