"""One Prometheus-compatible server, asked by its HTTP API; blocking, so for threads of its own."""

import threading
import time
from collections.abc import Mapping
from typing import Final

import httpx2
import msgspec

from dozor.errors import PromQLError, QueryLimitError
from dozor.store.matchers import Matcher, MatchOperator
from dozor.store.wire import WireError, WireReader, WireSeries, message, pack, unpack
from dozor.web import USER_AGENT, Address, BodyTooLargeError, in_words, read, unlogged

BODY_LIMIT_BYTES: Final = 64 * 2**20

# What a server says that has no remote read.
_NOT_THERE: Final = frozenset({404, 405, 410, 501})
_MATCHER_TYPES: Final = {
    MatchOperator.EQUAL: 0,
    MatchOperator.NOT_EQUAL: 1,
    MatchOperator.REGEX: 2,
    MatchOperator.NOT_REGEX: 3,
}
_READ_HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "snappy",
    "X-Prometheus-Remote-Read-Version": "0.1.0",
}
_SHOWN_CHARACTERS: Final = 300


class ServerUnreachable(PromQLError):  # noqa: N818 - named for what is the case
    """No answer came. Another question would not get one either."""


Point = tuple[float, str]
"""Unix seconds, and the value as text."""


class ServerSeries(msgspec.Struct):
    """One series of an answer; *metric* as it came, since it is the same each time."""

    metric: msgspec.Raw
    value: Point | None = None
    values: list[Point] = []


class _Data(msgspec.Struct):
    result: list[ServerSeries] = []


class _Answer(msgspec.Struct):
    status: str = ""
    error: str = ""
    data: _Data | None = None


class _Labels(msgspec.Struct):
    data: list[dict[str, str]] = []


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_LABELS: Final = msgspec.json.Decoder(_Labels)


class MetricsServer:
    """The server at *url*, which may have a path before `/api/v1`. Safe in any thread.

    Every method raises PromQLError where the server does not answer, refuses, or says too much.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(self, url: str, *, timeout_seconds: float = 10.0) -> None:
        self._address = Address(url.rstrip("/"))
        self._timeout_seconds = timeout_seconds
        self._opening = threading.Lock()
        self._client: httpx2.Client | None = None

    @property
    def shown(self) -> str:
        """The URL without what may be secret."""
        return self._address.shown

    def query(self, expression: str, at: int) -> list[ServerSeries]:
        """What *expression* gives at *at*, in Unix milliseconds."""
        body = self._ask("query", {"query": expression, "time": f"{at / 1000:.3f}"})
        try:
            answer = _ANSWER.decode(body)
        except msgspec.DecodeError:
            raise self._error("its answer is not that of a Prometheus") from None
        return answer.data.result if answer.data is not None else []

    def series(self, selector: str, start: int, end: int) -> list[dict[str, str]]:
        """The labels of the series that match *selector* and have samples from *start* to *end*, in Unix milliseconds."""
        body = self._ask("series", {"match[]": selector, "start": f"{start / 1000:.3f}", "end": f"{end / 1000:.3f}"})
        try:
            return _LABELS.decode(body).data
        except msgspec.DecodeError:
            raise self._error("its answer is not that of a Prometheus") from None

    def read(self, matchers: tuple[Matcher, ...], start: int, end: int, reader: WireReader) -> list[WireSeries] | None:
        """The samples from *start* to *end*, staleness markers among them, by remote read; None where the server has none."""
        wanted = [
            (3, message((1, _MATCHER_TYPES[one.operator]), (2, one.name.encode()), (3, one.value.encode())))
            for one in matchers
        ]
        request = pack(message((1, message((1, start), (2, end), *wanted))))
        status, body = self._exchange("read", _READ_HEADERS, content=request)
        if status in _NOT_THERE:
            return None
        if status != 200:
            raise self._refused(status, body)
        try:
            return list(reader.read_response(unpack(body, BODY_LIMIT_BYTES)))
        except WireError as error:
            raise self._error(f"its answer cannot be read: {error}") from None

    def close(self) -> None:
        """Close what is open."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _ask(self, what: str, form: Mapping[str, str]) -> bytes:
        status, body = self._exchange(what, {}, form=form)
        if status != 200:
            raise self._refused(status, body)
        return body

    def _exchange(
        self,
        what: str,
        headers: Mapping[str, str],
        *,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> tuple[int, bytes]:
        url, until = f"{self._address.url}/api/v1/{what}", time.monotonic() + self._timeout_seconds
        try:
            with (
                unlogged(),
                self._open().stream(
                    "POST",
                    url,
                    headers={"Accept-Encoding": "gzip", "User-Agent": USER_AGENT, **headers},
                    auth=self._address.basic,
                    data=dict(form) if form is not None else None,
                    content=content,
                ) as response,
            ):
                if response.headers.get("content-encoding") == "snappy":  # packed as a whole, which the caller unpacks
                    del response.headers["content-encoding"]
                return response.status_code, read(response, BODY_LIMIT_BYTES, until)
        except (TimeoutError, httpx2.TimeoutException):
            raise ServerUnreachable(f"the metrics server {self.shown}: it gave no answer in time") from None
        except BodyTooLargeError:
            raise QueryLimitError(
                f"the metrics server {self.shown}: it answers with more than {BODY_LIMIT_BYTES >> 20} MiB; narrow the selector"
            ) from None
        except Exception as error:  # noqa: BLE001 - the library's, the system's: the server cannot be asked
            raise ServerUnreachable(f"the metrics server {self.shown}: {in_words(error)}") from None

    def _open(self) -> httpx2.Client:
        with self._opening:
            if self._client is None:
                self._client = httpx2.Client(timeout=self._timeout_seconds, trust_env=False, follow_redirects=False)
            return self._client

    def _refused(self, status: int, body: bytes) -> PromQLError:
        try:
            said = _ANSWER.decode(body).error
        except msgspec.DecodeError:
            said = ""
        printable = "".join(character for character in said if character.isprintable())[:_SHOWN_CHARACTERS]
        return self._error(f"it answers with status {status}" + (f": {printable}" if printable else ""))

    def _error(self, reason: str) -> PromQLError:
        return PromQLError(f"the metrics server {self.shown}: {reason}")
