"""What Dozor reads from other servers by HTTP: their addresses, bodies within limits, and words for what went wrong."""

import logging
import time
import zlib
from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import httpx2
from typing_extensions import override

from dozor._version import __version__
from dozor.errors import ConfigurationError

USER_AGENT: Final = f"Dozor/{__version__}"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_GZIP_OR_ZLIB: Final = 47

_reading: ContextVar[bool] = ContextVar("dozor_reading", default=False)


class _NotOurReading(logging.Filter):
    """Keeps httpx2 from logging a line for each of Dozor's own requests: there is one every few seconds, for ever."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return not _reading.get()


logging.getLogger("httpx2").addFilter(_NotOurReading())


@contextmanager
def unlogged() -> Iterator[None]:
    """Requests made in the body are no news to anybody."""
    token = _reading.set(True)
    try:
        yield
    finally:
        _reading.reset(token)


class BodyTooLargeError(Exception):
    """A body is longer than is read, packed or unpacked."""


class Address:
    """A URL taken apart: what is asked, and the credentials in it, which are never shown.

    Raises:
        ConfigurationError: it is no http or https URL.
    """

    def __init__(self, url: str) -> None:
        try:
            parsed = httpx2.URL(url)
        except (httpx2.InvalidURL, TypeError, ValueError):
            # The words of the error may repeat the URL, and with it a password.
            raise ConfigurationError("this is not a URL; write one like https://host/path") from None
        if parsed.scheme not in _DEFAULT_PORTS or not parsed.host:
            raise ConfigurationError("this is not the URL of a web server; write one like https://host/path")
        self.basic = (parsed.username, parsed.password) if parsed.username or parsed.password else None
        """User and password, for HTTP's basic authentication."""
        self.url = parsed.copy_with(username="", password="", fragment=None)
        """Without credentials."""
        host = f"[{parsed.host}]" if ":" in parsed.host else parsed.host
        self.instance = f"{host}:{parsed.port or _DEFAULT_PORTS[parsed.scheme]}"
        """`HOST:PORT`, as Prometheus labels a target."""
        port = f":{parsed.port}" if parsed.port else ""
        self.shown = f"{parsed.scheme}://{host}{port}{parsed.path}"
        """Without credentials, and without the query, which may hold a token."""

    def __repr__(self) -> str:
        return f"Address({self.shown})"


class Unpacking:
    """Puts the pieces of a body together, unpacked from *encoding* (`gzip`, `deflate` or none), up to *limit* bytes.

    Own, because the HTTP library unpacks each piece without a limit: a megabyte of zeros arrives as a kilobyte.
    """

    def __init__(self, encoding: str, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()
        self._packed = zlib.decompressobj(_GZIP_OR_ZLIB) if encoding.strip().lower() in {"gzip", "deflate"} else None

    def add(self, piece: bytes) -> None:
        """Take the next piece. Raises BodyTooLargeError, or zlib.error where it is not what was said."""
        room = self._limit + 1 - len(self._body)
        self._body += piece if self._packed is None else self._packed.decompress(piece, room)
        if len(self._body) > self._limit:
            raise BodyTooLargeError

    @property
    def body(self) -> bytes:
        """All of it. Raises zlib.error where the end is missing."""
        if self._packed is not None and not self._packed.eof:
            raise zlib.error("the packed body breaks off")
        return bytes(self._body)


async def read_async(response: httpx2.Response, limit: int) -> bytes:
    """The body of a streamed *response*. Raises BodyTooLargeError beyond *limit* bytes, zlib.error."""
    unpacking = Unpacking(response.headers.get("content-encoding", ""), limit)
    pieces: AsyncIterable[bytes] = response.aiter_raw()
    async for piece in pieces:
        unpacking.add(piece)
    return unpacking.body


def read(response: httpx2.Response, limit: int, until: float) -> bytes:
    """As `read_async`, of a blocking client's *response*. Raises TimeoutError where it goes on after *until* (monotonic seconds).

    A client's own timeout is for each piece: an answer that comes drop by drop would never end.
    """
    unpacking = Unpacking(response.headers.get("content-encoding", ""), limit)
    pieces: Iterable[bytes] = response.iter_raw()
    for piece in pieces:
        unpacking.add(piece)
        if time.monotonic() > until:
            raise TimeoutError
    return unpacking.body


def in_words(error: Exception) -> str:
    """What went wrong in an exchange, without anything that may be secret."""
    match error:
        case BodyTooLargeError():
            return "its answer is too long"
        case TimeoutError() | httpx2.TimeoutException():
            return "it gave no answer in time"
        case httpx2.TooManyRedirects():
            return "it sends on from one address to the next without end"
        case httpx2.ConnectError():
            return "nothing answers there" + (f" ({error})" if str(error) else "")
        case zlib.error():
            return "its answer is packed, and cannot be unpacked"
        case _:
            return f"the exchange broke off ({type(error).__name__})"
