"""How many connections a PostgreSQL server takes, asked over a connection of Dozor's own."""

from typing import Any, Final

from msgspec import Struct

from dozor.instruments.own_mark import MARK

QUESTION: Final = f"""
    SELECT {MARK} current_setting('max_connections')::int,
           current_setting('superuser_reserved_connections')::int
           + coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int,
           (SELECT count(*) FROM pg_stat_activity
            WHERE usesysid IS NOT NULL AND coalesce(backend_type, 'client backend') = 'client backend')::int,
           inet_server_port()"""  # noqa: S608 - a comment of ours


class ServerCapacity(Struct, frozen=True):
    """A server's room for connections.

    Attributes:
        most: `max_connections`.
        reserved: those of them that are kept for superusers and the like.
        in_use: all clients, Dozor and this application included.
        port: at which the server itself took Dozor's connection; None: a socket of the machine.
    """

    most: int
    reserved: int
    in_use: int
    port: int | None

    @property
    def ordinary(self) -> int:
        """How many ordinary users may have."""
        return self.most - self.reserved


def read_capacity(connection: Any) -> ServerCapacity:
    """Ask over a DBAPI *connection*; leaves a transaction open. Raises what the driver raises."""
    cursor = connection.cursor()
    try:
        cursor.execute(QUESTION)
        most, reserved, in_use, port = cursor.fetchone()
    finally:
        cursor.close()
    return ServerCapacity(int(most), int(reserved), int(in_use), None if port is None else int(port))
