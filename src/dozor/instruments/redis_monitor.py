"""One Redis or Valkey, watched from outside the application's own connections."""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct, field

from dozor.clock import Clock
from dozor.containment import report
from dozor.instruments.last_reading import LastReading
from dozor.instruments.redis_commands import CommandWindow
from dozor.instruments.redis_connection import AnswerError, ProtocolError
from dozor.instruments.redis_failure import RedisFailure, forbidden, kind_of
from dozor.instruments.redis_info import (
    Info,
    InfoValue,
    KeyRates,
    Rates,
    exporter_instance,
    figures,
    parse_info,
    run_id,
)
from dozor.instruments.redis_labelled import Found
from dozor.instruments.redis_labelled import families as labelled
from dozor.instruments.redis_link import RedisLink, Sent
from dozor.instruments.redis_metrics import InfoMetrics, own_family
from dozor.instruments.redis_survey import FORBIDDEN_SECONDS, RedisSurvey
from dozor.instruments.redis_survey_metrics import survey_families
from dozor.instruments.redis_surveyed import Surveyed
from dozor.instruments.redis_target import CLIENT_NAME, RedisTarget
from dozor.instruments.slowlog import SlowCommand, SlowLog
from dozor.model.labels import Labels
from dozor.model.sample import Family

# Of the time for one collection, what is left over when all else has been asked.
_MARGIN_SECONDS: Final = 0.05


class _Reading(Struct, frozen=True):
    """All that one collection found out; replaced as a whole, so that any thread reads a whole."""

    connected: bool | None = None
    failure: RedisFailure | None = None
    at: float | None = None
    info: Info = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    families: tuple[Family, ...] = ()


class RedisMonitor(LastReading):
    """Reads INFO and SLOWLOG of one server over a standing connection, and at times more; only commands of bounded cost.

    `refresh` and `close` belong to one event loop; everything else may be called in any thread.

    Args:
        name: the label `redis` of its series.
        source: a URL, or a redis-py client, of which only address, TLS and credentials are read; or what was read already.
        clock: dates and measures.
        interval: seconds between two collections; one takes at most 0.8 of that, and at most one second.
        group: the name of the cluster, or of what sentinels watch, that it belongs to.
        sent: counts what else Dozor sends to the server, which is left out of its operations as well.

    Raises:
        ConfigurationError: *source* cannot be watched.
    """

    def __init__(
        self,
        name: str,
        source: object,
        clock: Clock,
        *,
        interval: float = 1.0,
        group: str | None = None,
        sent: Sent | None = None,
    ) -> None:
        self.name = f"redis:{name}"
        self.redis_name, self.group = name, group
        self._target = source if isinstance(source, RedisTarget) else RedisTarget.of(source)
        self._clock = clock
        self._limit_seconds = min(0.8 * interval, 1.0)
        self._labels = Labels(redis=name)
        self._instance_labels = self._labels
        self._link = RedisLink(self._target, sent)
        self._rates, self._key_rates, self._slow_log = Rates(), KeyRates(), SlowLog(CLIENT_NAME)
        self._metrics, self._survey = InfoMetrics(self._labels), RedisSurvey()
        self._survey_families: tuple[Family, ...] = ()
        self._capabilities: dict[str, bool] = {}
        self._slow_log_closed_until = 0.0
        self._sent_at_info = self._own_commands = 0
        self._reading: _Reading = _Reading()
        self.reached_ever = False
        """Whether the server has ever answered."""

    @property
    def address(self) -> str:
        """`HOST:PORT` or the path of the socket."""
        return self._target.address

    @property
    def connected(self) -> bool | None:
        """Whether the server answers, be it with an error; None before the first collection."""
        return self._reading.connected

    @property
    def slow_log_total(self) -> int:
        """How many entries have appeared in the slow log, without Dozor's own."""
        return self._slow_log.total

    def slow_log(self) -> tuple[SlowCommand, ...]:
        """The newest entries of the slow log, newest first; kept when the server forgets them."""
        return self._slow_log.entries

    def info(self) -> dict[str, dict[str, InfoValue]]:
        """The last answer to INFO by section; empty if the last collection failed."""
        return {section: dict(values) for section, values in self._reading.info.items()}

    def capabilities(self) -> dict[str, bool]:
        """Which commands the server allows Dozor: `info`, `slowlog`, and those that are asked at times (`latency|latest` …).

        What is not yet known, and what the server does not have, is absent.
        """
        return {**self._capabilities, **self._survey.allowed}

    def figures(self) -> dict[str, float]:
        """The current value of each metric by its name; what is unknown is absent."""
        return dict(self._reading.values)

    def windows(self) -> Mapping[str, CommandWindow]:
        """What the server's commands cost, by the name of the window; empty where the server does not say."""
        return self._survey.commands.windows

    def surveyed(self) -> Surveyed:
        """What was found out beside INFO, at most some ten seconds ago."""
        return self._survey.surveyed

    def key_rates(self) -> Mapping[str, float]:
        """Keys evicted and expired a second over the last minute, by the field of INFO; empty before the second answer."""
        return self._key_rates.per_second

    def when_lost(self, call: Callable[[], None]) -> None:
        """Have *call* called, on the loop that collects, when the server closes the standing connection between two collections."""
        self._link.on_lost = call

    async def refresh(self) -> None:
        """Collect once. Raises `RedisFailure` if the figures could not be read, unless INFO is merely forbidden."""
        began = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._limit_seconds):
                info = await self._collect()
        except asyncio.CancelledError:
            self._link.drop()
            self._failed("timeout")
            raise
        except Exception as error:  # noqa: BLE001 - a library's, a system's or a credential provider's: told apart below
            if not isinstance(error, AnswerError):
                self._link.drop()  # else the server answered, and the connection is as good as before
            failure = self._failed(error.kind if isinstance(error, RedisFailure) else kind_of(error))
            if self._info_is_forbidden(failure):
                return
            # Without the cause: its text may hold credentials, and logs print it.
            raise failure from None
        if self._survey.server_is(info):
            self._slow_log_closed_until = 0.0
        if self._survey.due(began):
            await self._ask_more(info, began)
        self._succeeded(info)

    async def close(self) -> None:
        """Close the connection."""
        self._link.drop()

    async def _collect(self) -> Info:
        reused = self._link.standing
        try:
            await self._link.open()
            return await self._read()
        except OSError as error:
            self._link.drop()
            if not reused or kind_of(error) != "reset":
                raise
        # The server closed the standing connection, as it does when it restarts: that alone does not say it is down.
        await self._link.open()
        return await self._read()

    async def _read(self) -> Info:
        sent = self._link.sent.total
        answer, *newest = await self._link.ask(("INFO",), *self._slow_log_questions())
        info = parse_info(answer) if isinstance(answer, bytes) else {}
        self._slow_log.server_is(run_id(info))
        self._slow_log.connected(self._link.own_address)
        if newest:
            await self._read_slow_log(newest[0])
        if isinstance(answer, Exception):
            if kind_of(answer) == "noperm":
                self._capabilities["info"] = False
            raise answer
        if "server" not in info:
            raise RedisFailure("garbage", self.address)
        self._capabilities["info"] = True
        self._own_commands, self._sent_at_info = sent - self._sent_at_info, sent
        return info

    def _slow_log_questions(self) -> tuple[tuple[str, ...], ...]:
        # A command that is forbidden is a line in the server's ACL LOG each time.
        return (("SLOWLOG", "GET", "1"),) if self._clock.monotonic() >= self._slow_log_closed_until else ()

    async def _read_slow_log(self, newest: Any) -> None:
        if not isinstance(newest, list):
            self._no_slow_log(newest)
            return
        self._capabilities["slowlog"] = True
        count = self._slow_log.wanted(newest)
        if count:
            (entries,) = await self._link.ask(("SLOWLOG", "GET", str(count)))
            self._slow_log.take(entries if isinstance(entries, list) else [])

    def _no_slow_log(self, answer: Any) -> None:
        self._capabilities.pop("slowlog", None)
        self._slow_log_closed_until = math.inf  # a server that has none, such as a sentinel
        if isinstance(answer, Exception) and forbidden(answer):
            self._capabilities["slowlog"] = False
            self._slow_log_closed_until = self._clock.monotonic() + FORBIDDEN_SECONDS

    async def _ask_more(self, info: Info, began: float) -> None:
        """Ask what is asked at times only; whatever comes of it, the collection has succeeded, and its time is kept."""
        left = self._limit_seconds - (self._clock.monotonic() - began) - _MARGIN_SECONDS
        if left <= 0:
            return
        try:
            async with asyncio.timeout(left):
                await self._survey.ask(self._link, info, began)
        except Exception as error:  # noqa: BLE001 - as in `refresh`; the next collection will say whether the server is well
            self._link.drop()
            if not isinstance(error, (AnswerError, ProtocolError, OSError)):
                report("redis.survey")
        except asyncio.CancelledError:
            self._link.drop()
            raise
        else:
            self._survey_families = survey_families(self._survey, self._metrics)

    def _succeeded(self, info: Info) -> None:
        self.reached_ever = True
        rates = self._rates.update(info, self._clock.monotonic(), self._own_commands)
        self._key_rates.update(info, self._clock.monotonic())
        values = {"redis_connected": 1.0, **figures(info), **rates, **self._slow_figures()}
        labels = self._labels.with_(exporter_instance(info))
        if labels != self._instance_labels:
            self._instance_labels = labels
        at = self._clock.timestamp()
        self._reading = _Reading(
            connected=True,
            at=at,
            info=info,
            values=values,
            families=(
                *self._metrics.own({**values, "redis_up": 1.0}),
                own_family("redis_instance_info", self._instance_labels, 1.0),
                *self._metrics.families(info, at),
                *labelled(self._newest_slow()),
                *self._survey_families,
            ),
        )

    def _failed(self, kind: str) -> RedisFailure:
        failure = RedisFailure(kind, self.address, tls=self._target.tls is not None)
        self.reached_ever = self.reached_ever or failure.answered
        values = {"redis_connected": float(failure.answered)}
        if self._info_is_forbidden(failure):
            values |= self._slow_figures()
        self._reading = _Reading(
            connected=failure.answered,
            failure=failure,
            at=self._clock.timestamp(),
            values=values,
            families=tuple(self._metrics.own({**values, "redis_up": 0.0})),
        )
        return failure

    def _info_is_forbidden(self, failure: RedisFailure) -> bool:
        return failure.kind == "noperm" and self._capabilities.get("info") is False

    def _slow_figures(self) -> dict[str, float]:
        known = self._capabilities.get("slowlog", False)
        return {"redis_slow_commands_total": float(self._slow_log.total)} if known else {}

    def _newest_slow(self) -> tuple[Found, ...]:
        """What redis_exporter says of the slow log's newest entry; nothing where there is none."""
        if not self._slow_log.entries:
            return ()
        newest = self._slow_log.entries[0]
        return (
            ("redis_slowlog_last_id", self._labels, float(newest.id)),
            ("redis_last_slow_execution_duration_seconds", self._labels, newest.duration_seconds),
        )
