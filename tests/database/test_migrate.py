"""The tables, brought up to date."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text
from tests.database.processes import CONTEXT, begin_store
from tests.database.records import make_alert
from tests.database.test_upgrade import write_first_store
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


def test_a_new_store_has_the_tables_that_all_migrations_make(new_url: str) -> None:
    engine = build_engine(parse_url(new_url))
    try:
        upgrade(engine)
        created = _described(engine)
        with engine.begin() as connection:
            for name in created:
                connection.execute(text(f"DROP TABLE {name}"))
        _migrate_from_nothing(engine)
        migrated = _described(engine)
    finally:
        engine.dispose()
    assert {*created} == {*metadata.tables, VERSION_TABLE}
    assert created == migrated


def _migrate_from_nothing(engine: Engine) -> None:
    (folder,) = dozor.database.migrations.__path__
    script = ScriptDirectory(folder)
    with engine.begin() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        for revision in reversed([*script.walk_revisions()]):
            revision.module.upgrade(Operations(context))
            context.stamp(script, revision.revision)


def _described(engine: Engine) -> dict[str, object]:
    """All that the database says of its tables, and the revision; in whatever order columns were added."""
    found = inspect(engine)
    with engine.connect() as connection:
        revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))
    return {
        name: (
            revision,
            sorted(str(sorted(column.items(), key=str)) for column in found.get_columns(name)),
            sorted(map(str, found.get_indexes(name))),
            found.get_pk_constraint(name),
            sorted(map(str, found.get_unique_constraints(name))),
            found.get_foreign_keys(name),
            found.get_check_constraints(name),
        )
        for name in found.get_table_names()
    }


def test_a_new_store_and_one_that_is_up_to_date_are_opened_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    program = (
        f"import sys; from dozor.database import Database; Database({url!r}).open(); print('alembic' in sys.modules)"
    )
    for _ in range(2):
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
    url = f"sqlite:///{tmp_path}/store.db"
    engine = build_engine(parse_url(url))
    monkeypatch.setattr("dozor.database.migrate.insert", _fail)  # of the revision, last of all
    with pytest.raises(RuntimeError, match="in the middle"):
        upgrade(engine)
    monkeypatch.undo()
    assert inspect(engine).get_table_names() == []
    write_first_store(url)
    monkeypatch.setattr("alembic.runtime.migration.MigrationContext.stamp", _fail)
    before = _described(engine)
    with pytest.raises(RuntimeError, match="in the middle"):
        upgrade(engine)
    monkeypatch.undo()
    assert _described(engine) == before
    assert upgrade(engine)
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
