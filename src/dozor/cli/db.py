"""`dozor db upgrade`."""

from collections.abc import Mapping

import typer

from dozor.cli.serve import AGENT
from dozor.database import Database
from dozor.errors import ConfigurationError
from dozor.settings import Settings


def upgrade(flags: Mapping[str, object]) -> None:
    """Upgrade the tables of the configured store, and say where they are.

    Raises:
        ConfigurationError: there is no lasting store to upgrade. StoreUnavailable: it does not answer.
    """
    settings = Settings.load(flags=flags, strict=True)
    database = Database(settings.store_url, name=settings.name or AGENT, strict=True)
    database.open()
    try:
        if database.why_not_durable is not None:
            raise ConfigurationError(f"there is no database to upgrade: {database.why_not_durable}")
        typer.echo(f"up to date: {database.location}")
    finally:
        database.close()
