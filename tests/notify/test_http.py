"""One exchange, with receivers that misbehave, over a real socket."""

import asyncio
import logging
import time

import pytest
from tests.notify import receiver
from tests.notify.receiver import Behaviour, answer, receiving
from tests.patience import PATIENCE_SECONDS, promised

from dozor.errors import ConfigurationError, DeliveryError
from dozor.notify.http import BODY_LIMIT_BYTES, ExchangeFailed, HttpReceiver
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


async def exchange(behaviour: Behaviour, limit: float = PATIENCE_SECONDS) -> tuple[int, str]:
    async with receiving(behaviour) as server:
        http = HttpReceiver(server.url, key="K", timeout_seconds=limit)
        try:
            reply = await http.exchange("POST", content=b"{}")
        finally:
            await http.aclose()
        return reply.status, reply.text


async def test_an_answer_has_status_headers_and_the_beginning_of_its_text() -> None:
    async with receiving(answer(503, b"busy\x1b[31m\n now", Retry_After="7")) as server:
        http = HttpReceiver(server.url, key="K")
        reply = await http.exchange("POST", headers={"x-a": "b"}, content=b"hello")
        await http.aclose()
    assert (reply.status, reply.text, reply.headers["retry-after"]) == (503, "busy [31m now", "7")
    (request,) = server.requests
    assert (request.method, request.target, request.body) == ("POST", "/services/s3cr3t-token", b"hello")
    assert request.headers["x-a"] == "b"
    assert request.headers["user-agent"].startswith("dozor/")


@pytest.mark.parametrize("behaviour", [receiver.hang, receiver.drip], ids=["silent", "a byte at a time"])
async def test_the_limit_is_for_the_whole_exchange(behaviour: Behaviour) -> None:
    began = time.monotonic()
    with pytest.raises(ExchangeFailed, match=r"gave no answer within 0\.3 s"):
        await exchange(behaviour, limit=0.3)
    assert time.monotonic() - began < promised(2)


async def test_an_endless_body_is_read_up_to_the_limit() -> None:
    sent: list[int] = []
    status, text = await exchange(receiver.endless(sent))
    assert status == 200
    assert len(text) <= 200
    assert sum(sent) < BODY_LIMIT_BYTES + 8 * 2**20, "what lies in socket buffers, and no more"


@pytest.mark.parametrize("behaviour", [receiver.body_that_hangs, receiver.close_in_body])
async def test_an_answer_counts_even_if_its_body_never_comes(behaviour: Behaviour) -> None:
    assert (await exchange(behaviour, limit=promised(0.3)))[0] == 200


@pytest.mark.parametrize("behaviour", [receiver.close_early, receiver.garbage])
async def test_no_answer_is_a_failure_that_names_no_secret(behaviour: Behaviour) -> None:
    with pytest.raises(ExchangeFailed) as caught:
        await exchange(behaviour)
    assert "s3cr3t" not in str(caught.value)
    assert "http://127.0.0.1" in str(caught.value)


async def test_nobody_there_is_a_failure() -> None:
    http = HttpReceiver("http://user:s3cr3t@127.0.0.1:1/s3cr3t?token=s3cr3t", key="K")
    with pytest.raises(ExchangeFailed, match="ConnectError") as caught:
        await http.exchange("GET")
    assert "s3cr3t" not in str(caught.value) + repr(http)
    assert repr(http) == "HttpReceiver(http://127.0.0.1:1/***)"


async def test_redirects_are_not_followed() -> None:
    async with receiving() as elsewhere:
        status, _ = await exchange(answer(302, Location=elsewhere.url))
        assert status == 302
        assert elsewhere.requests == []


async def test_no_log_names_the_path(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await exchange(answer(200))
    await exchange(answer(404, b"no such hook: /services/s3cr3t-token"))
    assert "s3cr3t" not in caplog.text


async def test_an_answer_that_repeats_the_url_is_shown_without_it() -> None:
    _, text = await exchange(answer(404, b"no such hook: /services/s3cr3t-token!"))
    assert text == "no such hook: /***!"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example/s3cr3t",
        "ftp://x/s3cr3t",
        "http:///s3cr3t",
        "http://x:y/s3cr3t",
        "/",
        "http://x:99999/s3cr3t",
        "http://x:0/s3cr3t",
    ],
)
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="K: ") as caught:
        HttpReceiver(url, key="K")
    assert "s3cr3t" not in str(caught.value)


def test_one_receiver_serves_one_loop_after_another() -> None:
    async def once() -> int:
        async with receiving(answer(204, b"")) as server:
            http._url = http._url.copy_with(port=server.port)
            return (await http.exchange("GET")).status

    http = HttpReceiver("http://127.0.0.1:1/", key="K")
    assert [asyncio.run(once()), asyncio.run(once())] == [204, 204]
    asyncio.run(http.aclose())


async def test_what_else_is_secret_is_cleaned_from_what_the_other_side_says() -> None:
    async with receiving(answer(400, b'{"routing_key": "k3y-of-mine"}')) as server:
        http = HttpReceiver(server.url, key="K", secrets=("k3y-of-mine",))
        with pytest.raises(DeliveryError) as caught:
            await http.deliver("pager", FakeClock(), content=b"{}")
        await http.aclose()
    assert str(caught.value) == f'pager: http://127.0.0.1:{server.port}/*** answered 400: {{"routing_key": "***"}}'


async def test_the_body_is_there_for_those_who_must_understand_it() -> None:
    async with receiving(answer(202, b'{"ok":  true}')) as server:
        http = HttpReceiver(server.url, key="K")
        reply = await http.deliver("pager", FakeClock(), content=b"{}")
        await http.aclose()
    assert (reply.ok, reply.body) == (True, b'{"ok":  true}')
    assert repr(reply.body) not in repr(reply)
