"""What `dozor demo` says before it starts anything."""

import importlib.util
import socket

import pytest

from dozor.demo import run
from dozor.errors import ConfigurationError


def test_a_port_in_use_is_one_message_that_names_the_flag() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=rf"--port: 127.0.0.1:{port} cannot be used \(.*in use\)"):
            run(port)


def test_a_port_that_is_none_is_refused_the_same_way() -> None:
    with pytest.raises(ConfigurationError, match="--port"):
        run(70_000)


def test_an_unknown_fault_names_those_that_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no fault 'fire'; there are: redis-stopped, slow-query"):
        run(0, "fire")


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "asyncpg" else object())
    with pytest.raises(ConfigurationError, match=r"\(asyncpg\): pip install 'dozor\[demo\]'"):
        run(0)
