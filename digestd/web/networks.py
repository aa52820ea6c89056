"""From where a request comes, and to which mailbox an address leads: what the limits of the sign-up count by. Pure."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from digestd.model import canonical_address

_V4_PREFIX, _V6_PREFIX = 24, 48  # what one customer, or one office, commonly has
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})  # `a.b@` and `ab@` are one mailbox there

Address = IPv4Address | IPv6Address


def client_of(peer: str | None, forwarded: str, trusted: Collection[Address]) -> Address | None:
    """Return who asks: the peer, or, through trusted proxies, the last one before them (X-Forwarded-For).

    What stands further left in the header was said by the client, and is not believed. None where nobody knows.
    """
    client = _address(peer or "")
    for hop in reversed(forwarded.split(",")):
        if client not in trusted:
            break
        client = _address(hop)
    return client


def network_of(client: Address | None) -> str:
    """Return the network that a client's requests are counted for."""
    if client is None:
        return "unknown"
    if isinstance(client, IPv6Address) and client.ipv4_mapped:
        client = client.ipv4_mapped
    prefix = _V4_PREFIX if isinstance(client, IPv4Address) else _V6_PREFIX
    return str(ip_network((client, prefix), strict=False))


def mailbox_of(email: str) -> str:
    """Return the mailbox that an address leads to, whatever its owner writes behind a plus."""
    local, _, domain = canonical_address(email).rpartition("@")
    local = local.partition("+")[0] or local
    if domain in _DOTLESS:
        local, domain = local.replace(".", ""), "gmail.com"
    return f"{local}@{domain}"


def _address(text: str) -> Address | None:
    text = text.strip()
    if text.startswith("[") or text.count(":") == 1:  # with a port
        text = text.rpartition(":")[0].strip("[]")
    try:
        return ip_address(text.partition("%")[0])
    except ValueError:
        return None
