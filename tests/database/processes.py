"""Processes of their own for tests, begun quickly: a server that has imported everything forks them."""

import multiprocessing
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from threading import Event

from tests.database.records import START, make_alert

from dozor.database import Database
from dozor.model.notification import Changes

CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    ["tests.durability.storm", "alembic.operations", "alembic.runtime.migration", "alembic.script"]
)


def begin_store(url: str, barrier: Barrier, number: int) -> None:
    """Open the store at *url* in the same moment as others, and commit 20 alerts."""
    database = Database(url)
    barrier.wait()
    database.open()
    for turn in range(20):
        database.commit(Changes(alerts=(make_alert(id=f"{number}-{turn}"),)), ())
    database.close()


def claim_and_hang(url: str, claimed: Connection) -> None:
    """Open the store at *url* as its only user, claim all that is due, say how much, and do no more."""
    database = Database(url, exclusive=True)
    database.open()
    claimed.send(len(database.claim(START, 60.0, 10)))
    Event().wait()
