"""The tables, brought up to date."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from tests.database.processes import CONTEXT, begin_store
from tests.database.records import make_alert
from tests.patience import PATIENCE_SECONDS

import dozor.database.migrations
from dozor.database import Database
from dozor.database.engine import build_engine
from dozor.database.migrate import upgrade
from dozor.database.schema import REVISION, VERSION_TABLE, metadata
from dozor.database.url import parse_url
from dozor.errors import ConfigurationError
from dozor.model.notification import Changes


def test_the_schema_is_what_the_migrations_make(store: Database) -> None:
    with store._reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, "compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert context.get_current_revision() == REVISION


def test_the_newest_revision_is_the_one_the_schema_names() -> None:
    (folder,) = dozor.database.migrations.__path__
    assert ScriptDirectory(folder).get_heads() == [REVISION]


def test_a_store_that_is_up_to_date_is_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    Database(url).open()
    program = (
        f"import sys; from dozor.database import Database; Database({url!r}).open(); print('alembic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"


def test_upgrading_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    Database(f"sqlite:///{tmp_path}/store.db").open()
    assert caplog.text == ""


def test_a_newer_schema_is_refused_and_left_alone(store: Database) -> None:
    alert = make_alert()
    store.commit(Changes(alerts=(alert,)), ())
    with store._writing() as connection:
        connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '9999'"))
    try:
        engine = store._engine
        assert engine is not None
        with pytest.raises(ConfigurationError, match=r"written by a newer Dozor .*9999.*up to " + REVISION):
            upgrade(engine)
        assert store.get(alert.id) == alert
    finally:
        with store._writing() as connection:
            connection.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{REVISION}'"))


def test_a_failed_migration_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = build_engine(parse_url(f"sqlite:///{tmp_path}/store.db"))
    monkeypatch.setattr("alembic.runtime.migration.MigrationContext.stamp", _fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        upgrade(engine)
    monkeypatch.undo()
    upgrade(engine)
    engine.dispose()


def _fail(*_: object) -> None:
    raise RuntimeError("in the middle")


def test_many_processes_may_begin_a_store_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    barrier = CONTEXT.Barrier(6)
    processes = [CONTEXT.Process(target=begin_store, args=(url, barrier, number)) for number in range(6)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE_SECONDS)
    assert [process.exitcode for process in processes] == [0] * 6
    database = Database(url)
    database.open()
    assert database.total_fired() == 6 * 20
    assert not list(tmp_path.glob("*corrupt*"))
    database.close()


def test_other_tables_in_the_same_database_are_not_touched(tmp_path: Path) -> None:
    engine = build_engine(parse_url(f"sqlite:///{tmp_path}/shared.db"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32))"))
        connection.execute(text("INSERT INTO alembic_version VALUES ('theirs')"))
        connection.execute(text("CREATE TABLE alerts (x INTEGER)"))
    upgrade(engine)
    with engine.begin() as connection:
        assert connection.scalar(text("SELECT version_num FROM alembic_version")) == "theirs"
    engine.dispose()
