"""The store kept below a size: what goes, in which order, and what never does. One suite for every database."""

from itertools import count

import pytest
from msgspec.structs import replace
from sqlalchemy import text
from tests.database.records import START, make_alert, make_notification, to

from dozor.database import Database, HistoryFilter, OutboxFilter, retention
from dozor.model.notification import AuditEntry, Changes

_numbers = count()


def noise(kilobytes: int) -> str:
    """Text that does not compress away."""
    return "".join(f"{(next(_numbers) * 2654435761) % 2**32:08x}" for _ in range(128 * kilobytes))


def used(store: Database) -> int:
    with store._reading() as connection:
        return retention.excess_bytes(connection, 0)


def fill(store: Database, count: int, *, first: int = 0) -> list[str]:
    """*count* ended alerts of 10 kB each, with an audit entry."""
    alerts = [
        make_alert(fired_at=START + n, resolved_at=START + n + 1, evidence={"text": noise(10)})
        for n in range(first, first + count)
    ]
    audit = tuple(AuditEntry(alert.id, START, "fired") for alert in alerts)
    store.commit(Changes(alerts=tuple(alerts), audit=audit), ())
    return [alert.id for alert in alerts]


def ids(store: Database) -> set[str]:
    return {alert.id for alert in store.history(HistoryFilter(limit=1000)).items}


def test_the_oldest_ended_alerts_go_until_it_is_small_enough(store: Database) -> None:
    filled = fill(store, 120)
    limit = used(store) // 2
    gone = store.retention(START + 1000, keep_at_least=10, keep_bytes=limit)
    assert used(store) <= limit
    assert 50 <= gone <= 75, "no more than needed"
    assert ids(store) == set(filled[gone:])
    assert store.audit(filled[0]) == []
    assert store.audit(filled[-1]) != []
    assert store.total_fired() == 120


def test_the_newest_open_ones_and_what_is_on_its_way_stay(store: Database) -> None:
    still_open = make_alert(id="open", fired_at=START, evidence={"text": noise(10)})
    pending = make_alert(id="pending", fired_at=None, evidence={"text": noise(10)})
    waiting = make_notification(alerts=(still_open,))
    store.commit(Changes(alerts=(still_open, pending)), to(["log"], waiting))
    filled = fill(store, 20, first=1)
    assert store.retention(START + 1000, keep_at_least=5, keep_bytes=1) == 15
    assert ids(store) == {"open", *filled[-5:]}
    assert store.get("pending") == pending
    assert store.outbox_depth() == 1


def test_what_was_sent_goes_before_any_alert(store: Database) -> None:
    filled = fill(store, 30)
    letters = [make_notification(alerts=(replace(make_alert(), evidence={"text": noise(10)}),)) for _ in range(30)]
    store.commit(Changes(), [each._replace(sent_at=START) for each in to(["log"], *letters)])
    limit = used(store) - 200_000
    assert store.retention(START + 1000, keep_at_least=1, keep_bytes=limit) == 0
    kept = [row.notification.id for row in store.notifications(OutboxFilter()).items]
    assert kept == [letter.id for letter in letters[::-1]][: len(kept)], "the oldest went"
    assert 5 <= len(kept) <= 12
    assert ids(store) == set(filled)


def test_dead_letters_go_last(store: Database) -> None:
    fill(store, 3)
    store.commit(Changes(), to(["log"], make_notification()))
    (row,) = store.claim(START, 60, 1)
    store.settle_dead(row, START, "answered 404")
    store.retention(START + 10, keep_at_least=3, keep_bytes=used(store) - 1)
    assert store.outbox_counts().dead == 0
    assert len(ids(store)) == 3


def test_below_the_limit_nothing_goes(store: Database) -> None:
    fill(store, 5)
    assert store.retention(START + 10, keep_at_least=1, keep_bytes=2**30) == 0
    assert len(ids(store)) == 5


def test_the_size_is_what_the_disk_holds(store: Database) -> None:
    before = store.size_bytes()
    fill(store, 100)
    assert before + 500_000 < store.size_bytes() < before + 20_000_000


@pytest.mark.parametrize("store", ["sqlite-file"], indirect=True)
def test_an_sqlite_file_gets_smaller(store: Database) -> None:
    fill(store, 300)
    before = store.size_bytes()
    store.retention(START + 1000, keep_at_least=10, keep_bytes=500_000)
    with store._reading() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    path = store._place.path
    assert path is not None
    assert path.stat().st_size < 700_000 < before


@pytest.mark.parametrize("store", ["postgresql"], indirect=True)
def test_dead_space_in_postgresql_does_not_cost_living_alerts(store: Database) -> None:
    fill(store, 100)
    limit = used(store)
    fill(store, 100, first=100)
    store.retention(START + 1000, keep_at_least=1, keep_bytes=limit)
    kept = ids(store)
    assert 90 <= len(kept) <= 101
    assert store.size_bytes() > limit, "the dead rows are still on the disk"
    assert store.retention(START + 1000, keep_at_least=1, keep_bytes=limit) == 0
    assert ids(store) == kept
