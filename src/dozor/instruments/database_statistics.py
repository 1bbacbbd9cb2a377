"""What PostgreSQL counts of one database: its statements (`pg_stat_statements`) and its sums (`pg_stat_database`).

Nothing is ever reset. The counts are read without their texts, which lie in a file that the server would read each time.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from dozor.instruments.own_mark import MARK
from dozor.instruments.redaction import MOST_READ
from dozor.instruments.statement_differences import StatementReading, StatementTotals

MOST_ENTRIES: Final = 5000
"""As many as a server keeps unless told otherwise; of more, the costliest are read."""

LIMITS: Final = (f"SET TRANSACTION READ ONLY {MARK}", f"SET LOCAL statement_timeout = 3000 {MARK}")

_FACTS: Final = f"""
    SELECT {MARK} current_setting('server_version_num')::int, current_user, current_database(),
        (SELECT oid FROM pg_database WHERE datname = current_database())::bigint,
        pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'),
        extract(epoch FROM clock_timestamp())::float8, extract(epoch FROM pg_postmaster_start_time())::float8,
        current_setting('compute_query_id', true), current_setting('pg_stat_statements.track', true),
        quote_ident(nspname), extversion
    FROM (VALUES (1)) AS once
        LEFT JOIN pg_extension ON extname = 'pg_stat_statements' LEFT JOIN pg_namespace ON pg_namespace.oid = extnamespace"""  # noqa: S608 - a comment of ours
SUMS: Final = (
    *("xact_commit", "xact_rollback", "blks_read", "blks_hit", "tup_returned", "tup_fetched", "tup_inserted"),
    *("tup_updated", "tup_deleted", "conflicts", "temp_files", "temp_bytes", "deadlocks"),
)
"""Columns of `pg_stat_database`, all of which only ever grow."""

_SUMS: Final = f"""
    SELECT {MARK} {", ".join(SUMS)} FROM pg_stat_database WHERE datname = current_database()"""  # noqa: S608 - names of ours
_OLDEST: Final = (1, 8)
_WITH_TOPLEVEL: Final = (1, 9)
_WITH_SINCE: Final = (1, 11)


class ServerFacts(Struct, frozen=True):
    """What must be known of a server to read its statements.

    Attributes:
        user, database: as whom, and where Dozor is connected.
        reads_all: whether the statements of other users may be seen.
        at: now by the server's clock, *started_at* when it was started; Unix seconds.
        query_ids: `compute_query_id`; None before PostgreSQL 14.
        track: `pg_stat_statements.track`; None: the library is not loaded.
        schema: of the extension, quoted; None: it is not in this database. *version* is that of the extension.
    """

    server_version: int
    user: str
    database: str
    database_oid: int
    reads_all: bool
    at: float
    started_at: float
    query_ids: str | None
    track: str | None
    schema: str | None
    version: tuple[int, ...]

    @property
    def missing(self) -> str | None:
        """Why nothing is known of statements and what to do about it, in one line; None: it is."""
        create = f"CREATE EXTENSION pg_stat_statements in the database {self.database}"
        if self.track is None:
            then = "" if self.schema else f", then {create}"
            return (
                "pg_stat_statements is not loaded: set shared_preload_libraries = 'pg_stat_statements' in postgresql.conf and "
                f"restart the server{then}"
            )
        if self.schema is None:
            return f"pg_stat_statements is loaded but not there: {create}"
        if self.version < _OLDEST:
            return (
                "pg_stat_statements is of an old version: ALTER EXTENSION pg_stat_statements UPDATE"
                if self.server_version >= 130_000
                else "PostgreSQL counts execution times of statements by themselves from 13 on"
            )
        if self.track == "none":
            return "pg_stat_statements.track is none, so nothing is counted: set it to top"
        if self.query_ids == "off":
            return "compute_query_id is off, so statements are not told apart: set it to auto"
        return None

    @property
    def limits(self) -> str | None:
        """What of it is out of sight, and how to see it."""
        if self.missing is None and not self.reads_all:
            return f'only the statements of {self.user} itself are seen: GRANT pg_read_all_stats TO "{self.user}"'
        return None


def read_facts(cursor: Any) -> ServerFacts:
    """Where *cursor*, of a DBAPI connection, is. Raises what the driver raises, as all here."""
    *known, version = _rows(cursor, _FACTS)[0]
    known.append(tuple(int(part) for part in (version or "").split(".") if part.isdigit()))
    return ServerFacts(*known)


def read_sums(cursor: Any) -> dict[str, int]:
    """The `SUMS` of this database."""
    row = _rows(cursor, _SUMS)[0]
    return {name: int(value) for name, value in zip(SUMS, row, strict=True) if value is not None}


def read_statements(cursor: Any, facts: ServerFacts) -> tuple[StatementReading, int]:
    """The counts of all statements of this database, and how often the server has forgotten some for want of room."""
    toplevel = "toplevel" if facts.version >= _WITH_TOPLEVEL else "true"
    since = "extract(epoch FROM stats_since)::float8" if facts.version >= _WITH_SINCE else "NULL"
    rows = _rows(
        cursor,
        f"""
    SELECT {MARK} queryid, userid::bigint, {toplevel}, calls, total_exec_time / 1e3, rows, max_exec_time / 1e3,
        calls * (stddev_exec_time * stddev_exec_time + mean_exec_time * mean_exec_time) / 1e6, {since}
    FROM {facts.schema}.pg_stat_statements(false)
    WHERE dbid = {facts.database_oid} AND queryid IS NOT NULL
    ORDER BY total_exec_time DESC LIMIT {MOST_ENTRIES + 1}""",  # noqa: S608 - numbers, and a name that the server has quoted
    )
    forgotten, reset = 0, None
    if facts.version >= _WITH_TOPLEVEL:
        forgotten, reset = _rows(
            cursor,
            f"SELECT {MARK} dealloc, extract(epoch FROM stats_reset)::float8 FROM {facts.schema}.pg_stat_statements_info",  # noqa: S608 - likewise
        )[0]
    entries = {(row[0], row[1], row[2]): StatementTotals(*row[3:]) for row in rows[:MOST_ENTRIES]}
    complete = len(rows) <= MOST_ENTRIES
    return StatementReading(facts.at, facts.started_at, reset, complete, entries), int(forgotten)


def read_texts(cursor: Any, facts: ServerFacts, ids: Iterable[int]) -> dict[int, str]:
    """The texts of the statements of these `queryid`s; of what is no longer there, none."""
    wanted = ", ".join(str(int(one)) for one in ids)
    rows = _rows(
        cursor,
        f"""
    SELECT {MARK} queryid, left(min(query), {MOST_READ + 1}) FROM {facts.schema}.pg_stat_statements(true)
    WHERE dbid = {facts.database_oid} AND queryid IN ({wanted}) GROUP BY 1""",  # noqa: S608 - likewise
    )
    return {int(one): str(text) for one, text in rows if text is not None}


def _rows(cursor: Any, statement: str) -> list[Sequence[Any]]:
    cursor.execute(statement)
    return list(cursor.fetchall())
