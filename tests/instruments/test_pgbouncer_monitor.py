import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.instruments.database_server_monitor import DatabaseFailure
from dozor.instruments.pgbouncer_monitor import PgBouncerMonitor

pytestmark = pytest.mark.anyio

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="no pgbouncer on PATH or in /usr/sbin")


@dataclass
class Bouncer:
    process: "subprocess.Popen[bytes]"
    port: int

    def url(self, user: str = "admin") -> str:
        return f"pgbouncer://{user}@127.0.0.1:{self.port}"


@pytest.fixture
def bouncer(postgres_server: Any) -> Iterator[Bouncer]:
    # Not in tmp_path, into which another user cannot look.
    with tempfile.TemporaryDirectory() as folder, _running(Path(folder), postgres_server.port) as bouncer:
        yield bouncer


@contextmanager
def _running(folder: Path, server_port: int) -> Iterator[Bouncer]:
    port = free_port()
    (folder / "users").write_text('"admin" ""\n"stats" ""\n"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\npostgres = host=127.0.0.1 port={server_port} user=postgres\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = trust\n"
        f"auth_file = {folder}/users\nadmin_users = admin\nstats_users = stats\nmax_client_conn = 50\n"
        "default_pool_size = 1\npool_mode = transaction\n"
    )
    assert PROGRAM is not None
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")  # PgBouncer refuses to run as root
        who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        folder.chmod(0o755)
    process = subprocess.Popen([PROGRAM, str(folder / "ini")], stderr=subprocess.DEVNULL, **who)
    _wait_for(port, process)
    yield Bouncer(process, port)
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    pytest.fail("pgbouncer did not start")


@needs_pgbouncer
class TestConsole:
    async def test_pools_statistics_and_limits(self, bouncer: Bouncer) -> None:
        monitor = PgBouncerMonitor("front", bouncer.url(), Clock())
        application = f"postgresql://postgres@127.0.0.1:{bouncer.port}/postgres"
        with psycopg.connect(application, autocommit=True) as connection:
            connection.execute("SELECT 1")
            await until_up(monitor)
            await until_up(monitor)
        families = {family.name: family for family in monitor.families()}
        (active,) = families["pgbouncer_pools_client_active_connections"].samples
        assert dict(active.labels) == {"pool": "front", "database": "postgres", "user": "postgres"}
        assert active.value == 1.0
        assert families["pgbouncer_pools_client_waiting_connections"].samples[0].value == 0.0
        assert families["pgbouncer_stats_queries_pooled_total"].samples[0].value >= 1.0
        assert monitor.figures()["pgbouncer_config_max_client_connections"] == 50.0
        assert monitor.figures()["db_up"] == 1.0
        assert monitor.pools()[0]["pool_mode"] == "transaction"
        await monitor.close()

    async def test_a_user_who_may_only_look_sees_the_pools(self, bouncer: Bouncer) -> None:
        monitor = PgBouncerMonitor("front", bouncer.url("stats"), Clock())
        await until_up(monitor)
        assert monitor.up
        await monitor.close()

    async def test_frozen_and_killed(self, bouncer: Bouncer) -> None:
        monitor = PgBouncerMonitor("front", bouncer.url(), Clock(), interval=0.5)
        await until_up(monitor)
        bouncer.process.send_signal(signal.SIGSTOP)
        for _ in range(3):
            assert (await failing(monitor)).kind == "timeout"
        assert monitor.figures() == {"db_up": 0.0, "pgbouncer_up": 0.0}
        bouncer.process.kill()
        bouncer.process.wait()
        while (await failing(monitor)).kind == "timeout":
            time.sleep(0.02)
        assert monitor.failure == "refused"


async def until_up(monitor: PgBouncerMonitor) -> None:
    """Collect; on a slow machine more than once."""
    for _ in range(200):
        with contextlib.suppress(DatabaseFailure):
            return await monitor.refresh()
    pytest.fail(f"still down: {monitor.hint}")


async def failing(monitor: PgBouncerMonitor) -> DatabaseFailure:
    with pytest.raises(DatabaseFailure) as caught:
        await monitor.refresh()
    return caught.value


@pytest.mark.parametrize("url", ["postgresql://u:s3cr3t@h/d", "nonsense", "pgbouncer://u:s3cr3t@h:port"])
async def test_what_is_no_pgbouncer_url_is_said(url: str) -> None:
    with pytest.raises(ConfigurationError, match="pgbouncer://USER:PASSWORD@HOST:6432") as caught:
        PgBouncerMonitor("front", url, Clock())
    assert "s3cr3t" not in str(caught.value)
