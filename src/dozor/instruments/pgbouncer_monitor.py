"""PgBouncer, by its admin console: who waits for a connection, and how long.

The console speaks the simple query protocol only and knows no transactions. Metric names are those of pgbouncer_exporter.
"""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from msgspec import Struct, field
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.instruments.database_probe import CONNECT_SECONDS, reason
from dozor.instruments.database_server_monitor import DatabaseFailure
from dozor.instruments.last_reading import LastReading
from dozor.instruments.side_thread import SideThread, StillBusyError
from dozor.instruments.text import printable
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

Row = Mapping[str, Any]

# metric: (columns, which are added up; what one of them is worth in the metric's unit), unit, help
_POOLS: Final[Mapping[str, tuple[Mapping[str, float], str, str]]] = {
    "pgbouncer_pools_client_active_connections": (
        {"cl_active": 1},
        "connections",
        "Clients linked to a server, or idle.",
    ),
    "pgbouncer_pools_client_waiting_connections": ({"cl_waiting": 1}, "connections", "Clients that wait for a server."),
    "pgbouncer_pools_client_maxwait_seconds": (
        {"maxwait": 1, "maxwait_us": 1e-6},
        "seconds",
        "How long the client that came first has waited, in seconds.",
    ),
    "pgbouncer_pools_server_active_connections": ({"sv_active": 1}, "connections", "Servers linked to a client."),
    "pgbouncer_pools_server_idle_connections": ({"sv_idle": 1}, "connections", "Servers ready for a client."),
    "pgbouncer_pools_server_used_connections": ({"sv_used": 1}, "connections", "Idle servers that need a check first."),
    "pgbouncer_pools_server_login_connections": ({"sv_login": 1}, "connections", "Servers that are logging in."),
}
_STATISTICS: Final[Mapping[str, tuple[Mapping[str, float], str, str]]] = {
    "pgbouncer_stats_sql_transactions_pooled_total": ({"total_xact_count": 1}, "transactions", "Transactions."),
    "pgbouncer_stats_queries_pooled_total": ({"total_query_count": 1}, "queries", "Queries."),
    "pgbouncer_stats_received_bytes_total": ({"total_received": 1}, "bytes", "Bytes received from clients."),
    "pgbouncer_stats_sent_bytes_total": ({"total_sent": 1}, "bytes", "Bytes sent to clients."),
    "pgbouncer_stats_queries_duration_seconds_total": (
        {"total_query_time": 1e-6},
        "seconds",
        "Time that servers spent on queries, in seconds.",
    ),
    "pgbouncer_stats_client_wait_seconds_total": (
        {"total_wait_time": 1e-6},
        "seconds",
        "Time that clients waited for a server, in seconds.",
    ),
}
_CONFIG: Final[Mapping[str, tuple[str, str]]] = {
    "pgbouncer_config_max_client_connections": ("max_client_conn", "The most clients that may be connected."),
    "pgbouncer_config_default_pool_size": ("default_pool_size", "Servers for each pair of database and user."),
}


class _Reading(Struct, frozen=True):
    up: bool | None = None
    failure: DatabaseFailure | None = None
    at: float | None = None
    pools: tuple[Row, ...] = ()
    statistics: tuple[Row, ...] = ()
    config: Mapping[str, str] = field(default_factory=dict)
    families: tuple[Family, ...] = ()


class PgBouncerMonitor(LastReading):
    """Reads the admin console of one PgBouncer. `refresh` and `close` belong to one event loop, the rest to any thread.

    Args:
        name: the label `pool` of its series.
        url: `pgbouncer://USER:PASSWORD@HOST:6432`, the user one of `stats_users` or `admin_users`.
        clock: dates.
        interval: seconds between two collections; one takes at most 0.8 of that, and at most one second.

    Raises:
        ConfigurationError: the URL is wrong, or psycopg is not installed.
    """

    def __init__(self, name: str, url: str, clock: Clock, *, interval: float = 1.0) -> None:
        self.name = f"pgbouncer:{name}"
        self.pool_name = name
        self._clock = clock
        self._url = _parsed(url)
        self._limit_seconds = 0.95 * min(0.8 * interval, 1.0)
        self._labels = Labels(pool=name)
        self._row_labels: dict[tuple[str, str], Labels] = {}
        self._side = SideThread(f"dozor-{self.name}")
        self._connection: Any = None
        self._reads_config: bool | None = None
        self._reading: _Reading = _Reading()

    @property
    def up(self) -> bool | None:
        """Whether the console answers; None before the first collection."""
        return self._reading.up

    def pools(self) -> tuple[Row, ...]:
        """The rows of SHOW POOLS, by column."""
        return self._reading.pools

    def capabilities(self) -> dict[str, bool]:
        """Whether `config` may be read (by `admin_users` only, in older versions)."""
        return {} if self._reads_config is None else {"config": self._reads_config}

    def figures(self) -> dict[str, float]:
        """The current value of each metric without labels of its own, by name; what is unknown is absent."""
        samples = (sample for family in self._reading.families for sample in family.samples)
        return {sample.name: sample.value for sample in samples if sample.labels == self._labels}

    async def refresh(self) -> None:
        """Collect once. Raises `DatabaseFailure` if the console did not answer."""
        try:
            reading = await self._side.run(self._read, self._limit_seconds)
        except asyncio.CancelledError:
            self._failed(TimeoutError())
            raise
        except StillBusyError:
            failure = self._failed(TimeoutError())
        except Exception as error:  # noqa: BLE001 - psycopg's or the system's: told apart by `reason`
            failure = self._failed(error)
        else:
            self._set(reading)
            return
        # Without the cause: its text may hold the password, and logs print it.
        raise failure from None

    async def close(self) -> None:
        """Close the connection; one that hangs is left to its own limits."""
        with contextlib.suppress(Exception):
            await self._side.run(self._disconnect, self._limit_seconds)

    def _read(self) -> _Reading:
        kept = self._connection is not None
        try:
            return self._show_all()
        except Exception:
            self._disconnect()
            if not kept:
                raise
        # The connection that was kept may merely have been closed, as by a restart.
        return self._show_all()

    def _show_all(self) -> _Reading:
        if self._connection is None:
            self._connection = self._connect()
        pools = tuple(row for row in self._show("POOLS") if row.get("database") != "pgbouncer")
        statistics = tuple(row for row in self._show("STATS") if row.get("database") != "pgbouncer")
        return _Reading(up=True, pools=pools, statistics=statistics, config=self._config())

    def _config(self) -> Mapping[str, str]:
        import psycopg  # noqa: PLC0415 - an extra

        if self._reads_config is False:
            return {}
        try:
            rows = self._show("CONFIG")
        except psycopg.ProgrammingError:  # a user of stats_users only
            self._reads_config = False
            return {}
        self._reads_config = True
        return {str(row["key"]): str(row["value"]) for row in rows if "key" in row and "value" in row}

    def _show(self, what: str) -> Sequence[Row]:
        cursor = self._connection.execute(f"SHOW {what}")
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]

    def _connect(self) -> Any:
        import psycopg  # noqa: PLC0415 - an extra

        url = self._url
        tls: dict[str, Any] = {key: value for key, value in url.query.items() if key.startswith("ssl")}
        return psycopg.connect(
            host=url.host,
            port=url.port or 6432,
            user=url.username,
            password=str(url.password) if url.password is not None else None,
            dbname="pgbouncer",
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=CONNECT_SECONDS,
            application_name="dozor",
            keepalives_idle=5,
            keepalives_interval=5,
            keepalives_count=3,
            **tls,
        )

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):
                connection.close()

    def _failed(self, error: BaseException) -> DatabaseFailure:
        failure = DatabaseFailure(*reason(error, self._url))
        self._set(_Reading(up=failure.kind == "full", failure=failure))
        return failure

    def _set(self, reading: _Reading) -> None:
        families = self._families(reading)
        self._reading = _Reading(
            reading.up,
            reading.failure,
            self._clock.timestamp(),
            reading.pools,
            reading.statistics,
            reading.config,
            tuple(families),
        )

    def _families(self, reading: _Reading) -> list[Family]:
        up = float(bool(reading.up))
        gauge, counter = MetricType.GAUGE, MetricType.COUNTER
        found = [
            self._single("db_up", "", "Whether the database answers on a connection of Dozor's own: 1 or 0.", up),
            self._single("pgbouncer_up", "", "Whether PgBouncer's admin console answers: 1 or 0.", up),
        ]
        for name, (columns, unit, text) in _POOLS.items():
            found.append(Family(name, gauge, text, unit, self._samples(name, columns, reading.pools)))
        for name, (columns, unit, text) in _STATISTICS.items():
            found.append(Family(name, counter, text, unit, self._samples(name, columns, reading.statistics)))
        for name, (key, text) in _CONFIG.items():
            if (value := reading.config.get(key, "")).isdigit():
                found.append(self._single(name, "connections", text, float(value)))
        return [family for family in found if family.samples]

    def _single(self, name: str, unit: str, text: str, value: float) -> Family:
        return Family.gauge(name, text, unit, value, self._labels)

    def _samples(self, name: str, columns: Mapping[str, float], rows: Sequence[Row]) -> tuple[Sample, ...]:
        return tuple(
            Sample(
                name, self._labels_of(row), sum(float(row.get(column, 0)) * worth for column, worth in columns.items())
            )
            for row in rows
            if next(iter(columns)) in row
        )

    def _labels_of(self, row: Row) -> Labels:
        key = (str(row.get("database", "")), str(row.get("user", "")))
        if key not in self._row_labels:
            database, user = (printable(part, 128) for part in key)
            self._row_labels[key] = self._labels.with_({"database": database, "user": user})
        return self._row_labels[key]


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError("not a valid PgBouncer URL; write pgbouncer://USER:PASSWORD@HOST:6432") from None
    if parsed.drivername != "pgbouncer":
        raise ConfigurationError(f"{parsed.drivername!r} is not pgbouncer; write pgbouncer://USER:PASSWORD@HOST:6432")
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra
    except ImportError:
        raise ConfigurationError("to watch PgBouncer, install psycopg: pip install 'dozor[postgres]'") from None
    return parsed
