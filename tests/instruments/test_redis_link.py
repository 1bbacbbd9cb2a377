"""Logging in, keeping a connection, and whose it is."""

import asyncio
import os
from typing import Any

import psutil
import pytest
import redis
from tests.lines import listening

from dozor.demo.servers import EmbeddedServer
from dozor.instruments.redis_connection import AnswerError
from dozor.instruments.redis_failure import kind_of
from dozor.instruments.redis_link import RedisLink
from dozor.instruments.redis_target import RedisTarget

SECRET = "s3cr3t-canary"


def link_to(server: EmbeddedServer, login: str = "") -> RedisLink:
    return RedisLink(RedisTarget.of(f"redis://{login}127.0.0.1:{server.port}"))


def connections(server: EmbeddedServer) -> list[Any]:
    return [one for one in psutil.Process().net_connections() if one.raddr[1:] == (server.port,)]


@pytest.mark.anyio
async def test_a_user_of_its_own_logs_in_and_is_named(own_valkey: EmbeddedServer) -> None:
    with redis.Redis(port=own_valkey.port) as app:
        app.acl_setuser("watch", enabled=True, passwords=[f"+{SECRET}"], commands=["+client"])
        link = link_to(own_valkey, f"watch:{SECRET}@")
        await link.open()
        (me,) = [one for one in app.client_list() if one["user"] == "watch"]
        assert (me["name"], me["addr"]) == ("dozor", link.own_address)
    assert dict(link.sent.by_name) == {"auth": 1, "client": 1, "client|setname": 1}  # and no secret
    link.drop()


@pytest.mark.anyio
async def test_a_server_without_users_takes_the_password_alone() -> None:
    said: list[bytes] = []

    async def old(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            said.append(data)
            many = data.startswith(b"*3") and b"AUTH" in data
            writer.write(b"-ERR wrong number of arguments for 'auth' command\r\n" if many else b"+OK\r\n")

    async with listening(old) as port:
        link = RedisLink(RedisTarget.of(f"redis://default:{SECRET}@127.0.0.1:{port}"))
        await link.open()
        link.drop()
    assert [data.split(b"\r\n")[2] for data in said] == [b"AUTH", b"AUTH", b"CLIENT"]
    assert said[1] == b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n" % (len(SECRET), SECRET.encode())


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("greeting", "kind"),
    [
        (b"-ERR max number of clients reached\r\n", "maxclients"),
        (b"-DENIED Redis is running in protected mode\r\n", "denied"),
    ],
)
async def test_who_is_turned_away_is_told_why(greeting: bytes, kind: str) -> None:
    async def turns_away(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)

    async with listening(turns_away) as port:
        link = RedisLink(RedisTarget.of(f"redis://127.0.0.1:{port}"))
        with pytest.raises(AnswerError) as caught:
            await link.open()
        assert kind_of(caught.value) == kind
        assert not link.standing


@pytest.mark.anyio
async def test_a_full_server_says_so(own_valkey: EmbeddedServer) -> None:
    with redis.Redis(port=own_valkey.port) as app:
        app.config_set("maxclients", 1)
        with pytest.raises(AnswerError) as caught:
            await link_to(own_valkey).open()
        assert kind_of(caught.value) == "maxclients"


def test_another_loop_gets_another_connection_and_the_first_is_closed_there(own_valkey: EmbeddedServer) -> None:
    link = link_to(own_valkey)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        first.run_until_complete(link.open())
        second.run_until_complete(link.open())
        assert len(connections(own_valkey)) == 2
        first.run_until_complete(asyncio.sleep(0.01))
        assert len(connections(own_valkey)) == 1

        async def drop() -> None:
            link.drop()

        second.run_until_complete(drop())
        second.run_until_complete(asyncio.sleep(0.01))
        assert connections(own_valkey) == []
    finally:
        first.close()
        second.close()


@pytest.mark.anyio
async def test_a_fork_leaves_the_parents_connection_alone(
    own_valkey: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = link_to(own_valkey)
    await link.open()
    parents = link._connection
    assert parents is not None
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        assert not link.standing
        link.drop()
        await link.open()
        link.drop()
    assert await parents.ask([("PING",)]) == [b"PONG"]
    parents.abort()
