"""One HTTP exchange with a receiver that may be slow, endless, or hostile, over a URL that is a secret."""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
from typing import Final

import httpx2
from typing_extensions import override

from dozor._version import __version__
from dozor.clock import Clock
from dozor.errors import ConfigurationError, DeliveryError
from dozor.notify.retry import retry_after_seconds

BODY_LIMIT_BYTES: Final = 65_536
_SHOWN_CHARACTERS: Final = 200
_WORTH_ANOTHER_TRY: Final = frozenset({408, 425, 429})

_exchanging: ContextVar[bool] = ContextVar("dozor_exchanging", default=False)


class _NotOurRequests(logging.Filter):
    """Keeps httpx2 from logging Dozor's own requests: it writes the whole URL, and in that of a chat lies its token."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return not _exchanging.get()


logging.getLogger("httpx2").addFilter(_NotOurRequests())


class ExchangeFailed(Exception):  # noqa: N818 - named for what is the case
    """No answer came. The text says why, without secrets."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a receiver answered; *headers* by lower-case name.

    *text* is the beginning of the body, fit to be shown; *body* all of it that was read, for those who must understand it.
    """

    status: int
    headers: Mapping[str, str]
    text: str = ""
    body: bytes = field(default=b"", repr=False)

    @property
    def ok(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


class HttpReceiver:
    """One URL. Used on one event loop at a time.

    Args:
        url: http or https. Only scheme and host are ever shown.
        key: what the user set it under, for the error.
        timeout_seconds: for the whole exchange, name resolution and body included.
        secrets: what else is sent and must not be shown, should the other side repeat it.

    Raises:
        ConfigurationError: this is no such URL.
    """

    def __init__(self, url: str, *, key: str, timeout_seconds: float = 10.0, secrets: Sequence[str] = ()) -> None:
        self._url = parse_url(url, key=key)
        self._timeout_seconds = timeout_seconds
        # The longest first: one may be a part of another.
        self._secrets = sorted({*secrets, *_secret_parts(self._url)} - {""}, key=len, reverse=True)
        self._client: httpx2.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"HttpReceiver({self.shown})"

    @property
    def shown(self) -> str:
        """The URL as it may be shown: path and query, which may hold a token, are left out."""
        port = f":{self._url.port}" if self._url.port else ""
        hidden = "/***" if self._url.raw_path not in {b"", b"/"} else ""
        return f"{self._url.scheme}://{self._url.host}{port}{hidden}"

    async def exchange(
        self, method: str, *, headers: Mapping[str, str] | None = None, content: bytes | None = None
    ) -> Reply:
        """Ask once, follow nothing, and read at most `BODY_LIMIT_BYTES`.

        The answer counts from its headers on: a body that breaks off or never ends takes nothing from it.

        Raises:
            ExchangeFailed: no headers came in time.
        """
        token = _exchanging.set(True)
        reply: Reply | None = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                client = await self._open_client()
                async with client.stream(method, self._url, headers=headers, content=content) as response:
                    reply = Reply(response.status_code, {k.lower(): v for k, v in response.headers.items()})
                    body = await _beginning(response)
                    reply = Reply(reply.status, reply.headers, self._clean(body.decode("utf-8", "replace")), body)
        except TimeoutError:
            if reply is None:
                raise ExchangeFailed(f"{self.shown} gave no answer within {self._timeout_seconds:g} s") from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError, ValueError) as error:
            if reply is None:
                raise ExchangeFailed(f"{self.shown}: {self._reason(error)}") from None
        finally:
            _exchanging.reset(token)
        return reply

    async def deliver(
        self, receiver: str, clock: Clock, *, headers: Mapping[str, str] | None = None, content: bytes
    ) -> Reply:
        """Post *content*, for the receiver of that name; a reply whose status is 2xx.

        Raises:
            DeliveryError: there was none.
        """
        try:
            reply = await self.exchange("POST", headers=headers, content=content)
        except ExchangeFailed as error:
            raise DeliveryError(receiver, str(error)) from None
        if not reply.ok:
            raise refusal(receiver, self.shown, reply, clock)
        return reply

    async def aclose(self) -> None:
        """Close what is open."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):
                await client.aclose()

    async def prepare(self) -> None:
        """Do now what the first exchange would wait for: reading the certificates of all authorities takes a while."""
        await self._open_client()

    async def _open_client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        if self._client is None or self._loop is not loop:  # Dozor was stopped and started: sockets belong to one loop
            client = await asyncio.to_thread(self._build_client)
            self._client, self._loop = client, loop
        return self._client

    def _build_client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            verify=_tls(),
            follow_redirects=False,
            timeout=self._timeout_seconds,
            # A message every few minutes has no use for a kept connection, which the other side may just be closing.
            limits=httpx2.Limits(max_keepalive_connections=0),
            headers={"user-agent": f"dozor/{__version__}", "accept-encoding": "identity"},
        )

    def _reason(self, error: Exception) -> str:
        kind = type(error).__name__
        said = self._clean(str(error))
        return f"{kind}: {said}" if said else kind

    def _clean(self, said: str) -> str:
        for secret in self._secrets:
            said = said.replace(secret, "/***" if secret.startswith("/") else "***")
        printable = "".join(char if char.isprintable() else " " for char in said)
        return " ".join(printable.split())[:_SHOWN_CHARACTERS]


def parse_url(url: str, *, key: str) -> httpx2.URL:
    """*url*, which a user set under *key*, if it is one to post to.

    Raises:
        ConfigurationError: it is not.
    """
    try:
        parsed = httpx2.URL(url)
    except (httpx2.InvalidURL, TypeError, ValueError):
        raise ConfigurationError("this is not a URL", key=key) from None
    if parsed.scheme not in {"http", "https"} or not parsed.host:
        raise ConfigurationError("the URL must begin with http:// or https:// and name a host", key=key)
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        raise ConfigurationError(f"{parsed.port} is no port", key=key)
    return parsed


def refusal(receiver: str, shown: str, reply: Reply, clock: Clock) -> DeliveryError:
    """What *reply*, which is not 2xx, of the URL that is shown as *shown*, means for the next attempt."""
    reason = f"{shown} answered {reply.status}"
    if 300 <= reply.status < 400:
        reason += ", a redirect, which is not followed: set the address that it leads to"
    elif reply.text:
        reason += f": {reply.text}"
    return DeliveryError(
        receiver,
        reason,
        recoverable=reply.status >= 500 or reply.status in _WORTH_ANOTHER_TRY,
        retry_after_seconds=retry_after_seconds(reply.headers.get("retry-after"), clock.now()),
    )


def _secret_parts(url: httpx2.URL) -> set[str]:
    path = url.raw_path.decode("ascii", "replace")
    return {str(url), url.password, *(part for part in (path, url.path) if part != "/")}


@cache
def _tls() -> ssl.SSLContext:
    """One for all receivers: it holds the certificates of all authorities, some megabytes read in a tenth of a second."""
    return httpx2.create_ssl_context()


async def _beginning(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_raw(16_384):
        body += chunk
        if len(body) >= BODY_LIMIT_BYTES:
            break
    return bytes(body[:BODY_LIMIT_BYTES])
