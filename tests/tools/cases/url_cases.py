"""Addresses for `fetch_url`: whether they are asked about, never fetched, or refused where the name leads, and why."""

from __future__ import annotations

from typing import Literal, NamedTuple


class UrlCase(NamedTuple):
    """`decided` "ask": a person decides; "refused": it is never fetched. `why` is a part of the reason."""

    url: str
    decided: Literal["ask", "refused"]
    why: str


_SITE = "The address can carry your data to that site"
_FORM = "is not an address in its usual form"
_HOST = "is not a host name"
_SCHEME = "only http and https are fetched"
_USER = "user name or password"
_INVALID = "no spaces, control characters or backslashes"
_OWN = "is not on the public internet"

CASES = (
    UrlCase("https://example.org/", "ask", _SITE),
    UrlCase("http://example.org", "ask", _SITE),
    UrlCase("HTTPS://EXAMPLE.ORG/A", "ask", _SITE),
    UrlCase("https://example.org.:443/", "ask", _SITE),
    UrlCase("https://example.org:8443/?q=a@b", "ask", _SITE),
    UrlCase("https://example.org/@x:y", "ask", _SITE),
    UrlCase("https://example.org/#@127.0.0.1", "ask", _SITE),
    UrlCase("https://b\u00fccher.example/", "ask", _SITE),
    UrlCase("https://xn--bcher-kva.example/", "ask", _SITE),
    UrlCase("https://a_b.example.org/", "ask", _SITE),
    UrlCase("http://1.1.1.1/", "ask", _SITE),
    UrlCase("http://1.1.1.1./", "ask", _SITE),
    UrlCase("http://[2606:4700::1111]/", "ask", _SITE),
    UrlCase("http://[64:ff9b::1.1.1.1]/", "ask", _SITE),
    UrlCase("http://[::ffff:8.8.8.8]/", "ask", _SITE),
    UrlCase("https://127.0.0.1.example.org/", "ask", _SITE),  # where the name leads is checked later
    UrlCase("https://127.0.0.1.nip.io/", "ask", _SITE),
    UrlCase("https://example.org/%2e%2e/%00", "ask", _SITE),
    # schemes and forms
    UrlCase("ftp://example.org/", "refused", _SCHEME),
    UrlCase("file:///etc/passwd", "refused", _SCHEME),
    UrlCase("gopher://127.0.0.1:6379/_x", "refused", _SCHEME),
    UrlCase("javascript:alert(1)", "refused", _SCHEME),
    UrlCase("data:text/html,x", "refused", _SCHEME),
    UrlCase("ws://example.org/", "refused", _SCHEME),
    UrlCase("example.org", "refused", _SCHEME),
    UrlCase("//example.org/", "refused", _SCHEME),
    UrlCase("http:example.org", "refused", "begin with https:// or http://"),
    UrlCase("http:/example.org", "refused", "begin with https:// or http://"),
    UrlCase("http:///example.org", "refused", _HOST),
    UrlCase("http://", "refused", _HOST),
    UrlCase("", "refused", "at least 1 character"),
    UrlCase("http://example.org:0/", "refused", "there is no port"),
    UrlCase("http://example.org:65536/", "refused", "there is no port"),
    UrlCase("http://example.org:-1/", "refused", "there is no port"),
    UrlCase("http://example.org:8o/", "refused", "Invalid port"),
    UrlCase(" http://example.org/", "refused", _INVALID),
    UrlCase("http://example.org/a b", "refused", _INVALID),
    UrlCase("http://example.org/\tx", "refused", _INVALID),
    UrlCase("http://example.org/\r\nX: y", "refused", _INVALID),
    UrlCase("http://example.org\\@127.0.0.1/", "refused", _INVALID),
    UrlCase("http:\\\\example.org", "refused", _INVALID),
    # user names and passwords
    UrlCase("http://user@example.org/", "refused", _USER),
    UrlCase("http://user:pass@example.org/", "refused", _USER),
    UrlCase("http://@example.org/", "refused", _USER),
    UrlCase("http://example.org@127.0.0.1/", "refused", _USER),
    UrlCase("http://a@b@example.org/", "refused", _USER),
    UrlCase("http://example.org%2f@127.0.0.1/", "refused", _USER),
    UrlCase("http://example.org:80@127.0.0.1/", "refused", _USER),
    # names that are addresses in another form
    UrlCase("http://2130706433/", "refused", _FORM),
    UrlCase("http://0x7f000001/", "refused", _FORM),
    UrlCase("http://017700000001/", "refused", _FORM),
    UrlCase("http://0177.0.0.1/", "refused", "not a URL"),
    UrlCase("http://0x7f.0.0.1/", "refused", _FORM),
    UrlCase("http://127.1/", "refused", _FORM),
    UrlCase("http://127.0.1/", "refused", _FORM),
    UrlCase("http://0/", "refused", _FORM),
    UrlCase("http://1.1.1.1.1/", "refused", _FORM),
    UrlCase("http://1.1.1.256/", "refused", "not a URL"),
    UrlCase("http://01.1.1.1/", "refused", "not a URL"),
    UrlCase("http://127.0.0.1%00.example.org/", "refused", _HOST),
    UrlCase("http://%31%32%37.0.0.1/", "refused", _HOST),
    UrlCase("http://\uff11\uff12\uff17.0.0.1/", "refused", "Invalid IDNA hostname"),
    UrlCase("http://127\u30020\u30020\u30021/", "refused", _OWN),
    UrlCase("http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/", "refused", "Invalid IDNA hostname"),
    UrlCase("http://exa\u202emple.org/", "refused", "Invalid IDNA hostname"),
    UrlCase("http://\u200b/", "refused", "Invalid IDNA hostname"),
    UrlCase("http://[::1%25eth0]/", "refused", _HOST),
    UrlCase("http://[fe80::1%eth0]/", "refused", _HOST),
    UrlCase("http://[1.1.1.1]/", "refused", "Invalid IPv6 address"),
    UrlCase("http://[v1.x]/", "refused", "Invalid IPv6 address"),
    UrlCase("http://[::1/", "refused", "Invalid port"),
    UrlCase("http://exa!mple.org/", "refused", _HOST),
    # this machine and its networks
    UrlCase("http://127.0.0.1/", "refused", _OWN),
    UrlCase("http://127.0.0.1./", "refused", _OWN),
    UrlCase("http://127.255.255.254:80/", "refused", _OWN),
    UrlCase("http://0.0.0.0/", "refused", _OWN),
    UrlCase("http://10.1.2.3/", "refused", _OWN),
    UrlCase("http://100.64.0.1/", "refused", _OWN),
    UrlCase("http://169.254.169.254/latest/meta-data/", "refused", _OWN),
    UrlCase("http://172.16.0.1/", "refused", _OWN),
    UrlCase("http://192.168.0.1/", "refused", _OWN),
    UrlCase("http://192.0.2.1/", "refused", _OWN),
    UrlCase("http://198.18.0.1/", "refused", _OWN),
    UrlCase("http://224.0.0.1/", "refused", _OWN),
    UrlCase("http://240.0.0.1/", "refused", _OWN),
    UrlCase("http://255.255.255.255/", "refused", _OWN),
    UrlCase("http://168.63.129.16/", "refused", _OWN),
    UrlCase("http://[::]/", "refused", _OWN),
    UrlCase("http://[::1]/", "refused", _OWN),
    UrlCase("http://[0:0:0:0:0:0:0:1]/", "refused", _OWN),
    UrlCase("http://[::127.0.0.1]/", "refused", _OWN),
    UrlCase("http://[::ffff:127.0.0.1]/", "refused", _OWN),
    UrlCase("http://[::ffff:7f00:1]/", "refused", _OWN),
    UrlCase("http://[::FFFF:a9fe:a9fe]/", "refused", _OWN),
    UrlCase("http://[::ffff:0:127.0.0.1]/", "refused", _OWN),
    UrlCase("http://[64:ff9b::127.0.0.1]/", "refused", _OWN),
    UrlCase("http://[64:ff9b::a9fe:a9fe]/", "refused", _OWN),
    UrlCase("http://[64:ff9b:1::1.1.1.1]/", "refused", _OWN),
    UrlCase("http://[2002:7f00:1::]/", "refused", _OWN),
    UrlCase("http://[2001::1]/", "refused", _OWN),
    UrlCase("http://[fe80::1]/", "refused", _OWN),
    UrlCase("http://[fec0::1]/", "refused", _OWN),
    UrlCase("http://[fd00:ec2::254]/", "refused", _OWN),
    UrlCase("http://[ff02::1]/", "refused", _OWN),
    UrlCase("http://[2606:4700::5efe:7f00:1]/", "refused", _OWN),
    UrlCase("http://localhost/", "refused", _OWN),
    UrlCase("http://LOCALHOST:3000/", "refused", _OWN),
    UrlCase("http://localhost./", "refused", _OWN),
    UrlCase("http://x.localhost/", "refused", _OWN),
    UrlCase("http://printer.local/", "refused", _OWN),
    UrlCase("http://metadata.google.internal/", "refused", _OWN),
)
