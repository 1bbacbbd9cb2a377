"""The response cache as an application sees it, over a real Valkey."""

import asyncio
from collections import Counter as Calls
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
import redis as redis_py
import redis.asyncio as aredis
import time_machine
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from tests.patience import PATIENCE_SECONDS

from dozor.errors import ConfigurationError
from dozor.instruments.middleware import DozorMiddleware, HttpMonitor
from dozor.instruments.work import current_work
from dozor.response_cache import ResponseCacheMetrics, ResponseCacheMiddleware

pytestmark = pytest.mark.anyio

Handler = Callable[[Request], Response]


class Shop:
    """An application with one handler at every path, and the calls that reached it."""

    def __init__(self, redis: object, handler: Handler, **options: Any) -> None:
        self.calls: Calls[str] = Calls()
        self.seen: list[dict[str, str]] = []
        self.handler = handler
        self.metrics = ResponseCacheMetrics()

        async def handle(request: Request) -> Response:
            self.calls[request.method] += 1
            self.seen.append(dict(request.headers))
            return self.handler(request)

        app = Starlette(routes=[Route("/{path:path}", handle, methods=["GET", "HEAD", "POST", "DELETE"])])
        options = {"timeout_seconds": PATIENCE_SECONDS, "metrics": self.metrics, **options}
        self.app = ResponseCacheMiddleware(app, redis, **options)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.ASGITransport(app=self.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as client:
            try:
                yield client
            finally:
                await self.app.aclose()

    def results(self) -> dict[str, int]:
        """The requests counted by result, without those that are 0."""
        family = next(iter(self.metrics.families()))
        return {sample.labels["result"]: int(sample.value) for sample in family.samples if sample.value}


def saying(cache_control: str | None, **headers: str) -> Handler:
    """A handler whose answer tells its calls apart and has these headers."""
    numbers = iter(range(1, 1000))

    def handle(_request: Request) -> Response:
        found = {name.replace("_", "-"): value for name, value in headers.items()}
        if cache_control is not None:
            found["cache-control"] = cache_control
        return PlainTextResponse(f"answer {next(numbers)}", headers=found)

    return handle


async def texts(shop: Shop, *requests: dict[str, str]) -> list[str]:
    """The bodies of one GET of the same URL after another, with these request headers."""
    async with shop.client() as client:
        return [(await client.get("/products", headers=headers)).text for headers in requests]


async def test_a_fresh_response_answers_the_next_request_and_says_its_age(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    with time_machine.travel(1_800_000_000, tick=False) as time:
        async with shop.client() as client:
            first = await client.get("/products?page=1")
            time.shift(20)
            second = await client.get("/products?page=1")
            other = await client.get("/products?page=2")
    assert (first.text, second.text, other.text) == ("answer 1", "answer 1", "answer 2")
    assert first.headers["cache-status"] == "dozor; fwd=uri-miss; stored"
    assert "age" not in first.headers
    assert second.headers["cache-status"] == "dozor; hit; ttl=40"
    assert second.headers["age"] == "20"
    assert second.headers["content-type"] == "text/plain; charset=utf-8"
    assert shop.results() == {"miss": 2, "hit": 1}


async def test_a_stale_response_without_validator_is_fetched_anew(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    with time_machine.travel(1_800_000_000, tick=False) as time:
        async with shop.client() as client:
            await client.get("/products")
            time.shift(60)
            again = await client.get("/products")
    assert again.text == "answer 2"
    assert again.headers["cache-status"] == "dozor; fwd=stale; stored"


async def test_a_stale_response_is_confirmed_by_the_handler_and_lives_on(valkey_database: str) -> None:
    def handle(request: Request) -> Response:
        if request.headers.get("if-none-match") == '"v1"':
            return Response(
                status_code=304, headers={"etag": '"v1"', "cache-control": "max-age=60", "x-checked": "yes"}
            )
        return PlainTextResponse("answer", headers={"etag": '"v1"', "cache-control": "max-age=60"})

    shop = Shop(valkey_database, handle)
    with time_machine.travel(1_800_000_000, tick=False) as time:
        async with shop.client() as client:
            await client.get("/products")
            time.shift(61)
            confirmed = await client.get("/products")
            time.shift(30)
            hit = await client.get("/products")
    assert (confirmed.status_code, confirmed.text) == (200, "answer")
    assert confirmed.headers["cache-status"] == "dozor; fwd=stale; fwd-status=304; stored"
    assert (hit.text, hit.headers["age"], hit.headers["x-checked"]) == ("answer", "30", "yes")
    assert shop.results() == {"miss": 1, "revalidated": 1, "hit": 1}
    assert shop.calls["GET"] == 2


async def test_a_handler_that_means_another_response_by_304_is_asked_again_plainly(valkey_database: str) -> None:
    def handle(request: Request) -> Response:
        if "if-none-match" in request.headers:
            return Response(status_code=304, headers={"etag": '"something else"'})
        return PlainTextResponse(f"answer {shop.calls['GET']}", headers={"etag": '"v1"', "cache-control": "max-age=60"})

    shop = Shop(valkey_database, handle)
    with time_machine.travel(1_800_000_000, tick=False) as time:
        async with shop.client() as client:
            await client.get("/products")
            time.shift(61)
            again = await client.get("/products")
    assert (again.status_code, again.text) == (200, "answer 3")


async def test_a_stale_response_is_forgotten_when_the_new_one_may_not_be_kept(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60", etag='"v1"'))
    with time_machine.travel(1_800_000_000, tick=False) as time:
        async with shop.client() as client:
            await client.get("/products")
            assert redis_keys(valkey_database)
            time.shift(61)
            shop.handler = saying("no-store")
            await client.get("/products")
    assert redis_keys(valkey_database) == []


@pytest.mark.parametrize(
    ("cache_control", "headers"),
    [
        (None, {}),
        ("no-store, max-age=60", {}),
        ("private, max-age=60", {}),
        ("max-age=0", {}),
        ("max-age=60, no-cache", {}),
        ("max-age=60", {"vary": "*"}),
        ("max-age=60", {"set_cookie": "session=1"}),
        (None, {"last_modified": "Mon, 01 Jan 2024 00:00:00 GMT"}),
        (None, {"expires": "0"}),
        ("max-age=60", {"content_length": "nonsense"}),
    ],
)
async def test_what_must_not_be_kept_reaches_the_handler_each_time(
    valkey_database: str, cache_control: str | None, headers: dict[str, str]
) -> None:
    shop = Shop(valkey_database, saying(cache_control, **headers))
    assert await texts(shop, {}, {}) == ["answer 1", "answer 2"]
    assert redis_keys(valkey_database) == []


@pytest.mark.parametrize(
    "cache_control", ["max-age=60", "s-maxage=60, max-age=0", "max-age=60, public", 'max-age=60, private="set-cookie"']
)
async def test_what_declares_freshness_for_a_shared_cache_is_kept(valkey_database: str, cache_control: str) -> None:
    shop = Shop(valkey_database, saying(cache_control))
    assert await texts(shop, {}, {}) == ["answer 1", "answer 1"]


async def test_expires_declares_freshness_too(valkey_database: str) -> None:
    with time_machine.travel("2027-01-15T08:00:00Z", tick=False) as time:
        shop = Shop(valkey_database, saying(None, expires="Fri, 15 Jan 2027 08:01:00 GMT"))
        assert await texts(shop, {}, {}) == ["answer 1", "answer 1"]
        time.shift(60)
        assert await texts(shop, {}) == ["answer 2"]


async def test_each_variant_is_kept_for_itself(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60", vary="Accept-Language, Accept-Encoding", etag='"same"'))
    german, french = {"accept-language": "de"}, {"accept-language": "fr"}
    assert await texts(shop, german, french, german, french) == ["answer 1", "answer 2", "answer 1", "answer 2"]


async def test_a_variant_that_is_not_there_says_so(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60", vary="Accept-Language"))
    async with shop.client() as client:
        await client.get("/", headers={"accept-language": "de"})
        other = await client.get("/", headers={"accept-language": "fr"})
    assert other.headers["cache-status"] == "dozor; fwd=vary-miss; stored"


@pytest.mark.parametrize(
    ("cache_control", "shared"), [("max-age=60", False), ("max-age=60, public", True), ("s-maxage=60", True)]
)
async def test_a_response_to_authorization_is_shared_only_where_it_says_so(
    valkey_database: str, cache_control: str, shared: bool
) -> None:
    shop = Shop(valkey_database, saying(cache_control))
    mine, yours = {"authorization": "Bearer a"}, {"authorization": "Bearer b"}
    assert await texts(shop, mine, yours) == ["answer 1", "answer 1" if shared else "answer 2"]


async def test_a_response_made_for_nobody_in_particular_is_not_given_to_somebody(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    assert await texts(shop, {}, {"authorization": "Bearer a"}, {}) == ["answer 1", "answer 2", "answer 1"]


async def test_a_default_freshness_is_for_responses_without_a_word_on_caching(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying(None), default_ttl=30)
    assert await texts(shop, {}, {}) == ["answer 1", "answer 1"]
    assert await texts(shop, {"cookie": "session=1"}, {}) == ["answer 2", "answer 1"]
    shop.handler = saying("no-store")
    async with shop.client() as client:
        assert [(await client.get("/other")).text for _ in range(2)] == ["answer 1", "answer 2"]


async def test_a_default_freshness_ends(valkey_database: str) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as time:
        shop = Shop(valkey_database, saying(None), default_ttl=30)
        assert await texts(shop, {}) == ["answer 1"]
        time.shift(29)
        assert await texts(shop, {}) == ["answer 1"]
        time.shift(1)
        assert await texts(shop, {}) == ["answer 2"]


async def test_an_error_is_not_kept_whatever_it_says(valkey_database: str) -> None:
    def handle(_request: Request) -> Response:
        return PlainTextResponse(f"error {shop.calls['GET']}", 503, headers={"cache-control": "max-age=60"})

    shop = Shop(valkey_database, handle)
    assert await texts(shop, {}, {}) == ["error 1", "error 2"]


@pytest.mark.parametrize(
    "headers", [{"cache-control": "no-cache"}, {"cache-control": "max-age=0"}, {"cache-control": "min-fresh=3600"}]
)
async def test_a_client_may_ask_for_something_newer(valkey_database: str, headers: dict[str, str]) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as time:
        shop = Shop(valkey_database, saying("max-age=60"))
        assert await texts(shop, {}) == ["answer 1"]
        time.shift(1)
        assert await texts(shop, headers, {}) == ["answer 2", "answer 2"]


async def test_a_request_with_no_store_leaves_no_trace(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    await texts(shop, {"cache-control": "no-store"})
    assert redis_keys(valkey_database) == []
    assert shop.results() == {"bypass": 1}


async def test_a_range_request_passes(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    assert await texts(shop, {}, {"range": "bytes=0-1"}) == ["answer 1", "answer 2"]


async def test_only_if_cached_is_refused_where_nothing_is_kept(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    async with shop.client() as client:
        response = await client.get("/", headers={"cache-control": "only-if-cached"})
    assert (response.status_code, shop.calls["GET"]) == (504, 0)


@pytest.mark.parametrize(
    ("conditions", "status"),
    [
        ({"if-none-match": '"v1"'}, 304),
        ({"if-none-match": 'W/"v0", "v1"'}, 304),
        ({"if-none-match": "*"}, 304),
        ({"if-none-match": '"v0"'}, 200),
        ({"if-modified-since": "Tue, 02 Jan 2024 00:00:00 GMT"}, 304),
        ({"if-modified-since": "Sun, 31 Dec 2023 00:00:00 GMT"}, 200),
        ({"if-modified-since": "nonsense"}, 200),
    ],
)
async def test_a_client_with_the_same_copy_gets_304(
    valkey_database: str, conditions: dict[str, str], status: int
) -> None:
    shop = Shop(valkey_database, saying("max-age=60", etag='"v1"', last_modified="Mon, 01 Jan 2024 00:00:00 GMT"))
    async with shop.client() as client:
        await client.get("/")
        response = await client.get("/", headers=conditions)
    assert response.status_code == status
    assert response.headers["etag"] == '"v1"'
    assert shop.calls["GET"] == 1
    if status == 304:
        assert response.text == ""
        assert "content-length" not in response.headers


async def test_the_conditions_of_the_client_do_not_confuse_a_revalidation(valkey_database: str) -> None:
    with time_machine.travel(1_800_000_000, tick=False) as time:
        shop = Shop(valkey_database, saying("max-age=60", etag='"v1"'))
        async with shop.client() as client:
            await client.get("/")
            time.shift(61)
            await client.get("/", headers={"if-none-match": '"v0"', "if-modified-since": "whenever"})
    assert shop.seen[-1]["if-none-match"] == '"v1"'
    assert "if-modified-since" not in shop.seen[-1]


@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_successful_change_makes_the_cache_forget(valkey_database: str, method: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60", vary="accept-language"))
    async with shop.client() as client:
        await client.get("/", headers={"accept-language": "de"})
        await client.request(method, "/")
        after = await client.get("/", headers={"accept-language": "de"})
    assert after.text == "answer 3"


async def test_a_change_that_failed_and_a_head_forget_nothing(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    async with shop.client() as client:
        await client.get("/")
        await client.head("/")
        shop.handler = lambda _request: PlainTextResponse("no", 409)
        await client.post("/")
        assert (await client.get("/")).text == "answer 1"


async def test_hosts_do_not_share(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"))
    assert await texts(shop, {"host": "a.example"}, {"host": "b.example"}) == ["answer 1", "answer 2"]


async def test_hits_and_revalidations_are_counted_under_the_route_that_made_them(valkey_database: str) -> None:
    async def handle(request: Request) -> Response:
        headers = {"etag": '"v1"', "cache-control": "max-age=60"}
        return Response(
            "" if "if-none-match" in request.headers else "x",
            304 if "if-none-match" in request.headers else 200,
            headers,
        )

    inner = Starlette(routes=[Route("/items/{number}", handle)])
    app = Starlette(routes=[Mount("/shops/{shop}", inner)])
    app.add_middleware(
        ResponseCacheMiddleware, redis=valkey_database, timeout_seconds=PATIENCE_SECONDS, metrics=ResponseCacheMetrics()
    )
    monitor = HttpMonitor()
    app.add_middleware(DozorMiddleware, monitor=monitor)
    transport = httpx2.ASGITransport(app=app)
    with time_machine.travel(1_800_000_000, tick=False) as time:
        async with httpx2.AsyncClient(transport=transport, base_url="http://shop") as client:
            for seconds in (1, 61, 1):
                await client.get("/shops/a/items/5")
                time.shift(seconds)
            last = await client.get("/shops/a/items/5")
    assert last.headers["cache-status"].startswith("dozor; hit")
    (counted,) = next(family for family in monitor.families() if family.name == "http_requests_total").samples
    assert (counted.labels["route"], counted.value) == ("/shops/{shop}/items/{number}", 4)
    await app.middleware_stack.app.app.aclose()  # type: ignore[union-attr]


async def test_while_the_handler_works_its_request_has_the_name_of_its_route(valkey_database: str) -> None:
    names: list[str] = []

    async def handle(_request: Request) -> Response:
        work = current_work.get()
        assert work is not None
        names.append(work.name)
        return PlainTextResponse("x", headers={"cache-control": "max-age=60"})

    app = Starlette(routes=[Route("/items/{number}", handle)])
    app.add_middleware(
        ResponseCacheMiddleware, redis=valkey_database, timeout_seconds=PATIENCE_SECONDS, metrics=ResponseCacheMetrics()
    )
    app.add_middleware(DozorMiddleware, monitor=HttpMonitor())
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://shop") as client:
        await client.get("/items/5")
        await client.get("/items/5")
    assert names == ["GET /items/{number}"]
    await app.middleware_stack.app.app.aclose()  # type: ignore[union-attr]


async def test_only_what_lies_below_the_paths_named_concerns_the_cache(valkey_database: str) -> None:
    shop = Shop(valkey_database, saying("max-age=60"), paths=["/products", "/reports/"])
    async with shop.client() as client:
        for path in ("/products", "/products/1", "/reports", "/reports/sales"):
            assert (await client.get(path)).text == (await client.get(path)).text
        for path in ("/", "/productsale", "/orders/products"):
            response = await client.get(path)
            assert response.text != (await client.get(path)).text
            assert "cache-status" not in response.headers
    assert shop.results() == {"miss": 4, "hit": 4}


async def test_a_long_body_flows_through_and_is_not_kept(valkey_database: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 100

    shop = Shop(
        valkey_database,
        lambda _request: StreamingResponse(chunks(), headers={"cache-control": "max-age=60"}),
        max_body_bytes=500,
    )
    assert await texts(shop, {}, {}) == ["x" * 1000] * 2
    assert redis_keys(valkey_database) == []
    shop.handler = lambda _request: PlainTextResponse("y" * 501, headers={"cache-control": "max-age=60"})
    async with shop.client() as client:
        response = await client.get("/long")
    assert response.headers["cache-status"] == "dozor; fwd=uri-miss; detail=too-large"


async def test_a_streamed_body_within_the_limit_is_kept_with_its_length(valkey_database: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    shop = Shop(valkey_database, lambda _request: StreamingResponse(chunks(), headers={"cache-control": "max-age=60"}))
    async with shop.client() as client:
        first, second = [await client.get("/") for _ in range(2)]
    assert first.headers["cache-status"] == "dozor; fwd=uri-miss"
    assert (second.text, second.headers["content-length"], shop.calls["GET"]) == ("one two", "7", 1)


async def test_a_stream_reaches_the_client_piece_by_piece(valkey_database: str) -> None:
    """Server-sent events: what is sent must not wait for what comes."""
    sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    go_on = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"cache-control", b"max-age=9")]})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await go_on.wait()
        await send({"type": "http.response.body", "body": b"last"})

    middleware = ResponseCacheMiddleware(
        app, valkey_database, timeout_seconds=PATIENCE_SECONDS, metrics=ResponseCacheMetrics()
    )
    scope = {"type": "http", "method": "GET", "path": "/events", "headers": [], "query_string": b""}

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async with asyncio.timeout(PATIENCE_SECONDS):
        task = asyncio.create_task(middleware(scope, receive, sent.put))  # type: ignore[arg-type]
        assert (await sent.get())["type"] == "http.response.start"
        assert (await sent.get())["body"] == b"first"
        go_on.set()
        await task
    await middleware.aclose()


async def test_a_handler_that_breaks_off_leaves_nothing(valkey_database: str) -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"cache-control", b"max-age=9"), (b"content-length", b"9")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"some"})

    async def ignore(*_message: Any) -> Any:
        return None

    middleware = ResponseCacheMiddleware(
        app, valkey_database, timeout_seconds=PATIENCE_SECONDS, metrics=ResponseCacheMetrics()
    )
    await middleware({"type": "http", "method": "GET", "path": "/", "headers": []}, ignore, ignore)
    await middleware.aclose()
    assert redis_keys(valkey_database) == []


async def test_a_handler_that_raises_raises(valkey_database: str) -> None:
    def handle(_request: Request) -> Response:
        raise LookupError("of the application's own")

    shop = Shop(valkey_database, handle)
    async with shop.client() as client:
        with pytest.raises(LookupError):
            await client.get("/")


@pytest.mark.parametrize("kind", ["sync", "async", "decoding"])
async def test_a_client_is_read_for_its_address_and_not_used(valkey_database: str, kind: str) -> None:
    given: Any
    if kind == "async":
        given = aredis.Redis.from_url(valkey_database)
    else:
        given = redis_py.Redis.from_url(valkey_database, decode_responses=kind == "decoding")
    shop = Shop(given, saying("max-age=60"))
    assert await texts(shop, {}, {}) == ["answer 1", "answer 1"]
    assert not given.connection_pool._available_connections
    await given.aclose() if isinstance(given, aredis.Redis) else given.close()


@pytest.mark.parametrize(
    ("redis", "words"),
    [
        ("http://user:hunter2@nowhere", "redis://"),
        (object(), "not object"),
        ("redis://:hunter2@host:port", "redis://"),
    ],
)
def test_a_wrong_address_is_one_clear_message_without_secrets(redis: object, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        Shop(redis, saying(None))
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("options", [{"default_ttl": 0}, {"max_body_bytes": -1}])
def test_a_wrong_limit_is_named(options: dict[str, int]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        Shop("redis://localhost", saying(None), **options)


def redis_keys(url: str) -> list[bytes]:
    with redis_py.Redis.from_url(url) as client:
        found: list[bytes] = client.keys("*")
    return found
