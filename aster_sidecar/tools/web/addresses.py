"""Which addresses are on the public internet, and which are this machine's or in its own networks."""

from __future__ import annotations

import ipaddress
import socket

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What older versions of `ipaddress` take for global. Source: RFC 6890 and the IANA special-purpose registries.
_NOT_PUBLIC = tuple(
    ipaddress.ip_network(net)
    for net in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001::/23", "3fff::/20", "2002::/16")
)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


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
