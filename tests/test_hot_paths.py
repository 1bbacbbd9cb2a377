"""What Dozor takes of the application's own threads is estimated while it works."""

import time
from pathlib import Path

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool
from tests.patience import PATIENCE_SECONDS

from dozor import Dozor
from dozor.hot_paths import hot_paths
from dozor.monitor import Monitor
from dozor.settings import Settings
from dozor.targets import Targets


def costs(monitor: Monitor) -> dict[str, float]:
    assert monitor._session is not None
    return {
        sample.labels["event"]: sample.value
        for family in monitor._session.cost.families()
        for sample in family.samples
        if sample.name == "dozor_hot_path_cpu_seconds_total"
    }


def test_requests_checkouts_and_statements_are_counted_at_what_they_cost(tmp_path: Path) -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool, connect_args={"check_same_thread": False})
    app = FastAPI()

    @app.get("/orders")
    def orders() -> int:
        with engine.connect() as connection:
            return int(connection.execute(text("SELECT 7")).scalar_one())

    settings = Settings(store_url=f"sqlite:///{tmp_path}/own.db", interval_seconds=0.2)
    dozor = Dozor(engine=engine, settings=settings)
    dozor.install(app)
    with TestClient(app) as client:
        monitor = dozor._monitor
        assert monitor is not None
        for _ in range(3):
            assert client.get("/orders").json() == 7
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not ((found := costs(monitor)) and len(found) == 3 and all(found.values())):
            assert time.monotonic() < deadline, found
            time.sleep(0.05)
    assert found.keys() == {"request", "checkout", "statement"}
    assert all(0 < seconds < 0.1 for seconds in found.values())
    engine.dispose()


def test_where_nothing_of_the_applications_is_watched_there_is_nothing_to_measure() -> None:
    assert [path.count() for path in hot_paths(None, Targets({}, {}, {}, {}))] == [None, None]
