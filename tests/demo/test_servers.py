import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.patience import PATIENCE_SECONDS

from dozor.demo import server_guard
from dozor.demo.servers import EmbeddedServer, EmbeddedServers, ServersUnavailable

PROGRAM = """
import json, sys, time
from dozor.demo.servers import EmbeddedServers
servers = EmbeddedServers(postgres="postgres" in sys.argv)
guard = servers._guard.pid
ports = [each.port for each in (servers._redis, servers._postgres) if each]
print(json.dumps([guard, servers._folder, *ports]), flush=True)
time.sleep(60)
"""


@dataclass
class _Nobody:
    """Programs that need no user of their own."""

    folder: Path
    who: dict[str, Any] = field(default_factory=dict)


def holds(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ping(server: EmbeddedServer, seconds: float = 2.0) -> bool:
    with redis.Redis(port=server.port, socket_timeout=seconds, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def test_a_server_keeps_its_port_over_restarts(own_valkey: EmbeddedServer) -> None:
    url, pid = own_valkey.url, own_valkey.pid
    assert ping(own_valkey)
    own_valkey.stop()
    assert own_valkey.pid is None
    assert not listening(own_valkey.port)
    own_valkey.start()
    assert ping(own_valkey)
    assert (own_valkey.url, own_valkey.pid != pid) == (url, True)


def test_a_frozen_server_hangs_and_goes_on(own_valkey: EmbeddedServer) -> None:
    own_valkey.freeze()
    assert listening(own_valkey.port)
    assert not ping(own_valkey, 0.1)
    own_valkey.thaw()
    assert ping(own_valkey)


def test_postgres_stops_starts_is_killed_and_recovers(own_postgres: EmbeddedServer) -> None:
    address = own_postgres.url.replace("+psycopg", "")
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("CREATE TABLE kept (n int)")
        own_postgres.stop()  # although a client is connected
    own_postgres.start()
    own_postgres.kill()
    own_postgres.start()
    with psycopg.connect(address) as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (0,)
    assert os.geteuid() != 0 or psutil.Process(own_postgres.pid).username() == "nobody"


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_nothing_is_left_when_the_program_ends(ending: signal.Signals) -> None:
    which = "postgres" if ending is signal.SIGKILL else "redis"
    program = subprocess.Popen([sys.executable, "-c", PROGRAM, which], stdout=subprocess.PIPE)
    assert program.stdout is not None
    guard, folder, *ports = json.loads(program.stdout.readline())
    assert all(listening(port) for port in ports)
    program.send_signal(ending)
    program.wait()
    program.stdout.close()
    assert holds(lambda: not psutil.pid_exists(guard) or psutil.Process(guard).status() == psutil.STATUS_ZOMBIE)
    assert not any(listening(port) for port in ports)
    assert not Path(folder).exists()


def test_servers_end_with_a_guard_that_is_killed() -> None:
    with EmbeddedServers(postgres=False) as servers:
        folder, port = Path(str(servers._folder)), servers.redis.port
        servers._guard.kill()
        if sys.platform == "linux":
            assert holds(lambda: not listening(port))
        with pytest.raises(ServersUnavailable, match="guards the servers has ended"):
            servers.stop_redis()
    assert not folder.exists()


def test_what_fails_in_the_guard_is_said() -> None:
    with EmbeddedServers(redis=False, postgres=False) as servers:
        with pytest.raises(ServersUnavailable, match="was not asked for"):
            _ = servers.redis_url
        server = servers.launch("redis")
        server.stop()
        with socket.socket() as occupant:
            occupant.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            occupant.bind(("127.0.0.1", server.port))
            occupant.listen()
            with pytest.raises(ServersUnavailable, match=f"redis on port {server.port} ended at once"):
                server.start()


def test_a_port_is_chosen_when_all_else_is_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    steps: list[str] = []

    class Made(server_guard.Server):
        kind = "redis"

        def _prepare(self) -> None:
            steps.append("prepared")

        def _command(self) -> list[str]:
            return [sys.executable, "-c", "import time; time.sleep(60)", str(self.port)]

        def _ready(self) -> bool:
            return True

    def chosen() -> int:
        steps.append("chosen")
        return 20_001

    monkeypatch.setattr(server_guard, "free_port", chosen)
    server = Made("one", _Nobody(tmp_path), server_guard.Pipe(), [])  # type: ignore[arg-type]
    server.start()
    server.kill()
    server.start()
    server.kill()
    assert (steps, server.port) == (["prepared", "chosen"], 20_001)


def test_a_missing_wheel_is_named() -> None:
    with pytest.raises(server_guard.GuardError, match=r"pip install 'dozor\[demo\]'"):
        server_guard._package("no_such_wheel")


def test_a_folder_closed_to_others_is_noticed(tmp_path: Path) -> None:
    program = tmp_path / "home" / "bin" / "program"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    program.chmod(0o755)
    (tmp_path / "home").chmod(0o700)
    assert not server_guard._open_to_others(program)
    assert server_guard._open_to_others(Path("/usr/bin/env"))
