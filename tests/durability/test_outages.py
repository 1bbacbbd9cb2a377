"""`dozor serve` in a storm while what it leans on goes away: its database, its mail server."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest
from sqlalchemy.exc import OperationalError
from tests.chaos import CHAOS, SEED
from tests.durability.kept import Kept, nothing_lost, read
from tests.durability.storm_world import Storm, all_told, until_nothing_is_left, wait_until
from tests.patience import PATIENCE_SECONDS

from dozor.demo.servers import EmbeddedServer

pytestmark = pytest.mark.chaos


@contextmanager
def _storm(folder: Path, url: str) -> Iterator[Storm]:
    storm = Storm(folder, url, SEED, "ok=1")
    try:
        yield storm
    finally:
        storm.close()


def _journal_depth(storm: Storm) -> int:
    shown = httpx2.get(f"{storm.api}metrics", trust_env=False, timeout=PATIENCE_SECONDS).text
    return int(float(shown.partition("\ndozor_journal_depth ")[2].split()[0]))


def _more_than(url: str, count: int) -> bool:
    with suppress(OperationalError):
        return len(read(url).alerts) > count
    return False


def test_a_database_that_restarts_in_mid_storm_misses_nothing(tmp_path: Path, own_postgres: EmbeddedServer) -> None:
    kept = Kept()
    with _storm(tmp_path, own_postgres.url) as storm:
        with storm.dozor() as process:
            storm.wait_for_health(process)
            for turn in range(10 if CHAOS else 2):
                wait_until(lambda: _more_than(own_postgres.url, len(kept.alerts) + 10), "alerts are written")  # noqa: B023
                now = read(own_postgres.url)
                nothing_lost(kept, now)
                kept = now
                own_postgres.kill() if turn % 2 else own_postgres.stop()
                time.sleep(1)  # so long is it away
                assert httpx2.get(f"{storm.api}livez", trust_env=False, timeout=PATIENCE_SECONDS).status_code == 200
                own_postgres.start()
            wait_until(lambda: _more_than(own_postgres.url, len(kept.alerts) + 10), "alerts are written again")
            # What was told from memory and is not written yet, a kill would lose; so it does not end in one, nor before
            # the queue, which is long on a slow machine, is written. What the storm has just brought is written at the end.
            until_nothing_is_left(lambda: max(0, _journal_depth(storm) - 3), "all that waited is written")
            storm.end(process)
        final = storm.drain()
        nothing_lost(kept, final)
        all_told(final, storm.told())


def test_a_mail_server_that_never_says_a_word_delays_no_webhook(tmp_path: Path) -> None:
    with _tarpit() as port, _storm(tmp_path, f"sqlite:///{tmp_path}/store.db") as storm:
        mail = {
            "DOZOR_SMTP_URL": f"smtp://127.0.0.1:{port}",
            "DOZOR_EMAIL_FROM": "dozor@example.org",
            "DOZOR_EMAIL_TO": "anna@example.org",
        }
        with storm.dozor(variables=mail) as process:
            storm.wait_for_health(process)
            wait_until(lambda: len(read(storm.url).ids("webhook")) > 30, "there are notifications")
        final = storm.drain(mail)
        all_told(final, storm.told())
        assert final.ids("email") == final.ids("webhook")
        assert set(final.states("email")) == {"pending"}, "they wait for the mail server, and none is lost"


@contextmanager
def _tarpit() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    taken = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            with suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in taken:
        connection.close()
