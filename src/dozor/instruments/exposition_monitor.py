"""An application's `/metrics` becomes series, as Prometheus would scrape it."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final, Protocol

import httpx2

from dozor.clock import Clock
from dozor.errors import DozorError
from dozor.garbage import seldom_collected
from dozor.instruments.exposition_text import (
    Exposition,
    ExpositionError,
    ExpositionLimits,
    ExpositionReader,
    SeriesKey,
    TimedSample,
)
from dozor.instruments.side_thread import SideThread, StillBusyError
from dozor.model.collector import SCRAPE_PREFIX
from dozor.model.labels import Labels
from dozor.model.sample import Family, Sample
from dozor.web import USER_AGENT, Address, in_words, read_async, unlogged

"""Of the names of these collectors."""
BODY_LIMIT_BYTES: Final = 16 * 2**20
LONGEST_SCRAPE_SECONDS: Final = 10.0

_SOURCE: Final = "scrape"
_ACCEPT: Final = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
_MOST_REDIRECTS: Final = 5
_OWN_SERIES: Final = ("up", "scrape_duration_seconds", "scrape_samples_scraped")


class Intake(Protocol):
    """Where the series go. Times are Unix seconds."""

    def take(self, source: str, at: float, samples: Sequence[Sample]) -> None:
        """Keep *samples* as of *at*."""

    def end(self, at: float, keys: Iterable[SeriesKey]) -> None:
        """The series of *keys* ended at *at*."""


class ScrapeFailure(DozorError):  # noqa: N818 - named for what is the case
    """A target was not read. The text says why, without secrets."""


class ExpositionMonitor:
    """One target: scraped at its own pace by `scrape`, its health told as a collector's.

    `scrape`, `refresh` and `close` belong to one event loop, the rest to any thread. What was scraped goes into the store and not
    into Dozor's own `/metrics`: whoever scraped both would count everything twice, and Dozor scraping itself never end.

    Args:
        name: the label `job` of its series.
        url: of its `/metrics`; user and password in it are sent as basic authentication.
        clock: dates.
        interval_seconds: between two scrapes; one takes at most that, and at most ten seconds.
        token_file: a file with a bearer token, read before each scrape, since such tokens are changed; not sent where the URL has
            a user.

    Raises:
        ConfigurationError: the URL is none.
    """

    def __init__(
        self,
        name: str,
        url: str,
        clock: Clock,
        *,
        interval_seconds: float = 5.0,
        token_file: Path | None = None,
        limits: ExpositionLimits | None = None,
    ) -> None:
        self.name = f"{SCRAPE_PREFIX}{name}"
        self.interval_seconds = interval_seconds
        self.timeout_seconds = min(interval_seconds, LONGEST_SCRAPE_SECONDS)
        self._address = Address(url)
        self._token_file = token_file
        self._clock = clock
        self.labels = Labels(job=name, instance=self._address.instance)
        """What is put on every series."""
        self.failure: str | None = None
        """Why the last scrape failed, None if it succeeded or there was none."""
        self.checked_at: float | None = None
        """When the last scrape began, in Unix seconds; None before the first."""
        self.duration_seconds: float | None = None
        """How long it took."""
        self._reader = ExpositionReader(self.labels, limits)
        self._side = SideThread(f"dozor-{self.name}")
        self._client: httpx2.AsyncClient | None = None
        self._alive: frozenset[SeriesKey] = frozenset()
        self._described: tuple[Family, ...] = ()
        self._retired = threading.Event()

    @property
    def shown(self) -> str:
        """The URL without what may be secret."""
        return self._address.shown

    def families(self) -> tuple[Family, ...]:
        """None: see the class."""
        return ()

    def described(self) -> tuple[Family, ...]:
        """Type, help and unit of the target's metrics, without samples."""
        return self._described

    async def refresh(self) -> None:
        """Say how the last scrape went. Raises `ScrapeFailure` if it failed."""
        if self.failure is not None:
            raise ScrapeFailure(self.failure)

    async def scrape(self, intake: Intake) -> None:
        """Read the target once, and put what it says, and how that went, into *intake*."""
        if self._retired.is_set():
            return
        at, began = self._clock.timestamp(), self._clock.monotonic()
        samples = 0
        try:
            async with asyncio.timeout(self.timeout_seconds):
                samples = await self._scrape(intake, at)
        except (ExpositionError, ScrapeFailure) as error:
            self._fail(intake, at, str(error))
        except StillBusyError:
            self._fail(intake, at, "the scrape before is still being read")
        except Exception as error:  # noqa: BLE001 - the library's, the system's: whatever it is, the target is not up
            self._fail(intake, at, in_words(error))
        else:
            self.failure = None
        if self._retired.is_set():  # meanwhile: what it still brought ends too
            self.retire(intake)
            return
        self.checked_at, self.duration_seconds = at, self._clock.monotonic() - began
        intake.take(
            _SOURCE,
            at,
            [
                Sample(name, self.labels, value)
                for name, value in zip(
                    _OWN_SERIES, (0.0 if self.failure else 1.0, self.duration_seconds, float(samples)), strict=True
                )
            ],
        )

    def retire(self, intake: Intake) -> None:
        """Scrape no more; all its series end now."""
        self._retired.set()
        own = ((name, self.labels) for name in _OWN_SERIES)
        intake.end(self._clock.timestamp(), [*self._alive, *own])
        self._alive, self._described = frozenset(), ()

    async def close(self) -> None:
        """Close the connection."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await client.aclose()

    async def _scrape(self, intake: Intake, at: float) -> int:
        body, openmetrics = await self._fetch()

        def take() -> int:
            with seldom_collected():
                exposition = self._reader.read(body.decode("utf-8", "replace"), openmetrics=openmetrics)
                self._store(intake, at, exposition)
                return len(exposition.samples) + len(exposition.timed)

        # Ten thousand lines take some 20 ms, and those of a new target ten times that: too long for the loop.
        return await self._side.run(take, self.timeout_seconds)

    async def _fetch(self) -> tuple[bytes, bool]:
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "gzip", "User-Agent": USER_AGENT}
        headers["X-Prometheus-Scrape-Timeout-Seconds"] = f"{self.timeout_seconds:g}"
        if self._token_file is not None and self._address.basic is None:
            headers["Authorization"] = f"Bearer {_token(self._token_file)}"
        with unlogged():
            client = await self._open()
            async with client.stream(
                "GET", self._address.url, headers=headers, auth=self._address.basic, follow_redirects=True
            ) as response:
                if response.status_code != 200:
                    raise ScrapeFailure(f"{self.shown} answers with status {response.status_code}, not 200")
                body = await read_async(response, BODY_LIMIT_BYTES)
        return body, response.headers.get("content-type", "").startswith("application/openmetrics-text")

    async def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            verify = await self._side.run(_authorities, self.timeout_seconds)
            self._client = httpx2.AsyncClient(
                verify=verify, timeout=self.timeout_seconds, trust_env=False, max_redirects=_MOST_REDIRECTS
            )
        return self._client

    def _store(self, intake: Intake, at: float, exposition: Exposition) -> None:
        alive = frozenset((sample.name, sample.labels) for sample in exposition.samples)
        intake.take(_SOURCE, at, exposition.samples)
        for time, timed in _by_time(exposition.timed).items():
            intake.take(_SOURCE, time / 1000, timed)
        if ended := self._alive - alive:
            intake.end(at, ended)
        self._alive, self._described = alive, exposition.families

    def _fail(self, intake: Intake, at: float, reason: str) -> None:
        self.failure = reason
        intake.end(at, self._alive)
        self._alive = frozenset()


def _by_time(timed: list[TimedSample]) -> dict[int, list[Sample]]:
    found: dict[int, list[Sample]] = {}
    for time, sample in sorted(timed, key=lambda one: one.time):
        found.setdefault(time, []).append(sample)
    return found


def _token(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise ScrapeFailure(f"the token cannot be read from {path}") from None


@cache
def _authorities() -> ssl.SSLContext:
    """The certificates of all authorities; reading them takes 30 ms and more."""
    return httpx2.create_ssl_context()
