"""Public or not, whatever form an address is written in; and what the owner permits."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.sources.addresses import NONE, is_public, parse_networks, refusal, written_refusal

PUBLIC = ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c", "::ffff:93.184.215.14", "64:ff9b::5db8:d70e"]
NOT_PUBLIC = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.31.0.1",
    "192.0.0.8", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.1.1.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:100.64.0.1", "::ffff:169.254.169.254", "::ffff:0:7f00:1",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:5db8:d70e::1", "2001::1",
    "2001:db8::1", "3fff::1", "5f00::1", "100::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0", "fec0::1",
    "ff02::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:a00:1",
]  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_public(text: str) -> None:
    assert is_public(ip_address(text))
    assert refusal(ip_address(text), 80, NONE) is None


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_not_public(text: str) -> None:
    assert not is_public(ip_address(text))
    assert "allow_networks" in (refusal(ip_address(text), 80, NONE) or "")


@given(st.ip_addresses(v=4))
def test_law_an_ipv4_address_is_judged_alike_in_every_ipv6_dress(address: IPv4Address) -> None:
    mapped = IPv6Address(int(IPv6Address("::ffff:0:0")) | int(address))
    nat64 = IPv6Address(int(IPv6Address("64:ff9b::")) | int(address))
    assert is_public(address) == is_public(mapped) == is_public(nat64)


@given(st.ip_addresses())
def test_law_nothing_is_public_that_python_does_not_call_global(address: IPv4Address | IPv6Address) -> None:
    if isinstance(address, IPv4Address) and not address.is_global:
        assert not is_public(address)
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(address)


@pytest.mark.parametrize(
    ("text", "address", "port", "permitted"),
    [
        ("127.0.0.0/8", "127.0.0.1", 8080, True),
        ("127.0.0.0/8", "::ffff:127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8080, True),
        ("127.0.0.1:8080", "127.0.0.1", 8081, False),
        ("127.0.0.1/32:8080", "127.0.0.2", 8080, False),
        ("10.1.2.3/8", "10.9.9.9", 1, True),
        ("10.0.0.0/8, 192.168.0.0/16:443", "192.168.0.9", 443, True),
        ("::1/128", "::1", 80, True),
        ("::1", "::1", 80, True),
        ("[::1]:8080", "::1", 8080, True),
        ("[::1]:8080", "::1", 80, False),
        ("fd00::/8:443", "fd00::1", 443, True),
        ("fd00::/8:443", "fd00::1", 80, False),
        ("[fd00::]/8:443", "fd00::1", 443, True),
        ("", "127.0.0.1", 80, False),
        (" , ", "127.0.0.1", 80, False),
    ],
)
def test_what_the_owner_permits(text: str, address: str, port: int, permitted: bool) -> None:
    networks, errors = parse_networks(text)
    assert errors == ()
    assert networks.permits(ip_address(address), port) is permitted
    assert (refusal(ip_address(address), port, networks) is None) is permitted


@pytest.mark.parametrize(
    "text", ["localhost", "127.0.0.1:0", "127.0.0.1:99999", "10.0.0.0/33", "10.0.0.0/8:", "::1]:80"]
)
def test_what_is_no_network_is_named(text: str) -> None:
    networks, errors = parse_networks(f"10.0.0.0/8, {text}")
    assert len(networks.permitted) == 1
    assert len(errors) == 1
    assert f"'{text}'" in errors[0]


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/feed", "http://10.1.2.3:8080/", "https://[::1]/x", "http://localhost/", "http://LOCALHOST./x",
     "http://api.localhost/", "http://2130706433/", "http://0x7f.1/", "http://127.1/", "http://user@192.168.0.1/",
     "https://[::ffff:127.0.0.1]:8443/"],
)  # fmt: skip
def test_what_is_written_out_is_judged_without_asking_anybody(url: str) -> None:
    assert "allow_networks in monitor.toml does not permit it" in (written_refusal(url, NONE) or "")
    everything, _ = parse_networks("0.0.0.0/0, ::/0")
    assert written_refusal(url, everything) is None


@pytest.mark.parametrize(
    "url",
    ["https://example.org/127.0.0.1", "http://93.184.215.14/", "http://intranet/", "http://localhost.example.org/",
     "http://x:nonsense/", "http://[/", "x", "", "http://999.1.1.1/"],
)  # fmt: skip
def test_what_is_public_or_a_name_is_not_refused_as_written(url: str) -> None:
    assert written_refusal(url, NONE) is None


def test_the_port_that_is_written_or_meant_must_be_permitted() -> None:
    networks, _ = parse_networks("127.0.0.1/32:8080, ::1/128:443")
    assert written_refusal("http://127.0.0.1:8080/", networks) is None
    assert written_refusal("http://127.0.0.1/", networks) is not None
    assert written_refusal("https://localhost/", networks) is None
    assert written_refusal("http://localhost/", networks) is not None
