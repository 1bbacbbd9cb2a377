"""One GET request and its response, on their way through the cache."""

import time
from contextlib import suppress
from typing import Final

import msgspec
from hishel import NeedRevalidation
from msgspec import Struct
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dozor.containment import contained, report
from dozor.instruments.http_route import RouteNames
from dozor.response_cache import policy
from dozor.response_cache.connection import CacheUnavailable
from dozor.response_cache.entries import EntryStore, Found, StoredResponse
from dozor.response_cache.metrics import ResponseCacheMetrics, Result
from dozor.response_cache.rfc9111 import Plan, conditional, confirmed, header_name, judge, plan
from dozor.response_cache.routing import Routing

# What a 304 repeats of the response that it stands for (RFC 9110, 15.4.5).
_REPEATED: Final = frozenset({"cache-control", "content-location", "date", "etag", "expires", "vary"})
_NO_BODY: Final = frozenset({204, 304})


class Cache(Struct, frozen=True):
    """What all exchanges of a middleware share."""

    app: ASGIApp
    store: EntryStore
    metrics: ResponseCacheMetrics
    default_ttl: int | None
    max_body_bytes: int
    route_names: RouteNames


class Exchange:
    """Answers one GET request from the cache, or passes it to the handler and keeps what comes back if it may."""

    def __init__(self, cache: Cache, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        self._cache, self._url = cache, url
        self._scope, self._receive, self._send = scope, receive, send
        self._request = policy.joined(scope["headers"])
        self._unrouted = dict(scope)
        self._routing = Routing(cache.route_names, scope)

    async def run(self) -> None:
        """Answer the request."""
        if (reason := policy.bypass_reason(self._request)) is not None:
            await self._pass_untouched(f"fwd=bypass; detail={reason}", "bypass")
            return
        try:
            found = await self._cache.store.find(self._url, self._request)
        except CacheUnavailable:
            await self._pass_untouched("fwd=bypass; detail=redis-unavailable", "error")
            return
        planned = self._plan(found)
        if planned is None:
            await self._pass_untouched("fwd=bypass; detail=internal-error", "error")
        elif planned.use is not None:
            self._cache.metrics.count_request("hit")
            self._routing.stand_in(planned.use.route)
            ttl = planned.use.fresh_seconds - planned.use.age(time.time())
            await self.answer(planned.use, f"hit; ttl={ttl}")
        elif "only-if-cached" in policy.directives(self._request.get("cache-control")):
            self._cache.metrics.count_request("miss")
            await self._refuse()
        else:
            await self._ask_handler(planned, found)

    def _plan(self, found: Found) -> Plan | None:
        try:
            return plan(self._url, self._request, found)
        except Exception:  # noqa: BLE001 - the handler answers
            report("response_cache.plan")
            return None

    async def _ask_handler(self, planned: Plan, found: Found) -> None:
        # The request's own scope: who counts requests sees in it, while the handler works, how it was routed.
        scope = self._scope
        if planned.confirm is not None and found.response is not None:
            confirmation = _Confirmation(self, found, found.response, planned.confirm, planned.reason)
            headers = conditional(self._scope["headers"], planned.confirm)
            await self._ask({**self._unrouted, "headers": headers}, confirmation.send)
            if not confirmation.must_ask_again:
                return
            scope = dict(self._unrouted)
        await self._ask(scope, _Passage(self, found, planned.reason).send)

    async def _ask(self, scope: Scope, send: Send) -> None:
        """Let the handler answer the request in *scope*, which nobody has routed yet."""

        async def adopt_and_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._routing.adopt(scope)
            await send(message)

        try:
            await self._cache.app(scope, self._receive, adopt_and_send)
        finally:
            self._routing.adopt(scope)

    async def _pass_untouched(self, status: str, result: Result) -> None:
        self._cache.metrics.count_request(result)

        async def send(message: Message) -> None:
            await self._send(_with_cache_status(message, status))

        await self._cache.app(self._scope, self._receive, send)

    async def forward(self, message: Message, status: str) -> None:
        """Send *message* on; the one that begins the response with *status* for `Cache-Status`."""
        await self._send(_with_cache_status(message, status))

    async def answer(self, kept: StoredResponse, status: str) -> None:
        """Send *kept*, or 304 where the client has it already."""
        headers = list(kept.headers)
        code, body = kept.status, kept.body
        if code == 200 and policy.not_modified(self._request, policy.joined(headers)):
            code, body = 304, b""
            headers = [pair for pair in headers if header_name(pair) in _REPEATED]
        elif code not in _NO_BODY and all(header_name(pair) != "content-length" for pair in headers):
            headers.append((b"content-length", str(len(body)).encode()))
        headers.append((b"age", str(kept.age(time.time())).encode()))
        await self.forward({"type": "http.response.start", "status": code, "headers": headers}, status)
        await self._send({"type": "http.response.body", "body": body})

    def judge(self, message: Message) -> StoredResponse | str:
        """Whether the response that *message* begins may be kept: without its body yet, or why not."""
        judged: StoredResponse | str = "internal-error"
        with contained("response_cache.judge"):
            headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
            judged = judge(self._url, self._request, message["status"], headers, default_ttl=self._cache.default_ttl)
            if isinstance(judged, StoredResponse):
                judged = msgspec.structs.replace(judged, route=self._routing.template())
            length = policy.whole_number(policy.joined(headers).get("content-length"))
            if message.get("trailers") or (length or 0) > self._cache.max_body_bytes:
                judged = "trailers" if message.get("trailers") else "too-large"
        self._cache.metrics.count_request("bypass" if isinstance(judged, str) else "miss")
        return judged

    async def keep(self, response: StoredResponse, found: Found) -> None:
        """Keep *response*, if Redis takes it."""
        with contained("response_cache.keep"), suppress(CacheUnavailable):
            headers = policy.joined(response.headers)
            seconds = policy.keep_seconds(response.fresh_seconds, response.initial_age, headers)
            length = str(len(response.body))
            whole = response.status in _NO_BODY or headers.get("content-length", length) == length
            if whole and seconds > 0:
                await self._cache.store.keep(response, found.variants, seconds)
                self._cache.metrics.count_stored()

    async def forget(self) -> None:
        """Forget what is kept: it has been overtaken by a response that may not be kept."""
        with contained("response_cache.forget"), suppress(CacheUnavailable):
            await self._cache.store.forget(self._url)

    def count_revalidated(self) -> None:
        """The handler confirmed what is kept."""
        self._cache.metrics.count_request("revalidated")

    @property
    def max_body_bytes(self) -> int:
        """The longest body that is kept."""
        return self._cache.max_body_bytes

    async def _refuse(self) -> None:
        headers = [(b"content-length", b"0")]
        await self.forward({"type": "http.response.start", "status": 504, "headers": headers}, "detail=only-if-cached")
        await self._send({"type": "http.response.body", "body": b""})


class _Passage:
    """The handler's response on its way to the client; beside it a bounded copy is gathered for keeping."""

    def __init__(self, exchange: Exchange, found: Found, reason: str) -> None:
        self._exchange, self._found, self._reason = exchange, found, reason
        self._draft: StoredResponse | None = None
        self._must_forget = False
        self._chunks: list[bytes] = []
        self._size = 0

    async def send(self, message: Message) -> None:
        """Take one message from the handler."""
        status = ""
        if message["type"] == "http.response.start":
            status = self._begin(message)
        elif message["type"] == "http.response.body":
            self._gather(message)
        else:
            self._draft = None  # a body that goes another way, such as a file that the server opens itself
        await self._exchange.forward(message, status)
        # After the last message, so that the client does not wait for Redis.
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            await self._finish()

    def _begin(self, message: Message) -> str:
        judged = self._exchange.judge(message)
        status = f"fwd={self._reason}"
        if isinstance(judged, str):
            self._must_forget = self._reason == "stale" and message["status"] < 500
            return f"{status}; detail={judged}"
        self._draft = judged
        # Of a body of unknown length it cannot yet be said.
        known = any(header_name(pair) == "content-length" for pair in judged.headers)
        return f"{status}; stored" if known else status

    def _gather(self, message: Message) -> None:
        if self._draft is None:
            return
        chunk = bytes(message.get("body", b""))
        self._size += len(chunk)
        self._chunks.append(chunk)
        if self._size > self._exchange.max_body_bytes:
            self._draft = None
            self._chunks.clear()

    async def _finish(self) -> None:
        if self._draft is not None:
            await self._exchange.keep(msgspec.structs.replace(self._draft, body=b"".join(self._chunks)), self._found)
        elif self._must_forget:
            await self._exchange.forget()


class _Confirmation:
    """The handler's answer to the question whether *kept* still holds. Anything but 304 passes as a usual response."""

    def __init__(
        self, exchange: Exchange, found: Found, kept: StoredResponse, confirm: NeedRevalidation, reason: str
    ) -> None:
        self._exchange, self._found, self._kept, self._confirm = exchange, found, kept, confirm
        self._reason = reason
        self._passage = _Passage(exchange, found, reason)
        self._confirmed: StoredResponse | None = None
        self._not_modified = self.must_ask_again = False

    async def send(self, message: Message) -> None:
        """Take one message from the handler."""
        if message["type"] == "http.response.start" and message["status"] == 304:
            self._not_modified = True
            with contained("response_cache.confirm"):
                headers = [(bytes(name), bytes(value)) for name, value in message.get("headers", ())]
                self._confirmed = confirmed(self._kept, self._confirm, headers)
            self.must_ask_again = self._confirmed is None
        elif not self._not_modified:
            await self._passage.send(message)
        elif self._confirmed is not None and not message.get("more_body", False):
            self._exchange.count_revalidated()
            await self._exchange.answer(self._confirmed, f"fwd={self._reason}; fwd-status=304; stored")
            await self._exchange.keep(self._confirmed, self._found)


def _with_cache_status(message: Message, status: str) -> Message:
    """*message* with what the cache did (RFC 9211), if it begins a response."""
    if message["type"] != "http.response.start":
        return message
    return {**message, "headers": [*message.get("headers", ()), (b"cache-status", f"dozor; {status}".encode())]}
