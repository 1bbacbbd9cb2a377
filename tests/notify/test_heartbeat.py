"""The dead man's switch."""

import logging

import pytest
from tests.notify import receiver
from tests.notify.receiver import answer, receiving

from dozor.errors import ConfigurationError
from dozor.notify.heartbeat import Heartbeat
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


def results(heartbeat: Heartbeat) -> dict[str, float]:
    return {sample.labels["result"]: sample.value for family in heartbeat.families() for sample in family.samples}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_it_beats_once_an_interval_while_rules_are_evaluated(method: str, clock: FakeClock) -> None:
    async with receiving() as server:
        heartbeat = Heartbeat(server.url, clock, interval_seconds=60, method=method)  # type: ignore[arg-type]
        for _ in range(130):
            await heartbeat.beat(clock.timestamp())
            clock.advance(1)
        await heartbeat.aclose()
    assert [request.method for request in server.requests] == [method] * 3
    assert results(heartbeat) == {"sent": 3}


async def test_it_falls_silent_when_evaluation_stands_still(clock: FakeClock) -> None:
    async with receiving() as server:
        heartbeat = Heartbeat(server.url, clock, interval_seconds=60, stale_after_seconds=10)
        assert not await heartbeat.beat(None), "nothing was evaluated yet"
        evaluated_at = clock.timestamp()
        clock.advance(10)
        assert await heartbeat.beat(evaluated_at)
        clock.advance(600)
        assert not await heartbeat.beat(evaluated_at)
        assert await heartbeat.beat(clock.timestamp()), "and speaks again at once when it goes on"
        await heartbeat.aclose()
    assert len(server.requests) == 2


async def test_trouble_is_counted_logged_once_and_over_when_it_is_over(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with receiving(answer(500), receiver.close_early, answer(200)) as server:
        heartbeat = Heartbeat(server.url, clock, interval_seconds=60)
        for expected in (False, False, True):
            assert await heartbeat.beat(clock.timestamp()) is expected
            clock.advance(60)
        await heartbeat.aclose()
    assert results(heartbeat) == {"failed": 2, "sent": 1}
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        f"the heartbeat is not received: http://127.0.0.1:{server.port}/*** answered 500",
        "the heartbeat is received again",
    ]


def test_a_wrong_url_names_its_setting(clock: FakeClock) -> None:
    with pytest.raises(ConfigurationError, match="DOZOR_HEARTBEAT_URL: "):
        Heartbeat("hc-ping.example/s3cr3t", clock)
