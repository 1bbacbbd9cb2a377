"""A store that an earlier release wrote, opened by this one."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from tests.database.records import make_alert

import dozor.database.migrations
from dozor.database import Database, HistoryFilter
from dozor.database.engine import build_engine
from dozor.database.schema import VERSION_TABLE
from dozor.database.url import parse_url
from dozor.errors import StoreUnavailable
from dozor.model.alert import Acknowledgement, AlertState, Severity
from dozor.model.labels import Labels
from dozor.model.notification import AuditEntry, Changes, Occasion
from dozor.store.matchers import parse_matcher

AT = 1_800_000_000.0

# As the first release wrote them, to the letter.
ALERT = (
    '{"id":"4f1c2a9be0d37715","rule":"PoolUtilizationHigh","labels":{"alertname":"PoolUtilizationHigh","pool":"main",'
    '"worker":"0"},"severity":"CRITICAL","component":"database","annotations":{"summary":"Pool main is 95 % in use"},'
    '"value":95.0,"active_at":1799999940.0,"fired_at":1800000000.0,"resolved_at":null,"resolve_reason":null,"holds":true,'
    '"clear_since":null,"no_data":false,"acknowledged":{"at":1800000030.0,"by":"ann","comment":"mine"},"silenced":{"at":'
    '1800000040.0,"until":null,"by":"bob","comment":null},"inhibited_by":[],"quiet_until":null,"told_severity":"CRITICAL",'
    '"told_at":1800000000.0,"told_resolved":false,"evidence":{"holders":[{"endpoint":"GET /orders","held_seconds":12.5}]}}'
)
NOT_A_NUMBER = (
    '{"id":"ended","rule":"Odd\\u0000","labels":{"alertname":"Odd\\u0000"},"severity":"INFO","component":"",'
    '"annotations":{},"value":"nan","active_at":1799990000.0,"fired_at":1799990000.0,"resolved_at":1799990001.0,'
    '"resolve_reason":"by hand"}'
)
NOTIFICATION = (
    '{"id":"9d3e","group":"PoolUtilizationHigh","occasion":"firing","alerts":[' + ALERT + '],"created_at":1800000000.0,'
    '"service":"shop","environment":"production","external_url":null,"omitted":0}'
)
TORN = '{"id":"torn","rule":"Torn","labels":{"alertna'


def write_first_store(url: str) -> None:
    """A store as the first release left it when it was stopped."""
    engine = build_engine(parse_url(url))
    if url.startswith("sqlite"):
        with closing(engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode=WAL")
    with engine.begin() as connection:
        (folder,) = dozor.database.migrations.__path__
        script = ScriptDirectory(folder)
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        first = script.get_revision("0001")
        assert first is not None
        first.module.upgrade(Operations(context))
        context.stamp(script, "0001")
        _fill(connection)
    engine.dispose()


def _fill(connection: Connection) -> None:
    alerts = [
        ("4f1c2a9be0d37715", "PoolUtilizationHigh", "CRITICAL", "database", "SILENCED", AT, None, ALERT),
        ("ended", "Odd\ufffd", "INFO", "", "RESOLVED", AT - 10_000, AT - 9_999, NOT_A_NUMBER),
        ("torn", "Torn", "INFO", "", "RESOLVED", AT - 20_000, AT - 19_999, TORN),
    ]
    for row in alerts:
        names = ("id", "rule", "severity", "component", "state", "fired_at", "resolved_at", "record")
        connection.execute(
            text(
                "INSERT INTO dozor_alerts (id, rule, severity, component, state, active_at, fired_at, acknowledged_at, "
                "resolved_at, record) VALUES (:id, :rule, :severity, :component, :state, :fired_at, :fired_at, NULL, "
                ":resolved_at, :record)"
            ),
            dict(zip(names, row, strict=True)),
        )
    connection.execute(
        text(
            "INSERT INTO dozor_audit (digest, alert_id, at, event, by, comment) VALUES "
            "('d1', '4f1c2a9be0d37715', 1800000000, 'fired', NULL, NULL), "
            "('d2', '4f1c2a9be0d37715', 1800000030, 'acknowledged', 'ann', 'mine')"
        )
    )
    connection.execute(
        text(
            "INSERT INTO dozor_outbox (notification_id, receiver, group_key, payload, state, created_at, attempts, "
            "next_at) VALUES ('9d3e', 'webhook', 'PoolUtilizationHigh', :payload, 'pending', 1800000000, 1, 1800000030)"
        ),
        {"payload": NOTIFICATION},
    )
    connection.execute(text("INSERT INTO dozor_meta (name, value) VALUES ('retired_alerts', 41)"))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a store of the first release is."""
    where = f"sqlite:///{tmp_path}/shop.db"
    if request.param == "postgresql":
        where = request.getfixturevalue("postgres_database")
    write_first_store(where)
    return where


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """An SQLite store of the first release."""
    write_first_store(f"sqlite:///{tmp_path}/shop.db")
    return tmp_path / "shop.db"


def test_it_opens_with_all_that_was_in_it(url: str) -> None:
    database = Database(url, strict=True)
    database.open()
    alert = database.get("4f1c2a9be0d37715")
    assert alert is not None
    assert (alert.state, alert.severity, alert.value) == (AlertState.SILENCED, Severity.CRITICAL, 95.0)
    assert alert.labels == Labels(alertname="PoolUtilizationHigh", pool="main", worker="0")
    assert alert.acknowledged == Acknowledgement(AT + 30, "ann", "mine")
    assert alert.evidence == {"holders": [{"endpoint": "GET /orders", "held_seconds": 12.5}]}
    assert (alert.silenced_by, alert.flaps, alert.threshold) == ((), 0, None)
    assert [each.id for each in database.load_recent(AT)] == ["4f1c2a9be0d37715"]
    assert database.audit(alert.id) == [
        AuditEntry(alert.id, AT, "fired"),
        AuditEntry(alert.id, AT + 30, "acknowledged", "ann", "mine"),
    ]
    (row,) = database.claim(AT + 30, 60, 10)
    assert (row.receiver, row.attempts, row.since) == ("webhook", 2, AT)
    assert (row.notification.occasion, row.notification.alerts) == (Occasion.FIRING, (alert,))
    assert database.total_fired() == 44
    assert database.load_silences(0) == []
    database.close()


def test_its_alerts_are_found_by_their_labels(url: str) -> None:
    database = Database(url)
    database.open()
    for matcher, expected in (('pool="main"', ["4f1c2a9be0d37715"]), ('alertname=~"Odd."', ["ended"])):
        found = database.history(HistoryFilter(matchers=(parse_matcher(matcher),)))
        assert [alert.id for alert in found.items] == expected
    database.close()


def test_it_goes_on_from_there(url: str) -> None:
    database = Database(url)
    database.open()
    database.commit(Changes(alerts=(make_alert(),)), ())
    assert database.total_fired() == 45
    database.close()
    database.open()
    assert database.total_fired() == 45
    database.close()


class TestTheCopy:
    """Of an SQLite file, made before it is changed."""

    def test_it_is_the_store_as_it_was(self, file: Path) -> None:
        with closing(sqlite3.connect(file)) as holding:  # what this connection writes stays in the log
            holding.execute("PRAGMA wal_autocheckpoint=0")
            holding.execute("UPDATE dozor_meta SET value = 42")
            holding.commit()
            database = Database(f"sqlite:///{file}")
            database.open()
            database.close()
        copy = file.with_name("shop.db.before-0003")
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("SELECT version_num FROM dozor_schema").fetchall() == [("0001",)]
            assert connection.execute("SELECT record FROM dozor_alerts ORDER BY id").fetchone() == (ALERT,)
            assert connection.execute("SELECT value FROM dozor_meta").fetchone() == (42,)

    def test_a_new_store_and_one_that_is_up_to_date_are_not_copied(self, tmp_path: Path) -> None:
        for _ in range(2):
            database = Database(f"sqlite:///{tmp_path}/new.db")
            database.open()
            database.close()
        assert [path.name for path in tmp_path.iterdir() if "before" in path.name] == []

    def test_without_it_nothing_is_changed(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("dozor.database.database.sqlite_file.copy", fail)
        database = Database(f"sqlite:///{file}")
        with pytest.raises(StoreUnavailable, match="No space left"):
            database.open()
        assert revision(file) == "0001"
        monkeypatch.undo()
        database.open()
        assert database.total_fired() == 44
        database.close()


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM dozor_schema").fetchone()[0])


def test_the_file_can_be_made_smaller_from_then_on(file: Path) -> None:
    Database(f"sqlite:///{file}").open()
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_upgrade_that_is_killed_leaves_the_old_store(file: Path) -> None:
    program = f"""
import os, signal
from alembic.runtime.migration import MigrationContext
from dozor.database import Database
MigrationContext.stamp = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
Database("sqlite:///{file}").open()
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, env={**os.environ, "PYTHONPATH": "src"})
    assert done.returncode == -signal.SIGKILL
    assert revision(file) == "0001"
    database = Database(f"sqlite:///{file}")
    database.open()
    assert database.total_fired() == 44
    database.close()
