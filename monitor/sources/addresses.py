"""Which network addresses may be talked to: the public ones, and those the owner permits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import inet_aton
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
# `is_global` alone differs between Python versions and calls several of these global.
_NEVER = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/3",
        # IPv4 inside IPv6: compatible, translated, NAT64 of one's own, Teredo, 6to4
        "::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2001::/32", "2002::/16",
        "100::/64", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
)  # fmt: skip
_ISATAP = (0x00005EFE, 0x02005EFE)
_FIGURES = re.compile(r"(?:0x[0-9a-f]*|\d+)(?:\.(?:0x[0-9a-f]*|\d+)){0,3}")
_PERMIT = re.compile(
    r"(?:\[(?P<bracket>[^\]]+)\]|(?P<plain>[^/:]+|[^/]*:[^/]*:[^/]*?))(?P<length>/\d+)?(?::(?P<port>\d+))?"
)
_NOT_PERMITTED = "and allow_networks in monitor.toml does not permit it"


@dataclass(frozen=True, slots=True)
class Networks:
    """What `allow_networks` permits besides public addresses: networks, each for one port or all (None)."""

    permitted: tuple[tuple[Network, int | None], ...] = ()

    def permits(self, address: Address, port: int) -> bool:
        """Whether the owner's list names this address and port."""
        address = _plain(address)
        return any(address in network and limit in (None, port) for network, limit in self.permitted)


NONE = Networks()


def parse_networks(text: str) -> tuple[Networks, tuple[str, ...]]:
    """`allow_networks` as parsed, and what is wrong with it in words: `10.0.0.0/8, 127.0.0.1:8080, [fd00::]/8:443`."""
    permitted: list[tuple[Network, int | None]] = []
    errors: list[str] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        found = _PERMIT.fullmatch(item)
        port = int(found["port"]) if found and found["port"] else None
        try:
            if found is None or (port is not None and not 0 < port < 65536):
                raise ValueError
            network = ip_network((found["bracket"] or found["plain"]) + (found["length"] or ""), strict=False)
        except ValueError:
            errors.append(f"'{item}' is neither CIDR nor CIDR:port, as in 10.0.0.0/8 or 127.0.0.1/32:8080")
        else:
            permitted.append((network, port))
    return Networks(tuple(permitted)), tuple(errors)


def refusal(address: Address, port: int, networks: Networks) -> str | None:
    """Why this address must not be talked to, in words; None where it may."""
    if networks.permits(address, port) or is_public(address):
        return None
    return f"{address} is a private or reserved address, {_NOT_PERMITTED}"


def written_refusal(url: str, networks: Networks) -> str | None:
    """As `refusal`, for a web address as written: an address in figures, or localhost. What a name leads to is only
    seen when it is asked.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        return None
    if host == "localhost" or host.endswith(".localhost"):
        meant = [refusal(ip_address(loopback), port, networks) for loopback in ("127.0.0.1", "::1")]
        return None if None in meant else f"{host} is this machine, {_NOT_PERMITTED}"
    address = _in_figures(host)
    return refusal(address, port, networks) if address is not None else None


def _in_figures(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        pass
    if not _FIGURES.fullmatch(host):
        return None
    try:
        return IPv4Address(inet_aton(host))  # 127.1, 2130706433, 0x7f.0.0.1: resolvers read these too
    except OSError:
        return None


def is_public(address: Address) -> bool:
    """Whether the address is in the public internet, whatever form it is written in."""
    address = _plain(address)
    if isinstance(address, IPv6Address):
        if address.scope_id is not None or (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
            return False
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
    return address.is_global and not any(address in network for network in _NEVER)


def parse_address(text: str) -> Address:
    """An address as the resolver gives it. Raises `ValueError`."""
    return ip_address(text)


def _plain(address: Address) -> Address:
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
