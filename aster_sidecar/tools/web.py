"""The tool that reads a page from the public internet, and can't be directed to this machine or its own network.

A name is resolved once for each request, all its addresses must be public, and the connection goes to one of these
addresses, so that a later answer of the name server changes nothing. Redirects stay on the origin that was allowed.
"""

from __future__ import annotations

import asyncio
import codecs
import ipaddress
import re
import socket
import ssl
import subprocess
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from pydantic import BaseModel, ConfigDict, Field

from aster_sidecar.policy.permissions import Assessment, Scope
from aster_sidecar.services.process_tree import finished
from aster_sidecar.text.repair import cut
from aster_sidecar.text.safe_text import BRIEF_CHARS, shown, sized
from aster_sidecar.tools.base import CallContext, Outcome, RuleTarget, Surroundings, Tool, ToolError
from aster_sidecar.tools.paths import Text
from aster_sidecar.tools.workers import worker

if TYPE_CHECKING:
    import httpx

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

BODY_BYTES = 2 * 1024 * 1024
TEXT_BYTES = 64 * 1024
REDIRECTS = 5
ADDRESSES = 4  # tried in turn
TOTAL_S = 30.0
CONNECT_S = 10.0
MARKDOWN_S = 10.0

# What older versions of `ipaddress` take for global. Source: RFC 6890 and the IANA special-purpose registries.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "3fff::/20", "2002::/16")
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_TEXT_TYPES = (
    r"text/.*|application/((x-)?(json|ndjson|yaml|toml|xml|javascript|sh|tex)|ecmascript|sql|graphql|rtf)"
    r"|(application|image|model|message)/.*\+(json|xml|yaml)"
)
_HTML_TYPES = frozenset(("text/html", "application/xhtml+xml"))
# Only these: some of Python's codecs take quadratic time, or produce something other than text.
_CHARSETS = (
    r"utf[-_]?(8|16|32)([-_]?(le|be|sig))?|ascii|iso8859-\d+|cp125\d|cp(437|85\d|866|874|932|949|950)|koi8-[rtu]"
    r"|mac-roman|gb2312|gbk|gb18030|big5(hkscs)?|euc_(jp|kr|jis_2004)|shift_jis|iso2022_jp|johab|tis-620"
)


def is_public(address: Address) -> bool:
    """Whether `address` is on the public internet; an IPv4 address within an IPv6 address is checked too."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _GLOBAL_UNICAST or (int(address) >> 32) & 0xFDFFFFFF == 0x5EFE:  # ISATAP, RFC 5214
            return False
    if any(address.version == net.version and address in net for net in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def is_elsewhere(address: Address) -> bool:
    """Whether `address` is public, and neither this machine's nor one in a network that it is connected to.

    With IPv6 those have public addresses, and only a router's firewall protects them.
    """
    import psutil

    if not is_public(address):
        return False
    for cards in psutil.net_if_addrs().values():
        for card in cards:
            if card.family not in (socket.AF_INET, socket.AF_INET6):
                continue
            try:
                own = ipaddress.ip_interface(f"{card.address.split('%')[0]}/{_prefix(card.netmask)}")
            except ValueError:
                continue
            # A tunnel whose network is the whole internet does not count.
            wide = own.network.prefixlen < (8 if own.version == 4 else 32)
            if address == own.ip or (not wide and address in own.network):
                return False
    return True


def _prefix(netmask: str | None) -> int:
    mask = ipaddress.ip_address(netmask or "255.255.255.255")
    return int(mask).bit_count()


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of `host`, from the system's resolver. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def trusted() -> ssl.SSLContext:
    """The system's certificates, and certifi's, which a packaged build contains."""
    import certifi

    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class FetchUrl(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)

    url: Text = Field(min_length=1, max_length=8000, description="http or https address on the public internet.")
    max_bytes: int = Field(
        default=BODY_BYTES, ge=1, le=BODY_BYTES, description="How much of the answer to read at most."
    )


@dataclass(frozen=True, slots=True)
class Target:
    """A URL, parsed once, so that the same is checked, shown and requested."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> str:
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"

    @property
    def authority(self) -> str:
        usual = self.port == (443 if self.scheme == "https" else 80)
        return _bracketed(self.host) + ("" if usual else f":{self.port}")

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def at(self, address: Address) -> str:
        """The URL with the address in place of the name."""
        return f"{self.scheme}://{_bracketed(str(address))}:{self.port}{self.path}"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def rule_value(asked: RuleTarget, surroundings: Surroundings) -> str:
    """The origin that a rule for addresses covers. Raises: ToolError."""
    target = parse(asked.value)
    if asked.kind == "beneath" or target.path not in ("", "/"):
        raise ToolError(f"a rule for fetch_url is exact and names an origin, such as {target.origin}, without a path")
    return target.origin


def parse(url: str) -> Target:
    """Parse `url`; the host becomes lower-case ASCII. Raises: ToolError for all but plain http and https."""
    import httpx

    if re.search(r"[\x00-\x20\x7f\\]", url):
        raise ToolError("a URL has no spaces, control characters or backslashes")
    try:
        parsed = httpx.URL(url)
        host = parsed.raw_host.decode("ascii").lower().strip("[]")
        port = parsed.port
        path = parsed.raw_path.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise ToolError(f"not a URL: {error}") from error
    if parsed.scheme not in ("http", "https"):
        raise ToolError("only http and https are fetched")
    authority = re.match(r"[a-z]+://([^/?#]*)", url, re.IGNORECASE)
    if authority is None:
        raise ToolError("not a URL: it has to begin with https:// or http://")
    if "@" in authority[1] or parsed.userinfo:
        raise ToolError("a URL with a user name or password is not fetched")
    host = host.removesuffix(".")
    if not re.fullmatch(r"[a-z0-9._-]+|[0-9a-f:.]*:[0-9a-f:.]*", host):
        raise ToolError(f"{shown(host)} is not a host name")
    if port is not None and not 0 < port < 65536:
        raise ToolError(f"there is no port {port}")
    return Target(parsed.scheme, _literal(host), port or (443 if parsed.scheme == "https" else 80), path or "/")


def _literal(host: str) -> str:
    """An IP address in its usual form; names unchanged. Raises: ToolError for decimal, octal and short forms."""
    if ":" in host or re.fullmatch(r"(0x[0-9a-f]*|\d+)", host.rpartition(".")[2]):
        try:
            return str(ipaddress.ip_address(host))
        except ValueError as error:
            raise ToolError(f"{shown(host)} is not an address in its usual form (four decimal numbers)") from error
    return host


@dataclass(frozen=True, slots=True)
class Page:
    """An answer; `cut`: whether `body` was cut at the limit."""

    target: Target
    status: int
    content_type: str
    charset: str | None
    body: bytes
    cut: bool
    length: str | None = None
    redirect: str | None = None


@dataclass(frozen=True)
class Fetcher:
    """Fetches pages. `resolve` finds a host's addresses; `allow_address` decides which ones may be connected to.

    `tls` makes the context with the trusted certificates, `total_s` limits a whole fetch with its redirects, and
    `markdown_s` the conversion. The defaults are strict; other values are for tests.
    """

    resolve: Callable[[str, int], Awaitable[Sequence[str]]] = resolve
    allow_address: Callable[[Address], bool] = is_elsewhere
    tls: Callable[[], ssl.SSLContext] = trusted
    total_s: float = TOTAL_S
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
        self._refuse_literal(target)
        return Assessment(
            risk="high",
            target=target.origin,
            summary=f"Fetch {cut(shown(target.url), BRIEF_CHARS)}",
            display=f"fetch {shown(target.url)}",
            reason="The address can carry your data to that site, and the page may hold instructions meant to mislead"
            " the agent.",
            remember=Scope("exact", target.origin, f"fetch_url from {target.scheme}://{target.authority} only"),
            binding={"url": target.url, "origin": target.origin},
        )

    def _refuse_literal(self, target: Target) -> None:
        local = target.host == "localhost" or target.host.endswith((".localhost", ".local", ".internal"))
        try:
            refused = not self.allow_address(ipaddress.ip_address(target.host))
        except ValueError:
            refused = local and self.allow_address is is_elsewhere
        if refused:
            raise ToolError(
                f"{shown(target.host)} is not on the public internet; for a local server use run_command with curl"
            )

    async def run(self, arguments: FetchUrl, assessment: Assessment, ctx: CallContext) -> Outcome:
        try:
            async with asyncio.timeout(self.total_s):
                page = await self.fetch(parse(arguments.url), arguments.max_bytes)
        except TimeoutError as error:
            raise ToolError(f"no complete answer within {self.total_s:g} s") from error
        return await _told(page, self.markdown_s)

    async def fetch(self, target: Target, max_bytes: int) -> Page:
        """Request `target`, following redirects on its origin. Raises: ToolError."""
        for _ in range(REDIRECTS + 1):
            page = await self._request(target, max_bytes)
            if page.redirect is None:
                return page
            following = parse(page.redirect)
            if following.origin != target.origin:
                return page
            target = following
        raise ToolError(f"more than {REDIRECTS} redirects, the last one to {shown(target.url)}")

    async def _addresses(self, target: Target) -> list[Address]:
        try:
            found = [ipaddress.ip_address(one.split("%")[0]) for one in await self.resolve(target.host, target.port)]
        except (OSError, ValueError) as error:
            raise ToolError(f"{shown(target.host)} has no address: {error}") from error
        # A private address among public ones is an attack on this machine or its network.
        if not found or not all(self.allow_address(address) for address in found):
            raise ToolError(f"{shown(target.host)} has addresses outside the public internet: not fetched")
        return found[:ADDRESSES]

    async def _request(self, target: Target, max_bytes: int) -> Page:
        import httpx

        secure = target.scheme == "https"
        context = await asyncio.to_thread(self.tls) if secure else False
        addresses = await self._addresses(target)
        timeout = httpx.Timeout(self.total_s, connect=CONNECT_S)
        async with httpx.AsyncClient(verify=context, trust_env=False, timeout=timeout) as client:
            for tried, address in enumerate(addresses, 1):
                request = client.build_request("GET", target.at(address), headers=_headers(target))
                if secure:
                    request.extensions = {**request.extensions, "sni_hostname": target.host}
                try:
                    response = await client.send(request, stream=True)
                except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                    if tried < len(addresses):
                        continue
                    raise ToolError(f"{target.origin}: no connection: {error}") from error
                except httpx.HTTPError as error:
                    raise ToolError(f"{target.origin}: {error or type(error).__name__}") from error
                try:
                    return await _read(target, response, max_bytes)
                except httpx.HTTPError as error:
                    raise ToolError(f"{target.origin}: {error or type(error).__name__}") from error
                finally:
                    await response.aclose()
        raise AssertionError("unreachable: _addresses gives at least one")


def _headers(target: Target) -> dict[str, str]:
    return {
        "Host": target.authority,
        "User-Agent": "aster-sidecar",
        "Accept": "text/html,application/xhtml+xml,text/markdown,text/plain,application/json;q=0.9,*/*;q=0.5",
        "Accept-Encoding": "gzip",
    }


async def _read(target: Target, response: httpx.Response, max_bytes: int) -> Page:
    """The answer to one request, with at most `max_bytes` of its unpacked body."""
    kind, _, parameters = response.headers.get("content-type", "").partition(";")
    charset = re.search(r"charset\s*=\s*[\"']?([\w.:-]+)", parameters, re.IGNORECASE)
    location = response.headers.get("location")
    redirect = urljoin(target.url, location) if location and response.status_code in (301, 302, 303, 307, 308) else None
    body = _Body(response.headers.get("content-encoding", ""), max_bytes)
    kind = kind.strip().lower()
    if redirect is None and _readable(kind):
        async for chunk in response.aiter_raw(65536):
            if not body.add(chunk):
                break
    return Page(
        target=target,
        status=response.status_code,
        content_type=kind,
        charset=charset.group(1) if charset else None,
        body=bytes(body.data),
        cut=body.cut,
        length=response.headers.get("content-length"),
        redirect=redirect,
    )


@dataclass(slots=True)
class _Body:
    """A body that is unpacked up to a limit, whatever its compression."""

    encoding: str
    limit: int
    data: bytearray = field(default_factory=bytearray)
    cut: bool = False
    _unpack: Any = None

    def __post_init__(self) -> None:
        if self.encoding.strip().lower() in ("gzip", "x-gzip", "deflate"):
            self._unpack = zlib.decompressobj(wbits=47)  # gzip or zlib, recognized by the first bytes
        elif self.encoding.strip().lower() not in ("", "identity"):
            raise ToolError(f"the answer has the content encoding {shown(self.encoding)}, which was not requested")

    def add(self, chunk: bytes) -> bool:
        """Add a chunk; False when the limit is reached."""
        room = self.limit - len(self.data)
        if self._unpack is not None:
            try:
                chunk = self._unpack.decompress(chunk, room + 1)
            except zlib.error as error:
                raise ToolError("the compressed answer is damaged") from error
        self.data += chunk[:room]
        self.cut = len(chunk) > room
        return not self.cut


async def _told(page: Page, markdown_s: float) -> Outcome:
    """A page as a model reads it."""
    value: dict[str, Any] = {"url": page.target.url, "status": page.status, "content_type": page.content_type}
    if page.redirect is not None:
        note = "it redirects to another site, which needs a separate call"
        return Outcome(value | {"redirects_to": page.redirect, "note": note})
    sort = _sort(page)
    if sort == "binary":
        size = sized(int(page.length)) if page.length and page.length.isdecimal() else "of unknown size"
        return Outcome(value | {"binary": True, "note": f"not text ({size}): not shown"})
    notes = [f"only the first {sized(len(page.body))} were read"] if page.cut else []
    text = _decoded(page.body, page.charset or (_declared(page.body) if sort == "html" else None))
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


def _readable(content_type: str) -> bool:
    return content_type in ("", *_HTML_TYPES) or re.fullmatch(_TEXT_TYPES, content_type) is not None


def _sort(page: Page) -> str:
    start = page.body[:1024]
    wide = start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or "16" in (page.charset or "")
    if page.content_type in _HTML_TYPES:
        return "html"
    if not _readable(page.content_type) or (b"\0" in start and not wide):
        return "binary"
    looks_html = re.match(rb"\s*<(!doctype html|html)", start, re.IGNORECASE)
    return "html" if not page.content_type and looks_html else "text"


def _declared(body: bytes) -> str | None:
    found = re.search(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]+)", body[:4096], re.IGNORECASE)
    return found.group(1).decode() if found else None


def _decoded(body: bytes, charset: str | None) -> str:
    for mark, name in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if body.startswith(mark):
            charset = name
    try:
        name = codecs.lookup(charset or "utf-8").name
    except LookupError:
        name = "utf-8"
    return body.decode(name if re.fullmatch(_CHARSETS, name) else "utf-8", "replace")


async def _markdown(html: str, within_s: float) -> str | None:
    """The page as Markdown, converted in a child process; None when that takes too much time or memory.

    A malicious page keeps the HTML parser busy for minutes, and a thread can't be stopped.
    """
    argv, env = worker(to_markdown)
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


def to_markdown() -> None:
    """Convert HTML on stdin to Markdown on stdout. It runs in a child process; see `workers.worker`."""
    import sys

    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (1024**3, 1024**3))
    except (ImportError, ValueError, OSError):
        pass
    from bs4 import BeautifulSoup
    from markdownify import MarkdownConverter

    sys.setrecursionlimit(20_000)
    try:
        soup = BeautifulSoup(sys.stdin.buffer.read().decode("utf-8", "replace"), "html.parser")
        for tag in soup.find_all(["script", "style", "noscript", "template", "svg", "iframe", "object", "canvas"]):
            tag.decompose()
        for image in soup.find_all("img"):
            if str(image.get("src", "")).startswith("data:"):
                image["src"] = ""
        title = soup.title.get_text(" ", strip=True) if soup.title else ""
        if soup.title:
            soup.title.decompose()
        text = MarkdownConverter(heading_style="ATX", bullets="-").convert_soup(soup).strip()
    except (RecursionError, MemoryError):
        sys.exit(1)
    lines: list[str] = []
    for line in [f"# {title}", "", *text.split("\n")] if title and not text.startswith("# ") else text.split("\n"):
        if line.strip() or (lines and lines[-1]):
            lines.append(line.rstrip())
    sys.stdout.buffer.write("\n".join(lines).encode("utf-8", "replace"))


def _bare(html: str) -> str:
    """A page without everything in angle brackets, in one pass, for pages that the parser can't handle."""
    first, *parts = html.split("<")
    return " ".join(filter(None, (first.strip(), *(part.partition(">")[2].strip() for part in parts))))


TOOLS: tuple[Tool[Any], ...] = (Fetcher().tool(),)
