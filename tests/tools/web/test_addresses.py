"""Which addresses are public, and elsewhere."""

from __future__ import annotations

import ipaddress

import psutil
import pytest

from aster_sidecar.tools.web.addresses import is_elsewhere, is_public


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.216.34", "2606:4700::1111", "64:ff9b::1.1.1.1", "::ffff:8.8.8.8"])
def test_public_addresses_are(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
        ),
        *("172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1"),
        *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16"),
        *("::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "fe80::1"),
        *(
            "fc00::1",
            "fd00:ec2::254",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "2002:101:101::",
        ),
        *("64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1.1.1.1", "100::1", "3fff::1", "5f00::1", "4000::1"),
        *("2606:4700::5efe:7f00:1", "2606:4700::200:5efe:10.0.0.1"),
    ],
)
def test_everything_else_is_not(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))
    assert not is_elsewhere(ipaddress.ip_address(text))


def test_this_machine_is_not_elsewhere() -> None:
    for cards in psutil.net_if_addrs().values():
        for card in cards:
            if card.family.name in ("AF_INET", "AF_INET6"):
                assert not is_elsewhere(ipaddress.ip_address(card.address.split("%")[0]))
