"""Which frame is the application's own."""

import sys
from pathlib import Path

import sqlalchemy

import dozor
from dozor.instruments.query_caller import _kind, _shown


def test_kinds_of_code() -> None:
    assert _kind(str(Path.cwd() / "app" / "orders.py")) == "own"
    assert _kind(sqlalchemy.__file__) == "inside"
    assert _kind(str(dozor.__file__)) == "inside"
    assert _kind(threading_file()) == "inside"
    assert _kind("<string>") == "inside"
    assert _kind("/usr/lib/python3/dist-packages/flask/app.py") == "library"
    assert _kind("/srv/app/.venv/lib/python3.12/site-packages/sqlmodel/orm.py") == "library"
    assert _kind("/srv/app/.venv/lib/python3.12/site-packages/sqlalchemy/engine/base.py") == "inside"


def threading_file() -> str:
    return str(sys.modules["threading"].__file__)


def test_files_are_shown_from_where_the_program_runs() -> None:
    assert _shown(str(Path.cwd() / "app" / "orders.py")) == "app/orders.py"
    assert _shown("/somewhere/else/shop/orders.py") == "shop/orders.py"
