import asyncio
import contextlib
import logging
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psutil
import pytest
import redis
import redis.asyncio
from redis.credentials import CredentialProvider
from tests.lines import Line, listening
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.demo.servers import EmbeddedServer
from dozor.errors import ConfigurationError
from dozor.instruments.redis_failure import RedisFailure
from dozor.instruments.redis_monitor import RedisMonitor
from dozor.model.labels import Labels

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-canary"
SIXTEEN = {
    "redis_connected",
    "redis_memory_usage",
    "redis_memory_limit",
    "redis_memory_peak",
    "redis_memory_fragmentation_ratio",
    "redis_connected_clients",
    "redis_blocked_clients",
    "redis_rejected_connections_total",
    "redis_hit_rate",
    "redis_keyspace_hits_total",
    "redis_keyspace_misses_total",
    "redis_operations_per_second",
    "redis_commands_processed_total",
    "redis_evicted_keys_total",
    "redis_expired_keys_total",
    "redis_slow_commands_total",
}


@asynccontextmanager
async def watching(source: object, *, interval: float = 1.25, name: str = "cache") -> AsyncIterator[RedisMonitor]:
    monitor = RedisMonitor(name, source, Clock(), interval=interval)
    try:
        yield monitor
    finally:
        await monitor.close()


async def until_connected(monitor: RedisMonitor) -> None:
    """Collect; on a busy machine more than once."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(RedisFailure):
                return await monitor.refresh()


def client(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis(port=server.port)


async def failing(monitor: RedisMonitor) -> RedisFailure:
    with pytest.raises(RedisFailure) as caught:
        await monitor.refresh()
    assert set(monitor.figures()) == {"redis_connected"}
    assert SECRET not in str(caught.value)
    return caught.value


class TestFigures:
    async def test_all_sixteen_and_what_the_rules_need(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            with client(own_valkey) as app:
                app.config_set("maxmemory", 64 * 2**20)
                app.config_set("maxmemory-policy", "allkeys-lru")
                await monitor.refresh()
                app.set("k", "v")
                app.get("k")
                app.get("absent")
                await monitor.refresh()
                said = app.info()
            figures = monitor.figures()
            assert set(figures) == SIXTEEN | {"redis_uptime_in_seconds"}
            assert figures["redis_memory_limit"] == 64 * 2**20
            assert figures["redis_hit_rate"] == 50.0
            assert figures["redis_connected_clients"] == said["connected_clients"]
            assert figures["redis_keyspace_hits_total"] == said["keyspace_hits"]
            families = {family.name: family for family in monitor.families()}
            (instance,) = families["redis_instance_info"].samples
            assert instance.labels["maxmemory_policy"] == "allkeys-lru"
            assert instance.labels["redis"] == "cache"
            assert instance.labels["server"] == "valkey"
            assert families["redis_connected"].samples[0].labels == Labels(redis="cache")
            assert set(monitor.capabilities().values()) == {True}
            assert monitor.connected
            assert monitor.failure is None
            assert isinstance(monitor.info()["memory"]["used_memory"], int)

    async def test_label_sets_are_reused(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            await monitor.refresh()
            before = {(each.name, each.labels): each.labels for family in monitor.families() for each in family.samples}
            await monitor.refresh()
            after = [each for family in monitor.families() for each in family.samples]
            assert all(each.labels is before[each.name, each.labels] for each in after)

    async def test_nothing_is_known_before_the_first_collection(self) -> None:
        monitor = RedisMonitor("cache", "redis://127.0.0.1:1", Clock())
        assert monitor.connected is None
        assert monitor.figures() == {}
        assert monitor.families() == ()
        assert monitor.checked_at is None

    async def test_our_own_commands_are_not_in_the_rate(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            for _ in range(5):
                await monitor.refresh()
            assert monitor.figures()["redis_operations_per_second"] == 0.0

    async def test_resetstat_and_flush_make_nothing_negative(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            with client(own_valkey) as app:
                await monitor.refresh()
                for number in range(20):
                    app.get(f"k{number}")
                await monitor.refresh()
                app.config_resetstat()
                app.flushall()
                await monitor.refresh()
            assert all(value >= 0 for value in monitor.figures().values())

    async def test_one_standing_connection_that_says_who_it_is(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            for _ in range(3):
                await monitor.refresh()
            with client(own_valkey) as app:
                ours = [each for each in app.client_list() if each["name"] == "dozor"]
            assert len(ours) == 1

    async def test_any_loop_may_take_over(self, own_valkey: EmbeddedServer) -> None:
        monitor = RedisMonitor("cache", own_valkey.url, Clock())
        await monitor.refresh()
        await asyncio.to_thread(asyncio.run, _refresh_and_close(monitor))
        assert monitor.connected


async def _refresh_and_close(monitor: RedisMonitor) -> None:
    await monitor.refresh()
    await monitor.close()


class TestSlowLog:
    async def test_entries_count_once_across_wraps_and_restarts(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            with client(own_valkey) as app:
                app.config_set("slowlog-max-len", 4)
                app.config_set("slowlog-log-slower-than", 0)
                app.ping()
                await monitor.refresh()
                await monitor.refresh()  # the first one's own commands are among what this one finds
                before = monitor.slow_log_total
                for number in range(9):
                    app.set(f"k{number}", SECRET)
                app.config_set("slowlog-log-slower-than", 1_000_000)
                await monitor.refresh()
                await monitor.refresh()
            total = monitor.slow_log_total
            # What was lost to the wrap may have been the monitor's own command, of the first collection.
            assert total - before in {9, 10, 11, 12}
            assert monitor.figures()["redis_slow_commands_total"] == total
            assert [entry.command for entry in monitor.slow_log()[:4]] == ["SET"] * 4
            assert monitor.slow_log()[0].command == "SET"
            assert SECRET not in repr(monitor.slow_log())

            own_valkey.kill()
            own_valkey.start()
            with client(own_valkey) as app:
                app.config_set("slowlog-log-slower-than", 0)
                app.set("k", "v")
                app.config_set("slowlog-log-slower-than", 1_000_000)
            await monitor.refresh()
            assert monitor.slow_log_total == total + 2

    async def test_our_own_commands_never_appear(self, own_valkey: EmbeddedServer) -> None:
        with client(own_valkey) as app:
            app.config_set("slowlog-log-slower-than", 0)
            app.execute_command("SLOWLOG", "RESET")
        async with watching(own_valkey.url) as monitor:
            for _ in range(5):
                await monitor.refresh()
            assert {entry.command for entry in monitor.slow_log()} == {"SLOWLOG RESET"}


class TestSurvey:
    async def test_commands_events_and_lengths_under_the_exporters_names(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            with client(own_valkey) as app:
                app.config_set("latency-monitor-threshold", 1)
                app.eval("for i = 1, 3000000 do end", 0)
                for number in range(20):
                    app.set(f"k{number}", SECRET, ex=100)
                with contextlib.suppress(redis.ResponseError):
                    app.lpush("k1", 1)
                await monitor.refresh()
            samples = {
                f"{each.name}{each.labels.without('redis')}": each.value
                for family in monitor.families()
                for each in family.samples
            }
            assert samples['redis_commands_total{cmd="set"}'] == 20.0
            assert samples['redis_commands_duration_seconds_total{cmd="eval"}'] > 0.001
            assert samples['redis_commands_failed_calls_total{cmd="lpush"}'] == 1.0
            assert samples['redis_errors_total{err="WRONGTYPE"}'] == 1.0
            assert samples['redis_latency_percentiles_usec_count{cmd="set"}'] == 20.0
            assert samples['redis_latency_percentiles_usec{cmd="eval", quantile="99"}'] > 1000.0
            assert samples['redis_latency_spike_duration_seconds{event_name="command"}'] >= 0.001
            assert samples['redis_db_keys_expiring{db="db0"}'] == 20.0
            assert samples["redis_up{}"] == 1.0
            assert samples["redis_slowlog_length{}"] == app.slowlog_len()
            assert not [name for name in samples if 'cmd="info"' in name or 'cmd="client|setname"' in name]
            assert SECRET not in repr(samples)
            (event,) = monitor.surveyed().latency_events or ()
            assert event.history[-1] == (event.at, event.last_seconds)
            assert monitor.windows()["since_start"].commands[0].command == "EVAL"

    async def test_it_is_asked_at_times_only(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            for _ in range(4):
                await monitor.refresh()
            with client(own_valkey) as app:
                counts = app.info("commandstats")
        assert counts["cmdstat_latency|histogram"]["calls"] == 1
        assert counts["cmdstat_info"]["calls"] == 6  # four times all, and the statistics of commands and latencies once

    async def test_one_that_is_not_answered_in_time_fails_no_collection(
        self, own_valkey: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        async def never(*_: object) -> None:
            await asyncio.Event().wait()

        async with watching(own_valkey.url, interval=0.3) as monitor:
            monkeypatch.setattr(monitor._survey, "ask", never)
            await monitor.refresh()
            assert monitor.connected
            assert monitor.windows() == {}
            await monitor.refresh()
            assert monitor.failure is None

    async def test_a_server_that_has_gone_says_nothing_of_what_it_once_said(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            await monitor.refresh()
            own_valkey.kill()
            await failing(monitor)
            assert {family.name for family in monitor.families()} == {"redis_connected", "redis_up"}
            assert {sample.value for family in monitor.families() for sample in family.samples} == {0.0}


class TestStandingConnection:
    async def test_its_end_is_heard_at_once(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            lost = asyncio.Event()
            monitor.when_lost(lost.set)
            await monitor.refresh()
            own_valkey.kill()
            await asyncio.wait_for(lost.wait(), 10)
            await failing(monitor)

    async def test_a_server_that_closes_it_and_lives_is_not_down(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            lost = asyncio.Event()
            monitor.when_lost(lost.set)
            await monitor.refresh()
            with client(own_valkey) as app:
                app.client_kill_filter(_type="normal", skipme=True)
            await asyncio.wait_for(lost.wait(), 10)
            await monitor.refresh()
            assert monitor.connected

    async def test_closing_it_ourselves_is_no_loss(self, own_valkey: EmbeddedServer) -> None:
        losses: list[int] = []
        async with watching(own_valkey.url) as monitor:
            monitor.when_lost(lambda: losses.append(1))
            await monitor.refresh()
        for _ in range(5):
            await asyncio.sleep(0.01)
        assert losses == []

    async def test_over_a_unix_socket_too(self, own_valkey: EmbeddedServer) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/valkey.sock"
            async with listening(Line(own_valkey.port).carry, path), watching(f"unix://{path}") as monitor:
                lost = asyncio.Event()
                monitor.when_lost(lost.set)
                await monitor.refresh()
                own_valkey.kill()
                await asyncio.wait_for(lost.wait(), 10)


class TestFaults:
    async def test_a_killed_server_is_down_at_once_and_back_when_it_is(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            await monitor.refresh()
            own_valkey.kill()
            failure = await failing(monitor)
            assert (failure.kind, monitor.connected, monitor.failure) == ("refused", False, "refused")
            assert monitor.families()[0].samples[0].value == 0.0
            assert monitor.info() == {}
            own_valkey.start()
            await monitor.refresh()
            assert monitor.figures()["redis_connected"] == 1.0

    async def test_a_restart_between_two_collections_is_not_an_outage(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url) as monitor:
            await monitor.refresh()
            own_valkey.kill()
            own_valkey.start()
            await monitor.refresh()
            assert monitor.connected

    async def test_a_frozen_server_ends_by_the_deadline_and_leaves_nothing(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url, interval=0.5) as monitor:
            await until_connected(monitor)
            own_valkey.freeze()
            clock, process = Clock(), psutil.Process()
            await failing(monitor)
            tasks, sockets = len(asyncio.all_tasks()), len(process.net_connections())
            for _ in range(4):
                began = clock.monotonic()
                assert (await failing(monitor)).kind == "timeout"
                assert clock.monotonic() - began < PATIENCE_SECONDS  # for ever, without the deadline
            assert monitor.connected is False
            assert len(asyncio.all_tasks()) <= tasks
            assert len(process.net_connections()) <= sockets
            own_valkey.thaw()
            await until_connected(monitor)
            assert monitor.connected

    async def test_a_collection_cancelled_at_the_deadline_is_a_timeout(self, own_valkey: EmbeddedServer) -> None:
        async with watching(own_valkey.url, interval=60) as monitor:
            await monitor.refresh()
            own_valkey.freeze()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(monitor.refresh(), 0.1)
            assert (monitor.connected, monitor.failure) == (False, "timeout")
            own_valkey.thaw()

    async def test_a_wrong_password_is_an_answer(self, own_valkey: EmbeddedServer) -> None:
        with client(own_valkey) as app:
            app.config_set("requirepass", "right")
        async with watching(f"redis://:{SECRET}@127.0.0.1:{own_valkey.port}") as monitor:
            assert (await failing(monitor)).kind == "wrongpass"
            assert monitor.connected
            assert monitor.figures() == {"redis_connected": 1.0}
        async with watching(own_valkey.url) as monitor:
            assert (await failing(monitor)).kind == "noauth"
            assert monitor.connected
        async with watching(f"redis://:right@127.0.0.1:{own_valkey.port}") as monitor:
            await monitor.refresh()

    async def test_a_user_who_may_not_is_missing_a_capability_and_no_outage(self, own_valkey: EmbeddedServer) -> None:
        url = f"redis://watch:{SECRET}@127.0.0.1:{own_valkey.port}"
        with client(own_valkey) as app:
            app.acl_setuser("watch", enabled=True, passwords=[f"+{SECRET}"], commands=["+info"])
            async with watching(url) as monitor:
                await monitor.refresh()
                allowed = monitor.capabilities()
                assert {name for name, may in allowed.items() if may} == {"info", "commandstats", "latencystats"}
                assert {name for name, may in allowed.items() if not may} == {
                    "slowlog",
                    "slowlog|len",
                    "latency|latest",
                    "latency|histogram",
                    "config|get",
                }
                refused = app.info("errorstats")["errorstat_NOPERM"]
                await monitor.refresh()
                assert app.info("errorstats")["errorstat_NOPERM"] == refused  # it does not insist
                assert monitor.failure is None
                assert "redis_slow_commands_total" not in monitor.figures()
                assert "redis_memory_usage" in monitor.figures()
            app.acl_setuser("watch", enabled=True, reset=True, passwords=[f"+{SECRET}"], commands=["+slowlog"])
            async with watching(url) as monitor:
                await monitor.refresh()
                assert monitor.capabilities() == {"info": False, "slowlog": True}
                assert monitor.surveyed().latency_events is None
                assert (monitor.connected, monitor.failure) == (True, "noperm")
                assert "+info" in str(monitor.hint)
                assert set(monitor.figures()) == {"redis_connected", "redis_slow_commands_total"}

    async def test_no_secret_is_logged_or_shown(self, own_valkey: EmbeddedServer, caplog: Any) -> None:
        caplog.set_level(logging.DEBUG)
        async with watching(f"redis://{SECRET}:{SECRET}@127.0.0.1:{own_valkey.port}/0?password={SECRET}") as monitor:
            failure = await failing(monitor)
            logging.getLogger("test").warning("collected", exc_info=failure)
            assert SECRET not in caplog.text
            assert SECRET not in f"{monitor!r}{monitor.address}{monitor._target!r}{monitor.hint}"

    @pytest.mark.parametrize(
        ("answer", "kind", "connected"),
        [
            (b"-LOADING Redis is loading the dataset in memory\r\n", "loading", True),
            (b"-NOAUTH Authentication required.\r\n", "noauth", True),
            (b"-MISCONF Redis is configured to save RDB snapshots\r\n", "misconf", True),
            (b"-MASTERDOWN Link with MASTER is down\r\n", "masterdown", True),
            (b"-ERR max number of clients reached\r\n", "maxclients", True),
            (b"-DENIED Redis is running in protected mode\r\n", "denied", True),
            (b"-ERR unknown command 'INFO'\r\n", "noperm", True),
            (b"-ERR out of luck\r\n", "error", True),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", "garbage", False),
            (b"\x15\x03\x03\x00\x02\x02\x46", "garbage", False),
            (b"$5\r\nhello\r\n", "garbage", False),
            (b"$999", "reset", False),
            (b"", "reset", False),
        ],
    )
    async def test_what_a_server_says_instead_of_its_figures(self, answer: bytes, kind: str, connected: bool) -> None:
        async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(100)
            writer.write(b"+OK\r\n" + answer * 2)
            await writer.drain()

        async with listening(answers) as port, watching(f"redis://127.0.0.1:{port}") as monitor:
            if kind == "noperm":
                await monitor.refresh()
            else:
                await failing(monitor)
            assert (monitor.failure, monitor.connected) == (kind, connected)
            assert str(port) in str(monitor.hint)

    async def test_an_address_that_leads_nowhere(self) -> None:
        async with watching("redis://no-such-host.invalid:6379") as monitor:
            assert (await failing(monitor)).kind in {"dns", "timeout"}
        async with watching("unix:///no/such/socket") as monitor:
            assert (await failing(monitor)).kind == "refused"

    async def test_tls_against_a_server_without(self, own_valkey: EmbeddedServer) -> None:
        async with watching(f"rediss://127.0.0.1:{own_valkey.port}", interval=0.5) as monitor:
            assert (await failing(monitor)).kind in {"tls", "timeout"}
            assert "rediss://" in str(monitor.hint)

    async def test_a_cut_and_a_slow_line(self, own_valkey: EmbeddedServer) -> None:
        async with Line(own_valkey.port).open() as line, watching(line.url, interval=0.5) as monitor:
            await until_connected(monitor)
            before, line.bytes_left = line.connections, 100
            await failing(monitor)
            assert (monitor.failure, line.connections - before) == ("reset", 1)
            line.bytes_left = None
            line.delay_seconds = 30.0
            assert (await failing(monitor)).kind == "timeout"
            line.delay_seconds = 0.0
            await until_connected(monitor)
            assert monitor.connected


class TestSources:
    @pytest.mark.parametrize("kind", [redis.Redis, redis.asyncio.Redis])
    async def test_a_client_is_read_and_never_used(self, own_valkey: EmbeddedServer, kind: Any) -> None:
        with client(own_valkey) as app:
            app.config_set("requirepass", SECRET)
        given = kind(port=own_valkey.port, password=SECRET, db=3, decode_responses=True, socket_timeout=60)
        async with watching(given) as monitor:
            await monitor.refresh()
            assert monitor.connected
            assert SECRET not in repr(monitor._target)
        assert given.connection_pool._available_connections == []

    async def test_a_client_made_from_a_url_with_tls_keeps_its_certificates(self) -> None:
        given = redis.Redis.from_url("rediss://example.org:6380", ssl_cert_reqs="none", ssl_check_hostname=False)
        tls = RedisMonitor("cache", given, Clock())._target.tls
        assert tls is not None
        assert (tls.cert_reqs, tls.check_hostname) == (ssl.CERT_NONE, False)

    async def test_a_credential_provider_is_asked(self, own_valkey: EmbeddedServer) -> None:
        class Provider(CredentialProvider):
            def get_credentials(self) -> tuple[str]:
                if not password:
                    raise ValueError(SECRET)
                return (password,)

            async def get_credentials_async(self) -> tuple[str]:
                return self.get_credentials()

        with client(own_valkey) as app:
            app.config_set("requirepass", "right")
        password = "right"
        async with watching(redis.Redis(port=own_valkey.port, credential_provider=Provider())) as monitor:
            await monitor.refresh()
        password = ""
        async with watching(redis.Redis(port=own_valkey.port, credential_provider=Provider())) as monitor:
            assert (await failing(monitor)).kind == "credentials"

    async def test_a_unix_socket(self, own_valkey: EmbeddedServer) -> None:
        # Not in tmp_path, which may be long: a socket's path has at most 107 bytes.
        with tempfile.TemporaryDirectory() as folder:
            await self._read_over(f"{folder}/valkey.sock", own_valkey)

    async def _read_over(self, path: str, server: EmbeddedServer) -> None:
        async with (
            listening(Line(server.port).carry, path),
            watching(redis.Redis(unix_socket_path=path)) as monitor,
        ):
            await monitor.refresh()
            assert monitor.address == path

    @pytest.mark.parametrize(
        "source",
        [
            f"http://user:{SECRET}@host",
            f"redis://:{SECRET}@host:notaport",
            f":{SECRET}@host",
            "",
            42,
            None,
            f"redis+cluster://:{SECRET}@host",  # which is no server, but several
            f"redis://:{SECRET}@one:1,two:2",
            f"rediss://:{SECRET}@host?ssl_cert_reqs={SECRET}",
        ],
    )
    async def test_what_cannot_be_watched_is_said_in_one_message(self, source: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            RedisMonitor("cache", source, Clock())
        assert "redis://" in str(caught.value)
        assert SECRET not in str(caught.value)
