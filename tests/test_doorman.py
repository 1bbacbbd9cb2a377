"""A doorman answers what is plain, and leaves the rest to uvicorn as it came."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port

from dozor.doorman import Answer, Doorman, read_head
from dozor.serving import EarlyServer

GET = b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    said = f"{scope['method']} {scope['path']} {len(body)}".encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(said))]})
    await send({"type": "http.response.body", "body": said})


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def server(port: int) -> Iterator[EarlyServer]:
    server = EarlyServer(f"127.0.0.1:{port}")
    yield server
    server.abandon()


@pytest.fixture
def client(server: EarlyServer, port: int) -> "Iterator[Client]":
    with closing(Client(port)) as client:
        yield client


def opened(server: EarlyServer, **plain: Answer | None) -> None:
    """Dozor has started, and has these plain answers."""

    def saying(said: Answer | None) -> Callable[[Any], Answer | None]:
        return lambda _: said

    async def call() -> None:
        server.front.open(lambda: _echo, {f"/{name}": saying(said) for name, said in plain.items()})

    server.runtime.submit(call()).result()


class Client:
    """A connection to it."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)

    def send(self, *parts: bytes) -> None:
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            self._socket.sendall(part)

    def receive(self, method: str = "GET") -> tuple[HTTPResponse, bytes]:
        response = HTTPResponse(_Unbuffered(self._socket), method=method)  # type: ignore[arg-type]
        response.begin()
        return response, response.read()

    def ask(self, request: bytes, method: str = "GET") -> tuple[int, bytes]:
        self.send(request)
        response, body = self.receive(method)
        return response.status, body

    def ended(self) -> bool:
        """Waits for the end, or for something to come."""
        try:
            return self._socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def close(self) -> None:
        self._socket.close()


class _Unbuffered:
    """A socket whose file takes no more of it than it is asked for: several responses come on one connection."""

    def __init__(self, given: socket.socket) -> None:
        self._socket = given

    def makefile(self, _mode: str) -> Any:
        return self._socket.makefile("rb", buffering=0)


def test_one_connection_is_answered_again_and_again(server: EarlyServer, client: Client) -> None:
    opened(server, readyz=Answer(503, b"not ready", b"text/plain"))
    client.send(GET % b"/readyz")
    response, body = client.receive()
    assert (response.status, response.reason, body) == (503, "Service Unavailable", b"not ready")
    assert response.getheader("content-type") == "text/plain"
    assert response.getheader("cache-control") == "no-store"
    assert parsedate_to_datetime(response.getheader("date", "")).tzinfo is not None
    assert client.ask(GET % b"/health?from=probe") == (200, b'{"status":"ok"}')
    assert client.ask(b"HEAD /livez HTTP/1.1\r\nhost: x\r\n\r\n", "HEAD") == (200, b"")
    assert client.ask(GET % b"/livez") == (200, b'{"status":"ok"}')


def test_requests_may_come_in_pieces_and_several_at_once(client: Client) -> None:
    client.send(*(bytes([byte]) for byte in GET % b"/health"))
    assert client.receive()[0].status == 200
    client.send(GET % b"/health" + GET % b"/livez" + (GET % b"/health")[:9])
    assert [client.receive()[0].status for _ in range(2)] == [200, 200]
    client.send((GET % b"/health")[9:])
    assert client.receive()[0].status == 200


class Slow(asyncio.Transport):
    """A transport whose client takes nothing for now."""

    def __init__(self) -> None:
        super().__init__({"peername": ("127.0.0.1", 4711)})
        self.written: list[bytes] = []
        self.reading = True

    def write(self, data: Any) -> None:
        self.written.append(data)

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


def test_who_takes_no_answers_is_given_no_more_of_them() -> None:
    """Requests one after another, whose answers nobody reads, wait in the client, and not as answers in Dozor's memory."""

    async def scene() -> None:
        answered = asyncio.Queue[None]()

        async def answer(_scope: Any) -> Answer:
            answered.put_nowait(None)
            return Answer(200, b"x" * 100_000)

        async def leave(_transport: asyncio.Transport, _received: bytes) -> None:
            raise AssertionError("all of it is plain")

        transport, doorman = Slow(), Doorman(answer, leave, set())
        doorman.connection_made(transport)
        doorman.pause_writing()
        doorman.data_received(GET % b"/metrics" + GET % b"/metrics")
        await answered.get()
        for _ in range(10):
            await asyncio.sleep(0)
        assert (len(transport.written), answered.empty(), transport.reading) == (1, True, False)
        doorman.resume_writing()
        await answered.get()
        doorman.connection_lost(None)

    asyncio.run(scene())


def test_it_closes_where_the_client_wants_it(client: Client) -> None:
    client.send(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Close\r\n\r\n")
    assert client.receive()[0].getheader("connection") == "close"
    assert client.ended()


def test_what_has_no_plain_answer_is_uvicorns_from_then_on(server: EarlyServer, client: Client) -> None:
    opened(server, metrics=None)
    assert client.ask(GET % b"/health") == (200, b'{"status":"ok"}')
    assert client.ask(GET % b"/metrics") == (200, b"GET /metrics 0")
    assert client.ask(GET % b"/health") == (200, b'{"status":"ok"}')
    body = b"x" * 1_000_000
    assert client.ask(b"PUT /a%%20b HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)) == (
        200, b"PUT /a b 1000000",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (
            b"POST /health HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"POST /health 3",
        ),
        (b"GET /health HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nGET ", b'{"status":"ok"}'),
        (b"GET /h%65alth HTTP/1.1\r\nHost: x\r\n\r\n", b'{"status":"ok"}'),
        (b"GET /health HTTP/1.0\r\n\r\n", b'{"status":"ok"}'),
        (b"GET /x HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 15_000 + b"\r\n\r\n", b"GET /x 0"),
    ],
)
def test_what_is_not_plain_is_left_as_it_came(
    server: EarlyServer, client: Client, request_: bytes, said: bytes
) -> None:
    opened(server)
    assert client.ask(request_) == (200, said)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET /health HTTP/1.1\nHost: x\r\nA: \x00\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 20_000,
    ],
)
def test_what_is_wrong_uvicorn_refuses(client: Client, request_: bytes) -> None:
    assert client.ask(request_)[0] == 400
    assert client.ended()


def test_before_dozor_has_started_all_but_liveness_waits(server: EarlyServer, client: Client, port: int) -> None:
    client.send(GET % b"/readyz")
    with closing(Client(port)) as other, closing(Client(port)) as gone:
        gone.send(GET % b"/readyz")
        gone.close()
        assert other.ask(GET % b"/health")[0] == 200
    opened(server, readyz=Answer(200, b"ready"))
    assert client.receive()[1] == b"ready"


def test_its_connections_end_with_the_server(server: EarlyServer, client: Client, port: int) -> None:
    opened(server)
    with closing(Client(port)) as handed, closing(Client(port)) as waiting:
        assert client.ask(GET % b"/health")[0] == 200
        assert handed.ask(GET % b"/x")[0] == 200
        waiting.send(b"GET /hea")
        server.runtime.submit(server.stop()).result(PATIENCE_SECONDS)
        assert client.ended()
        assert handed.ended()
        assert waiting.ended()


def test_where_uvicorn_cannot_be_loaded_the_connection_ends_and_probes_are_answered(
    server: EarlyServer, client: Client, port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_given: object) -> None:
        raise ImportError("no uvicorn")

    opened(server)
    monkeypatch.setattr("dozor.serving.OwnServer", fail)
    client.send(GET % b"/x")
    assert client.ended()
    assert "no uvicorn" in caplog.text
    with closing(Client(port)) as other:
        assert other.ask(GET % b"/health")[0] == 200


tokens = st.from_regex(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,6}", fullmatch=True)
values = st.binary(max_size=8) | st.from_regex(rb"[ -~\t]{0,8}", fullmatch=True)
headers = st.tuples(
    st.sampled_from([b"host", b"Host", b"Accept", b"Connection", b"Content-Length", b"Transfer-Encoding"]) | tokens,
    st.sampled_from([b": ", b":", b" :", b":\t "]),
    values,
)
targets = st.sampled_from([b"/health", b"/metrics?x=1", b"*", b"http://x/health", b"/%68"]) | st.binary(max_size=8)
first_lines = st.builds(
    b"%s %s %s".__mod__,
    st.tuples(
        st.sampled_from([b"GET", b"HEAD", b"get", b"POST"]), targets, st.sampled_from([b"HTTP/1.1", b"HTTP/1.0"])
    ),
)


@given(first_lines, st.lists(headers, max_size=4))
def test_what_it_takes_as_plain_h11_reads_alike(first: bytes, lines: list[tuple[bytes, bytes, bytes]]) -> None:
    head = b"\r\n".join([first, b"Host: a", *map(b"".join, lines)])
    scope = read_head(head)
    if scope is None:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head + b"\r\n\r\n")
    event = connection.next_event()
    assert isinstance(event, h11.Request)
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    path, _, query = event.target.partition(b"?")
    assert (scope["method"], scope["path"], scope["query_string"]) == (event.method.decode(), path.decode(), query)
    assert scope["headers"] == [tuple(pair) for pair in event.headers]


def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch, server: EarlyServer, client: Client) -> None:
    monkeypatch.setattr("dozor.doorman.IDLE_SECONDS", 0.05)
    assert client.ask(GET % b"/health")[0] == 200
    assert client.ended()
