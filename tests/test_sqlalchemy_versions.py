"""What touches SQLAlchemy's inside, run a second time on the oldest line that Dozor supports."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
SQLALCHEMY_20 = PROJECT / ".venv" / "sqlalchemy-2.0"
SUITES = ["tests/instruments", "tests/database"]

pytestmark = [
    pytest.mark.skipif(not (SQLALCHEMY_20 / "ready").exists(), reason="no SQLAlchemy 2.0 beside 2.1: use make test"),
    pytest.mark.skipif("DOZOR_TEST_SQLALCHEMY_20" in os.environ, reason="this is the run on SQLAlchemy 2.0"),
]


def test_instruments_and_database_on_sqlalchemy_20(record_property: Callable[[str, object], None]) -> None:
    version = _python("-c", "import sqlalchemy; print(sqlalchemy.__version__)").stdout.strip()
    assert version.startswith("2.0.")

    run = _python("-m", "pytest", "-q", "--no-header", *SUITES)

    closing = run.stdout.strip().splitlines()[-1:]
    record_property("closing note", f"on SQLAlchemy {version}: {' '.join(closing)}")
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(SQLALCHEMY_20), "DOZOR_TEST_SQLALCHEMY_20": "1"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=PROJECT, env=environment, capture_output=True, text=True, check=False
    )
