"""What a PostgreSQL server says of itself, asked over a connection of Dozor's own. A permission missing leaves it out."""

from typing import Final

from msgspec import Struct, field
from sqlalchemy import Engine

from dozor.instruments.database_probe import limit_statements
from dozor.instruments.own_mark import MARK

# One statement, since each costs Dozor more than it costs the server; without sessions there is one row, of NULLs at its end.
_FIGURES: Final = f"""
    SELECT {MARK} pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'), current_setting('max_connections')::int,
        (SELECT count(*) FROM pg_locks WHERE NOT granted), sessions.*
    FROM (VALUES (1)) AS once LEFT JOIN (
        SELECT coalesce(state, 'unknown'), count(*), max(extract(epoch FROM clock_timestamp() - xact_start))::float8
        FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1
    ) AS sessions ON true"""  # noqa: S608 - a comment of ours


class ServerFigures(Struct, frozen=True):
    """What is known of the server; None and empty where it may not be known.

    Attributes:
        connections: client connections by state (`active`, `idle`, `idle in transaction`, …), Dozor's own left out.
        longest_transaction_seconds: age of the oldest open transaction, 0 where there is none.
        capabilities: whether `activity` (the states and transactions of others) may be read.
    """

    connections: dict[str, int] = field(default_factory=dict)
    max_connections: int | None = None
    waiting_locks: int | None = None
    longest_transaction_seconds: float | None = None
    capabilities: dict[str, bool] = field(default_factory=dict)


def read_figures(engine: Engine) -> ServerFigures:
    """The figures of the server behind *engine* now. Raises what the driver raises when it does not answer."""
    with engine.connect() as connection:
        limit_statements(connection)
        rows = connection.exec_driver_sql(_FIGURES).all()
    allowed, max_connections, waiting_locks = bool(rows[0][0]), int(rows[0][1]), int(rows[0][2])
    sessions = [(str(state), int(count), seconds) for *_, state, count, seconds in rows if state is not None]
    return ServerFigures(
        connections={state: count for state, count, _ in sessions},
        max_connections=max_connections,
        waiting_locks=waiting_locks,
        longest_transaction_seconds=max((seconds or 0.0 for *_, seconds in sessions), default=0.0) if allowed else None,
        capabilities={"activity": allowed},
    )
