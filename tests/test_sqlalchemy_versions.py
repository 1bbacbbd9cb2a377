"""What touches SQLAlchemy's inside, run a second time on the oldest line that Dozor supports."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SQLALCHEMY_20 = PROJECT / ".venv" / "sqlalchemy-2.0"
# What is put on an application's engine, and taken off again.
EMBEDDED = (
    "tests/system/test_guest.py::test_isolation_levels_and_open_transactions_are_the_applications",
    "tests/system/test_ways_in.py::test_removal_leaves_nothing_behind",
)

pytestmark = [
    pytest.mark.skipif(not (SQLALCHEMY_20 / "ready").exists(), reason="no SQLAlchemy 2.0 beside 2.1: use make test"),
    pytest.mark.skipif("DOZOR_TEST_SQLALCHEMY_20" in os.environ, reason="this is the run on SQLAlchemy 2.0"),
]


@pytest.mark.long(40)
@pytest.mark.parametrize("suite", ["database", "instruments"])
def test_what_touches_sqlalchemy_does_so_on_20(suite: str, record_property: Callable[[str, object], None]) -> None:
    version = _python("-c", "import sqlalchemy; print(sqlalchemy.__version__)").stdout.strip()
    assert version.startswith("2.0.")

    more = EMBEDDED if suite == "instruments" else ()
    run = _python("-m", "pytest", "-q", "--no-header", *_touching(suite), *more)

    closing = run.stdout.strip().splitlines()[-1:]
    record_property("closing note", f"{suite} on SQLAlchemy {version}: {' '.join(closing)}")
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]


def _touching(suite: str) -> list[str]:
    """The files of the folder *suite* that name SQLAlchemy or the store, or test a module that does."""
    found = []
    for file in sorted((PROJECT / "tests" / suite).glob("test_*.py")):
        tested = PROJECT / "src" / "dozor" / suite / file.name.removeprefix("test_")
        texts = (path.read_text(encoding="utf-8") for path in (file, tested) if path.exists())
        if any(re.search(r"\bsqlalchemy\b|\bDatabase\b", text) for text in texts):
            found.append(str(file))
    assert len(found) > 5
    return found


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(SQLALCHEMY_20), "DOZOR_TEST_SQLALCHEMY_20": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
