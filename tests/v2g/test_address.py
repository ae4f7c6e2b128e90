"""Addresses that people configure: what is one, and how it is shown."""

import pytest

from v2g.address import demand_address, host_and_port, origin, public_url


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("[::1]:15118", "::1", 15118), ("station.local:80", "station.local", 80), ("[fe80::1%eth0]:65535", "fe80::1%eth0", 65535)],
)
def test_a_host_and_a_port(text: str, host: str, port: int) -> None:
    assert host_and_port(text) == (host, port)


@pytest.mark.parametrize("text", ["", "host", ":80", "host:", "host:65536", "host:-1", "host:http", "host:8 0"])
def test_anything_else_is_no_address_and_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="give HOST:PORT") as caught:
        host_and_port(text)
    assert repr(text) in str(caught.value)


def test_an_address_is_shown_without_its_secrets() -> None:
    assert "secret" not in public_url("wss://user:secret@csms.example/ocpp")
    assert "secret" not in public_url("wss://csms.example/\n" * 40 + "secret")


def test_an_origin_knows_the_ports_of_its_schemes() -> None:
    assert origin("wss://csms.example/x") == origin("wss://csms.example:443/y") == ("wss", "csms.example", 443)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://a", "begin it with wss://"),
        ("wss://", "names no host"),
        ("wss://u:secret@a", "holds credentials"),
        ("wss://a:x", "is no address"),
    ],
)
def test_a_demanded_address_says_what_is_wrong_without_the_password(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        demand_address(url, "wss")
    assert "secret" not in str(caught.value)
