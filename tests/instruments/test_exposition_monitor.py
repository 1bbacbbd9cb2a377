"""A scrape, over a socket: what is asked, what becomes of the answer, and what when there is none."""

import gzip
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.instruments.targets import Target, reply, serving, text
from tests.patience import PATIENCE_SECONDS

from dozor.errors import ConfigurationError
from dozor.instruments.exposition_monitor import BODY_LIMIT_BYTES, ExpositionMonitor, ScrapeFailure
from dozor.instruments.exposition_text import ExpositionLimits
from dozor.model.labels import Labels
from dozor.store import Matcher, MatchOperator, MemoryStore
from dozor.store.intake import Intake
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def target() -> Iterator[Target]:
    with serving() as target:
        yield target


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def intake(store: MemoryStore, clock: FakeClock) -> Intake:
    return Intake(store, clock, max_series=1000)


@pytest.fixture
async def monitor(target: Target, clock: FakeClock) -> AsyncIterator[ExpositionMonitor]:
    monitor = ExpositionMonitor("shop", target.url, clock, limits=ExpositionLimits(samples=10))
    yield monitor
    await monitor.close()


def values(store: MemoryStore, clock: FakeClock, name: str = "") -> dict[str, float]:
    """The present value of each series, by its name and labels without the target's."""
    matcher = Matcher("__name__", MatchOperator.REGEX, name or ".+")
    labels, found = store.latest((matcher,), round(clock.timestamp() * 1000), 300_000)
    return {str(one.without("job", "instance")): value for one, value in zip(labels, found, strict=True)}


async def test_a_page_becomes_series_with_up(
    target: Target, monitor: ExpositionMonitor, store: MemoryStore, intake: Intake, clock: FakeClock
) -> None:
    target.answer = text('# HELP r Requests.\n# TYPE r counter\nr{route="/"} 5\nr{route="/a"} 6\n')
    await monitor.scrape(intake)
    await monitor.refresh()
    found = values(store, clock)
    assert found.pop("scrape_duration_seconds") >= 0
    assert found == {'r{route="/"}': 5, 'r{route="/a"}': 6, "up": 1, "scrape_samples_scraped": 2}
    assert store.series(())[0].only(["job", "instance"]) == Labels(job="shop", instance=target.address)
    assert [(one.name, one.type.value, one.help) for one in monitor.described()] == [("r", "counter", "Requests.")]
    assert target.headers["accept"].startswith("application/openmetrics-text;version=1.0.0")
    assert monitor.families() == ()


async def test_a_series_that_vanishes_ends_and_a_target_that_fails_ends_all(
    target: Target, monitor: ExpositionMonitor, store: MemoryStore, intake: Intake, clock: FakeClock
) -> None:
    target.answer = text("a 1\nb 2\n")
    await monitor.scrape(intake)
    clock.advance(5)
    target.answer = text("a 1\n")
    await monitor.scrape(intake)
    assert set(values(store, clock, "a|b|up")) == {"a", "up"}
    clock.advance(5)
    target.answer = reply(500)
    await monitor.scrape(intake)
    assert values(store, clock, "a|b|up") == {"up": 0}
    with pytest.raises(ScrapeFailure, match="answers with status 500"):
        await monitor.refresh()
    clock.advance(5)
    target.answer = text("a 3\n")
    await monitor.scrape(intake)
    await monitor.refresh()
    assert values(store, clock, "a|b|up") == {"a": 3, "up": 1}


async def test_samples_with_times_of_their_own_keep_them(
    target: Target, monitor: ExpositionMonitor, store: MemoryStore, intake: Intake, clock: FakeClock
) -> None:
    at = round(clock.timestamp()) - 100
    target.answer = text(f"a 1 {at * 1000}\n")
    await monitor.scrape(intake)
    matcher = Matcher("__name__", MatchOperator.EQUAL, "a")
    (window,) = store.select((matcher,), 0, 10**13).windows
    assert list(window.time_slice()) == [at * 1000]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (reply(404), "answers with status 404, not 200"),
        (text("<html>"), "line 1: '<html>' is not a sample"),
        (text("a 1\n" * 11), "more than 10 samples"),
        (text("a 1\n", "application/openmetrics-text; version=1.0.0"), "cut off"),
        (reply(200, gzip.compress(b"\n" * (BODY_LIMIT_BYTES + 1)), Content_Encoding="gzip"), "its answer is too long"),
        (reply(200, gzip.compress(b"a 1\n")[:-9], Content_Encoding="gzip"), "cannot be unpacked"),
        (reply(302, Location="/metrics"), "from one address to the next without end"),
        (lambda handler: handler.connection.shutdown(socket.SHUT_RDWR), "the exchange broke off"),
    ],
)
async def test_what_goes_wrong_is_said_in_words(
    target: Target,
    monitor: ExpositionMonitor,
    store: MemoryStore,
    intake: Intake,
    clock: FakeClock,
    answer: Callable[[Any], None],
    said: str,
) -> None:
    target.answer = answer
    await monitor.scrape(intake)
    assert monitor.failure is not None
    assert said in monitor.failure
    assert values(store, clock, "up|a") == {"up": 0}


async def test_a_target_that_hangs_or_is_not_there_is_down_in_time(
    target: Target, store: MemoryStore, intake: Intake, clock: FakeClock
) -> None:
    done = threading.Event()

    def late(handler: Any) -> None:
        done.wait(PATIENCE_SECONDS)
        reply(200)(handler)

    target.answer = late
    monitor = ExpositionMonitor("shop", target.url, clock, interval_seconds=0.1)
    await monitor.scrape(intake)
    done.set()
    await monitor.close()
    assert monitor.failure == "it gave no answer in time"
    gone = ExpositionMonitor("gone", "http://127.0.0.1:1/metrics", clock)
    await gone.scrape(intake)
    await gone.close()
    assert gone.failure is not None
    assert gone.failure.startswith("nothing answers there")
    assert values(store, clock, "up") == {"up": 0}


async def test_gzip_redirects_and_credentials(
    target: Target, intake: Intake, clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "httpx2")
    token = tmp_path / "token"
    packed = reply(200, gzip.compress(b"a 1\n"), Content_Encoding="gzip")
    target.answer = lambda handler: (packed if handler.path == "/metrics/" else reply(307, Location="/metrics/"))(
        handler
    )
    url = target.url.replace("://", "://ann:s3cret@") + "?key=s3cret"
    by_user = ExpositionMonitor("shop", url, clock, token_file=token)
    await by_user.scrape(intake)
    assert by_user.failure is None
    assert target.headers["authorization"] == "Basic YW5uOnMzY3JldA=="
    by_token = ExpositionMonitor("shop", target.url, clock, token_file=token)
    for content in ("t0ken", "renewed"):
        token.write_text(f"{content}\n")
        await by_token.scrape(intake)
        assert target.headers["authorization"] == f"Bearer {content}"
    token.unlink()
    await by_token.scrape(intake)
    assert by_token.failure == f"the token cannot be read from {token}"
    for monitor in (by_user, by_token):
        await monitor.close()
        assert "s3cret" not in f"{monitor!r}{monitor.shown}{vars(monitor)['_address']!r}"
    assert not caplog.records


@pytest.mark.parametrize("url", ["ftp://h/metrics", "metrics", "http://", "http://[::1"])
def test_an_address_that_is_none_is_refused(url: str, clock: FakeClock) -> None:
    with pytest.raises(ConfigurationError, match="URL"):
        ExpositionMonitor("shop", url, clock)
