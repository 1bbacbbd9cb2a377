"""queries/…: statements by fingerprint, what requests repeat, what is slow to be read."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from msgspec.structs import replace
from sqlalchemy import create_engine
from tests.api.fake_backend import AT, FakeBackend

from dozor.errors import PlanUnavailable
from dozor.instruments.database_activity import DatabaseSession
from dozor.instruments.pool_holders import Holder
from dozor.instruments.query_monitor import QueryMonitor
from dozor.instruments.query_plan import QueryPlan
from dozor.instruments.query_repeats import RepeatedQuery
from dozor.instruments.query_slow import SlowFetch
from dozor.instruments.server_statements import ServerStatements, read_text
from dozor.instruments.statement_differences import StatementReading, StatementTotals
from dozor.overview import ServerActivity, StatementSource, Transaction

REPEATED = RepeatedQuery(
    pool="default",
    endpoint="GET /orders",
    fingerprint="03d1b7aa90f1c22e",
    statement="SELECT name FROM customers WHERE id = ?",
    caller="orders.py:92 in list_orders",
    requests=2,
    times=30,
    most_times=20,
    lost_seconds=0.5,
    first_at=AT - 10,
    last_at=AT,
)
FETCH = SlowFetch(
    statement="SELECT * FROM orders",
    fingerprint="b04f4c1de61a0f7b",
    fetch_seconds=1.5,
    open_seconds=4.0,
    rows=250_000,
    at=AT,
    pool="default",
    caller="export.py:31 in rows",
    endpoint="GET /export",
)


@pytest.fixture
def sent(backend: FakeBackend) -> Iterator[None]:
    """Two statements, one of which failed once."""
    engine = create_engine("sqlite://")
    monitor = QueryMonitor("default", engine, backend.clock)
    monitor.attach()
    with engine.connect() as connection:
        for number in range(3):
            connection.exec_driver_sql(f"SELECT {number}")
        with pytest.raises(Exception, match="nowhere"):
            connection.exec_driver_sql("SELECT 'hunter2' FROM nowhere")
    monitor.book.fold()
    backend.books["default"] = monitor.book
    yield
    engine.dispose()


@pytest.mark.usefixtures("sent")
def test_the_statements_of_a_window(api: TestClient) -> None:
    found = api.get("queries/top", params={"order": "calls"}).json()
    assert (found["window"], found["total"], found["compared"], found["gone"]) == ("5m", 2, False, [])
    first, second = found["queries"]
    assert (first["statement"], first["calls"], first["operation"], first["pool"]) == (
        "SELECT ?",
        3,
        "SELECT",
        "default",
    )
    assert first["callers"][0]["name"].endswith(" in sent")
    assert (first["rows"], first["before"], first["change"]) == (None, None, None)
    assert (second["statement"], second["errors"]) == ("SELECT ? FROM nowhere", 1)
    assert second["raised"] == [{"name": "OperationalError", "times": 1}]
    assert first["raised"] == []
    assert first["share"] + second["share"] == pytest.approx(1.0)
    assert found["everything"]["calls"] == 4
    assert found["other"] is None
    assert len(api.get("queries/top?limit=1").json()["queries"]) == 1
    assert api.get("queries/top?pool=none").json()["queries"] == []


@pytest.mark.usefixtures("sent")
def test_what_a_server_counts_stands_beside_and_says_so(api: TestClient, backend: FakeBackend) -> None:
    server = ServerStatements(backend.clock)
    first = StatementReading(0.0, "server", None, complete=True)
    for reading in (first, replace(first, at=15.0, entries={(1, 10, True): StatementTotals(4, 2.0, 8, 1.0, 1.5)})):
        server.take(reading)
        server.settle({1: read_text("SELECT 'hunter2' FROM a WHERE id = $1")})
    backend.books["outside"] = server
    backend.sources = [
        StatementSource("default", "application", AT),
        StatementSource("outside", "server", AT - 3, None, ("only the statements of dozor itself are seen",)),
    ]
    found = api.get("queries/top").json()
    [one] = [entry for entry in found["queries"] if entry["source"] == "server"]
    assert (one["statement"], one["pool"]) == ("SELECT ? FROM a WHERE id = $1", "outside")
    assert (one["calls"], one["total_seconds"], one["mean_seconds"], one["max_seconds"]) == (4, 2.0, 0.5, 1.0)
    assert one["stddev_seconds"] == pytest.approx(0.3536, abs=1e-4)
    unknown = ("errors", "timeouts", "cancelled", "slow", "p50_seconds", "p95_seconds", "p99_seconds")
    assert {one[name] for name in unknown} == {None}
    assert one["share"] == 1.0  # of what the server counts
    assert sum(entry["share"] for entry in found["queries"]) == pytest.approx(2.0)
    assert (found["everything"]["calls"], found["everything"]["errors"]) == (8, 1)
    assert [(source["pool"], source["age_seconds"]) for source in found["sources"]] == [
        ("default", 0.0),
        ("outside", 3.0),
    ]
    alone = api.get("queries/top?source=server").json()
    assert (alone["total"], alone["everything"]["errors"]) == (1, None)
    assert api.get(f"queries/{one['fingerprint']}").json()["pools"][0]["source"] == "server"


@pytest.mark.usefixtures("sent")
def test_one_statement_in_every_window(api: TestClient) -> None:
    fingerprint = api.get("queries/top?order=calls").json()["queries"][0]["fingerprint"]
    found = api.get(f"queries/{fingerprint}").json()
    [pool] = found["pools"]
    assert {name: window["calls"] for name, window in pool["windows"].items()} == {
        "1m": 3, "5m": 3, "15m": 3, "1h": 3, "since_start": 3,
    }  # fmt: skip
    assert pool["before"]["5m"] is None
    missing = api.get("queries/0000000000000000")
    assert missing.status_code == 404
    assert "queries/top" in missing.json()["detail"]


@pytest.mark.parametrize("wrong", ["window=2m", "order=rows", "limit=0"])
def test_what_is_not_offered_is_refused(api: TestClient, wrong: str) -> None:
    assert api.get(f"queries/top?{wrong}").status_code == 422


def test_what_requests_repeat(api: TestClient, backend: FakeBackend) -> None:
    backend.repeated = [REPEATED, replace(REPEATED, pool="other")]
    found = api.get("queries/n-plus-one?pool=default").json()
    assert found == {
        "queries": [
            {
                "endpoint": "GET /orders",
                "fingerprint": "03d1b7aa90f1c22e",
                "statement": "SELECT name FROM customers WHERE id = ?",
                "pool": "default",
                "caller": "orders.py:92 in list_orders",
                "requests": 2,
                "times_per_request": 15.0,
                "most_times": 20,
                "lost_seconds": 0.5,
                "first_at": "2027-01-15T07:59:50Z",
                "last_at": "2027-01-15T08:00:00Z",
            }
        ],
        "total": 1,
    }


def test_what_was_slow_to_be_read(api: TestClient, backend: FakeBackend) -> None:
    backend.fetches = [FETCH, replace(FETCH, at=AT - 1)]
    found = api.get("queries/slow-fetches?limit=1").json()
    assert found["entries"] == [
        {
            "statement": "SELECT * FROM orders",
            "fingerprint": "b04f4c1de61a0f7b",
            "fetch_ms": 1500.0,
            "open_ms": 4000.0,
            "rows": 250_000,
            "at": "2027-01-15T08:00:00Z",
            "pool": "default",
            "caller": "export.py:31 in rows",
            "endpoint": "GET /export",
        }
    ]
    assert found["total"] == 2
    assert len(api.get(f"queries/slow-fetches?cursor={found['next_cursor']}").json()["entries"]) == 1


def test_a_plan_is_asked_for(api: TestClient, backend: FakeBackend) -> None:
    backend.planned = QueryPlan("postgresql", ("Seq Scan on orders",), {"Node Type": "Seq Scan"}, ("all of it",))
    found = api.post("queries/03d1b7aa90f1c22e/plan").json()
    assert found == {
        "fingerprint": "03d1b7aa90f1c22e",
        "database": "postgresql",
        "plan": ["Seq Scan on orders"],
        "nodes": {"Node Type": "Seq Scan"},
        "notes": ["all of it"],
        "generated_at": "2027-01-15T08:00:00Z",
    }


def test_why_there_is_no_plan_is_said(api: TestClient, backend: FakeBackend) -> None:
    assert api.post("queries/none/plan").status_code == 404
    backend.planned = PlanUnavailable("the text holds more than one statement")
    refused = api.post("queries/03d1b7aa90f1c22e/plan")
    assert refused.status_code == 409
    assert refused.json()["detail"] == "There is no plan: the text holds more than one statement."


def test_open_transactions_and_who_has_them(api: TestClient, backend: FakeBackend) -> None:
    session = DatabaseSession(
        pid=7,
        application="shop",
        user="shop",
        client=None,
        state="active",
        waits_for="Lock: tuple",
        transaction_seconds=14.0,
        state_seconds=2.0,
        statement="SELECT ?",
        blocked_by=(8,),
    )
    holder = Holder("GET /orders", 14.5, leaked=False, endpoint="GET /orders", taken_at=("shop.py:8 in place",))
    backend.activity = [
        ServerActivity("default", [Transaction(session, holder), Transaction(replace(session, pid=8, blocked_by=()), None)],
                       AT - 2, None),
        ServerActivity("files", [], None, "of sqlite it cannot be told"),
    ]  # fmt: skip
    found = api.get("queries/activity?limit=1").json()
    postgres, sqlite = found["servers"]
    assert (postgres["blocked"], postgres["age_seconds"], postgres["missing"]) == (1, 2.0, None)
    [shown] = postgres["transactions"]
    assert (shown["pid"], shown["blocked_by"], shown["waits_for"]) == (7, [8], "Lock: tuple")
    assert (shown["endpoint"], shown["taken_at"], shown["now_at"]) == ("GET /orders", "shop.py:8 in place", None)
    assert (sqlite["transactions"], sqlite["checked_at"]) == ([], None)
    assert "sqlite" in sqlite["missing"]
    assert [one["pool"] for one in api.get("queries/activity?pool=files").json()["servers"]] == ["files"]
