"""What goes out and what comes back, whatever the pieces that it comes in; how a connection ends."""

import asyncio
import contextlib
import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.lines import listening
from tests.patience import PATIENCE_SECONDS
from typing_extensions import override

from dozor.demo.servers import EmbeddedServer
from dozor.instruments import redis_connection
from dozor.instruments.redis_connection import AnswerError, ProtocolError, RedisConnection

pytestmark = pytest.mark.anyio

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connected(port: int, host: str = "127.0.0.1") -> RedisConnection:
    connection = RedisConnection()
    await connection.tcp(host, port)
    return connection


class Outbox(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""

    @override
    def write(self, data: Any) -> None:
        self.written += data

    @override
    def abort(self) -> None:
        pass


def written(value: Any) -> bytes:
    match value:
        case None:
            return b"$-1\r\n"
        case int():
            return b":%d\r\n" % value
        case bytes():
            return b"$%d\r\n%s\r\n" % (len(value), value)
        case AnswerError():
            return b"-%s\r\n" % str(value).encode()
    return b"*%d\r\n" % len(value) + b"".join(map(written, value))


def comparable(value: Any) -> Any:
    return [comparable(each) for each in value] if isinstance(value, list) else str(value)


ERRORS = st.sampled_from(["ERR out of luck", "NOPERM no", "LOADING ü"]).map(AnswerError)
VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.binary(max_size=40) | ERRORS
ANSWERS = st.lists(
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3), max_leaves=8), min_size=1, max_size=4
)


@given(ANSWERS, st.lists(st.integers(1, 30), max_size=30))
def test_answers_are_the_same_in_whatever_pieces_they_come(answers: list[Any], sizes: list[int]) -> None:
    async def asked() -> list[Any]:
        connection, outbox = RedisConnection(), Outbox()
        connection.connection_made(outbox)
        asking = asyncio.ensure_future(connection.ask([("ECHO", "ü", b"\0")] * len(answers)))
        await asyncio.sleep(0)
        assert outbox.written == b"*3\r\n$4\r\nECHO\r\n$2\r\n\xc3\xbc\r\n$1\r\n\0\r\n" * len(answers)
        data = b"".join(map(written, answers))
        for size in (*sizes, len(data)):
            if data:
                connection.data_received(data[:size])
                data = data[size:]
        return await asking

    assert comparable(asyncio.run(asked())) == comparable(answers)


@given(st.binary(min_size=1, max_size=60))
def test_whatever_comes_is_an_answer_or_an_error_and_no_other_exception(data: bytes) -> None:
    async def asked() -> None:
        connection = RedisConnection()
        connection.connection_made(Outbox())
        connection.data_received(data)
        connection.connection_lost(None)
        with contextlib.suppress(ProtocolError, ConnectionResetError):
            assert len(await connection.ask([("PING",)])) == 1

    asyncio.run(asked())


async def test_a_real_server_answers(own_valkey: EmbeddedServer) -> None:
    connection = await connected(own_valkey.port)
    try:
        pong, unknown, none = await connection.ask([("PING",), ("NONSENSE",), ("GET", "no such key here")])
        assert (pong, none) == (b"PONG", None)
        assert isinstance(unknown, AnswerError)
        assert str(unknown).startswith("ERR unknown command")
        (told,) = await connection.ask([("CLIENT", "INFO")])
        assert connection.own_address is not None
        assert f" addr={connection.own_address[0]}:{connection.own_address[1]} ".encode() in told
    finally:
        connection.abort()


async def test_a_host_has_several_addresses_of_which_one_is_enough(own_valkey: EmbeddedServer) -> None:
    connection = await connected(own_valkey.port, "localhost")
    assert await connection.ask([("PING",)]) == [b"PONG"]
    connection.abort()


async def test_a_server_that_says_all_it_has_to_say_before_it_is_asked() -> None:
    async def turns_away(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"-ERR max number of clients reached\r\n")

    async with listening(turns_away) as port:
        connection = await connected(port)
        ended = asyncio.Event()
        connection.on_end = ended.set
        await asyncio.wait_for(ended.wait(), PATIENCE_SECONDS)
        (answer,) = await connection.ask([("PING",)])
        assert str(answer) == "ERR max number of clients reached"
        with pytest.raises(ConnectionResetError):
            await connection.ask([("PING",)])
        connection.abort()


async def test_its_end_is_told_once_or_raised_where_somebody_waits(own_valkey: EmbeddedServer) -> None:
    ends: list[str] = []
    idle, asking, closed = [await connected(own_valkey.port) for _ in range(3)]
    idle.on_end, closed.on_end = lambda: ends.append("idle"), lambda: ends.append("closed")
    closed.abort()
    waiting = asyncio.ensure_future(asking.ask([("BLPOP", "k", "0")]))
    await asyncio.sleep(0.01)
    own_valkey.kill()
    with pytest.raises(ConnectionResetError):
        await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not ends:
            await asyncio.sleep(0.001)
    for connection in (idle, asking):
        connection.abort()
    await asyncio.sleep(0.01)
    assert ends == ["idle"]


async def test_who_gives_up_leaves_no_connection_behind() -> None:
    accepted: asyncio.Queue[Streams] = asyncio.Queue()

    async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await accepted.put((reader, writer))
        await asyncio.Event().wait()

    async def closed_by_client() -> None:
        reader, _ = await accepted.get()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await reader.read(1000):
                pass

    async with listening(says_nothing) as port:
        connection = await connected(port)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connection.ask([("PING",)]), 0.01)
        await closed_by_client()
        with pytest.raises(TimeoutError):  # in the midst of the handshake
            await asyncio.wait_for(RedisConnection().tcp("127.0.0.1", port, ssl.create_default_context()), 0.05)
        await closed_by_client()


@pytest.mark.parametrize("data", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"*99999999999999\r\n", b"$-7\r\n", b"x" * 2000])
async def test_what_is_no_answer_ends_it(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connection, "MOST_BYTES", 1000)

    async def talks(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"$5000\r\n" + data if data.startswith(b"x") else data)
        await asyncio.Event().wait()

    async with listening(talks) as port:
        connection = await connected(port)
        with pytest.raises(ProtocolError):
            await asyncio.wait_for(connection.ask([("PING",)]), PATIENCE_SECONDS)
        connection.abort()
