"""The application's own client: timed, and otherwise as it was."""

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import redis
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.instruments.redis_client_monitor import COMMANDS, RedisClientMonitor, command_name
from dozor.instruments.redis_client_pool import pool_figures
from dozor.instruments.work import Work, current_work

pytestmark = pytest.mark.anyio

SECRET = "s3cr3t-canary"


@contextmanager
def watching(client: Any) -> Iterator[RedisClientMonitor]:
    monitor = RedisClientMonitor("cache", client, Clock())
    monitor.attach()
    try:
        yield monitor
    finally:
        monitor.detach()


def counts(monitor: RedisClientMonitor) -> dict[str, float]:
    """How many calls of each command, and of each error."""
    return {
        sample.labels.get("command") or sample.labels.get("error"): sample.value
        for family in monitor.families()
        for sample in family.samples
        if sample.name in {"redis_client_command_seconds_count", "redis_client_errors_total"}
    }


@pytest.fixture
def client(valkey_database: str) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(valkey_database) as client:
        yield client


class TestSync:
    def test_commands_are_timed_by_name_and_results_are_the_same(self, client: Any) -> None:
        with watching(client) as monitor:
            assert client.set("k", SECRET) is True
            assert client.get("k") == SECRET.encode()
            assert client.execute_command(b"get", "k") == SECRET.encode()
            assert client.config_get("maxmemory") == {"maxmemory": "0"}
            assert counts(monitor) == {"SET": 1, "GET": 2, "CONFIG GET": 1}
            assert SECRET not in repr(monitor.families())

    def test_an_error_is_counted_and_is_the_applications_own(self, client: Any) -> None:
        client.set("k", "v")
        with watching(client) as monitor:
            with pytest.raises(redis.ResponseError, match="WRONGTYPE") as caught:
                client.lpush("k", 1)
            assert counts(monitor) == {"LPUSH": 1, "ResponseError": 1}
        assert sum("redis_client_calls.py" in str(entry.path) for entry in caught.traceback) == 1

    def test_a_pipeline_is_one_call_and_goes_when_it_is_let_go(self, client: Any) -> None:
        work = Work()
        token = current_work.set(work)
        with watching(client) as monitor:
            assert client.pipeline().set("a", 1).get("a").execute() == [True, b"1"]
            with client.pipeline(transaction=False) as pipe:
                assert isinstance(pipe, redis.client.Pipeline)
                assert type(pipe).__name__ == "Pipeline"
                assert pipe.execute() == []
            gc.disable()
            try:
                pipe = client.pipeline()
                pipe.watch("a")
                seen, connection = weakref.ref(pipe), pipe.connection
                del pipe
                assert seen() is None
                assert connection not in client.connection_pool._in_use_connections
            finally:
                gc.enable()

            def again(pipe: Any) -> None:
                pipe.multi()
                pipe.incr("a")

            assert client.transaction(again, "a") == [2]
            assert counts(monitor) == {"PIPELINE": 2}
        current_work.reset(token)
        assert work.redis_commands == 3
        assert work.redis_seconds > 0

    def test_detaching_leaves_no_trace(self, client: Any) -> None:
        before = dict(vars(client))
        with watching(client) as monitor:
            assert vars(client) != before
        assert vars(client) == before
        client.get("k")
        assert type(client.pipeline()) is redis.client.Pipeline
        assert counts(monitor) == {}

    def test_other_clients_of_the_same_pool_are_untouched(self, client: Any) -> None:
        other = redis.Redis(connection_pool=client.connection_pool)
        with watching(client) as monitor:
            other.get("k")
            assert counts(monitor) == {}

    def test_a_slow_call_is_kept_with_whom_it_was_for_and_the_line(self, client: Any) -> None:
        class Request(Work):
            @property
            def name(self) -> str:
                return "GET /orders/{id}"

        token = current_work.set(Request())
        with watching(client) as monitor:
            client.eval("for i = 1, 10000000 do end", 0)
            client.blpop(["nothing"], timeout=0.05)
            (call,) = monitor.slow_calls()
        current_work.reset(token)
        assert (call.command, call.work) == ("EVAL", "GET /orders/{id}")
        assert call.duration_seconds >= 0.01
        assert "test_redis_client_monitor.py" in str(call.caller)

    def test_threads_share_a_client_and_nothing_is_lost(self, client: Any) -> None:
        with watching(client) as monitor:
            threads = [threading.Thread(target=lambda: [client.incr("n") for _ in range(50)]) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert counts(monitor) == {"INCRBY": 400}

    def test_subscribing_works_as_ever(self, client: Any) -> None:
        with watching(client) as monitor, client.pubsub() as pubsub:
            pubsub.subscribe("news")
            assert client.publish("news", "x") in {0, 1}
            deadline = time.monotonic() + PATIENCE_SECONDS
            while (message := pubsub.get_message(timeout=0.1)) is None or message["type"] != "message":
                assert time.monotonic() < deadline
                client.publish("news", "y")
            assert set(counts(monitor)) == {"PUBLISH"}


class TestAsync:
    async def test_commands_pipelines_errors_and_cancellation(self, valkey_database: str) -> None:
        client: Any
        async with redis.asyncio.Redis.from_url(valkey_database) as client:
            before = dict(vars(client))
            with watching(client) as monitor:
                assert await client.set("k", "v") is True
                assert [*await asyncio.gather(client.get("k"), client.get("k"))] == [b"v", b"v"]
                async with client.pipeline(transaction=True) as pipe:
                    assert await pipe.set("a", 1).get("a").execute() == [True, b"1"]
                with pytest.raises(redis.ResponseError):
                    await client.lpush("k", 1)
                waiting = asyncio.create_task(client.blpop(["nothing"], timeout=0))
                await asyncio.sleep(0.01)
                waiting.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await waiting
                found = counts(monitor)
                assert found == {"SET": 1, "GET": 2, "PIPELINE": 1, "LPUSH": 1, "BLPOP": 1, "ResponseError": 1}
            assert vars(client) == before

    async def test_who_waits_for_a_connection_is_seen(self, valkey_database: str) -> None:
        client: Any
        pool: Any = redis.asyncio.BlockingConnectionPool.from_url(valkey_database, max_connections=2, timeout=30)
        async with redis.asyncio.Redis(connection_pool=pool) as client:
            held = [await pool.get_connection() for _ in range(2)]
            waiting = asyncio.create_task(client.get("k"))
            while pool_figures(client)["redis_client_pool_waiting"] == 0:
                await asyncio.sleep(0.001)
            assert pool_figures(client) == {
                "redis_client_pool_in_use": 2.0,
                "redis_client_pool_idle": 0.0,
                "redis_client_pool_max": 2.0,
                "redis_client_pool_available": 0.0,
                "redis_client_pool_waiting": 1.0,
            }
            for connection in held:
                await pool.release(connection)
            await waiting
            assert pool_figures(client)["redis_client_pool_in_use"] == 0.0
        await pool.disconnect()


class TestPool:
    def test_a_pool_that_blocks(self, valkey_database: str) -> None:
        pool: Any = redis.BlockingConnectionPool.from_url(valkey_database, max_connections=3, timeout=30)
        client = redis.Redis(connection_pool=pool)
        assert pool_figures(client)["redis_client_pool_idle"] == 0.0
        held = [pool.get_connection() for _ in range(3)]
        thread = threading.Thread(target=lambda: client.get("k"))
        thread.start()
        while pool_figures(client)["redis_client_pool_waiting"] == 0:
            time.sleep(0.001)
        assert pool_figures(client)["redis_client_pool_in_use"] == 3.0
        for connection in held:
            pool.release(connection)
        thread.join()
        assert pool_figures(client) == {
            "redis_client_pool_in_use": 0.0,
            "redis_client_pool_idle": 3.0,
            "redis_client_pool_max": 3.0,
            "redis_client_pool_available": 3.0,
            "redis_client_pool_waiting": 0.0,
        }
        pool.disconnect()

    def test_a_pool_without_a_limit_has_no_room_that_could_run_out(self) -> None:
        client = redis.Redis(max_connections=2**31)
        assert pool_figures(client) == {
            "redis_client_pool_in_use": 0.0,
            "redis_client_pool_idle": 0.0,
            "redis_client_pool_waiting": 0.0,
        }

    def test_what_is_no_pool_is_unknown_and_no_error(self) -> None:
        class Strange:
            connection_pool = object()

        assert pool_figures(Strange()) == {}
        with watching(Strange()) as monitor:
            assert monitor.families() == []


def test_commands_made_up_by_the_application_are_bounded(client: Any) -> None:
    with watching(client) as monitor:
        for number in range(COMMANDS + 20):
            with pytest.raises(redis.ResponseError):
                client.execute_command(f"NOSUCH{number}")
        found = counts(monitor)
        assert found["other"] == 20
        assert len(found) == COMMANDS + 2


@given(st.text() | st.binary() | st.integers() | st.none())
def test_any_first_argument_has_a_name(given: Any) -> None:
    assert command_name(given) == command_name(given).upper() or command_name(given) == "other"
