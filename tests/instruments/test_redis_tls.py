"""Encrypted connections, on a real server behind a line that speaks TLS: the one in the wheel does not."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.lines import Line, listening
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.demo.servers import EmbeddedServer
from dozor.instruments.redis_failure import RedisFailure
from dozor.instruments.redis_monitor import RedisMonitor

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def context(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(host).configure_cert(found)
    return found


@asynccontextmanager
async def watching(server: Any, tls: ssl.SSLContext, query: str) -> AsyncIterator[RedisMonitor]:
    async with listening(Line(server.port).carry, tls=tls) as port:
        monitor = RedisMonitor("cache", f"rediss://127.0.0.1:{port}?{query}", Clock(), interval=60)
        try:
            yield monitor
        finally:
            await monitor.close()


async def kind_of_failure(monitor: RedisMonitor) -> str | None:
    try:
        await monitor.refresh()
    except RedisFailure as failure:
        return failure.kind
    return None


async def test_what_is_trusted_is_read_and_its_end_heard(
    own_valkey: EmbeddedServer, authority: trustme.CA, ca: Path
) -> None:
    async with watching(own_valkey, context(authority), f"ssl_ca_certs={ca}") as monitor:
        lost = asyncio.Event()
        monitor.when_lost(lost.set)
        for _ in range(3):
            await monitor.refresh()
        assert monitor.connected
        own_valkey.kill()
        await asyncio.wait_for(lost.wait(), PATIENCE_SECONDS)


async def test_what_is_not_trusted_is_a_failure_of_tls(
    own_valkey: EmbeddedServer, authority: trustme.CA, ca: Path
) -> None:
    async with watching(own_valkey, context(authority), "") as monitor:
        assert await kind_of_failure(monitor) == "tls"
        assert "certificates" in str(monitor.hint)
    other = context(authority, "valkey.example")
    for query, kind in (
        (f"ssl_ca_certs={ca}", "tls"),
        (f"ssl_ca_certs={ca}&ssl_check_hostname=false", None),
        ("ssl_cert_reqs=none", None),
    ):
        async with watching(own_valkey, other, query) as monitor:
            assert await kind_of_failure(monitor) == kind


@pytest.mark.parametrize(
    "query", ["ssl_ca_certs=/no/such/file", "ssl_keyfile=/no/such", "ssl_ca_data=none", "ssl_ciphers=none"]
)
async def test_what_cannot_be_used_is_a_failure_of_tls(
    own_valkey: EmbeddedServer, authority: trustme.CA, query: str
) -> None:
    async with watching(own_valkey, context(authority), query) as monitor:
        assert await kind_of_failure(monitor) == "tls"


async def test_versions(own_valkey: EmbeddedServer, authority: trustme.CA, ca: Path) -> None:
    old = context(authority)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    for version, kinds in ((771, {None}), (772, {"tls", "reset"})):  # not every server says why
        async with watching(own_valkey, old, f"ssl_ca_certs={ca}&ssl_min_version={version}") as monitor:
            assert await kind_of_failure(monitor) in kinds


async def test_a_certificate_of_its_own(
    own_valkey: EmbeddedServer, authority: trustme.CA, ca: Path, tmp_path: Path
) -> None:
    wanting = context(authority)
    wanting.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(wanting)
    own = authority.issue_cert("dozor")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "own.pem"))
    async with watching(own_valkey, wanting, f"ssl_ca_certs={ca}&ssl_certfile={tmp_path}/own.pem") as monitor:
        assert await kind_of_failure(monitor) is None
    async with watching(own_valkey, wanting, f"ssl_ca_certs={ca}") as monitor:
        assert await kind_of_failure(monitor) in {"tls", "reset"}  # it is told so, or the line is down before


async def test_a_server_that_never_shakes_hands(authority: trustme.CA) -> None:
    async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(says_nothing) as port:
        monitor = RedisMonitor("cache", f"rediss://127.0.0.1:{port}", Clock(), interval=0.3)
        assert await kind_of_failure(monitor) == "timeout"
        assert "rediss://" in str(monitor.hint)
