"""The address to listen at, and what is said of one that cannot be had."""

import socket

import pytest

from dozor.errors import ConfigurationError
from dozor.serving import bind, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8002", ("127.0.0.1", 8002)),
        ("localhost:0", ("localhost", 0)),
        ("[::1]:8002", ("::1", 8002)),
        ("0.0.0.0:65535", ("0.0.0.0", 65535)),
    ],
)
def test_an_address_is_host_and_port(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "8002", ":8002", "host:", "host:http", "host:65536", "host:-1"])
def test_what_is_none_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1:8002"):
        parse_address(text)


def test_a_port_in_use_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"port {port} on 127\.0\.0\.1 is in use.*--port"):
            bind("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cannot listen on"):
        bind("192.0.2.1", 0)


def test_a_bound_socket_names_its_protocol_for_asyncio() -> None:
    with bind("127.0.0.1", 0) as listener:
        assert listener.proto == socket.IPPROTO_TCP
