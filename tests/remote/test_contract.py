"""One suite over memory, over a real Prometheus, and over one without remote read."""

import contextlib
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from tests.instruments.targets import serving
from tests.patience import promised
from tests.promql.real_prometheus import MISSING, Prometheus, installed, running

from dozor.errors import PromQLError
from dozor.model.labels import Labels
from dozor.model.sample import Sample
from dozor.promql import compile_query
from dozor.remote import MetricsServer, RemoteStore
from dozor.remote.merged import Listed
from dozor.remote.server import ServerUnreachable
from dozor.store import STALE_NAN, Matcher, MatchOperator, MemoryStore, Queryable, is_stale

BEGAN = (round(time.time()) - 1200) * 1000
"""Samples each 15 s for 10 minutes from here; what has ended did so after 5."""
LABELS = [Labels(__name__="jobs", queue="mail"), Labels(__name__="jobs", queue='a"\\\n'), Labels(__name__="ended")]


def samples() -> list[tuple[Labels, list[tuple[int, float]]]]:
    times = range(BEGAN, BEGAN + 600_001, 15_000)
    running_on = [[(at, (at - BEGAN) / 1000 * factor) for at in times] for factor in (1, 2)]
    ended = [(at, 7.0) for at in times if at < BEGAN + 300_000]
    return list(zip(LABELS, [*running_on, [*ended, (BEGAN + 300_000, STALE_NAN)]], strict=True))


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    if not installed():
        pytest.skip(MISSING)
    with running() as prometheus:
        prometheus.write(samples())
        yield prometheus


@pytest.fixture(params=["memory", "prometheus", "query API only"])
def store(request: pytest.FixtureRequest) -> Iterator[Queryable]:
    if request.param == "memory":
        memory = MemoryStore()
        for labels, points in samples():
            for at, value in points:
                memory.append(at / 1000, [Sample(labels.metric_name, labels.without("__name__"), value)])
        yield memory
        return
    remote = RemoteStore(MetricsServer(f"http://127.0.0.1:{request.getfixturevalue('prometheus').port}"))
    remote._reads = request.param == "prometheus"
    yield remote
    remote.close()


def equal(name: str, value: str) -> Matcher:
    return Matcher(name, MatchOperator.EQUAL, value)


JOBS = (equal("__name__", "jobs"),)


def test_a_range_is_open_at_its_beginning(store: Queryable) -> None:
    found = store.select(JOBS, BEGAN + 15_000, BEGAN + 45_000)
    assert found.labels == sorted(LABELS[:2])
    assert found.bare == [labels.without("__name__") for labels in found.labels]
    assert [list(window.time_slice()) for window in found.windows] == [[BEGAN + 30_000, BEGAN + 45_000]] * 2
    assert [list(window.value_slice()) for window in found.windows] == [[60.0, 90.0], [30.0, 45.0]]


@pytest.mark.parametrize(
    ("operator", "value", "names"),
    [
        (MatchOperator.EQUAL, 'a"\\\n', ['a"\\\n']),
        (MatchOperator.NOT_EQUAL, "mail", ['a"\\\n']),
        (MatchOperator.REGEX, "ma.l|x", ["mail"]),
        (MatchOperator.NOT_REGEX, "ma.+", ['a"\\\n']),
    ],
)
def test_every_matcher(operator: MatchOperator, value: str, names: list[str], store: Queryable) -> None:
    matchers = (*JOBS, Matcher("queue", operator, value))
    for markers in (False, True):
        found = store.select(matchers, BEGAN, BEGAN + 60_000, markers=markers)
        assert [labels.get("queue") for labels in found.labels] == names
    labels, _ = store.latest(matchers, BEGAN + 60_000, 300_000)
    assert [one.get("queue") for one in labels] == names


def test_the_last_sample_before_a_moment_within_the_lookback(store: Queryable) -> None:
    labels, values = store.latest(JOBS, BEGAN + 601_234, 300_000)
    assert (labels, values) == (sorted(LABELS[:2]), [1200.0, 600.0])
    assert store.latest(JOBS, BEGAN + 601_234, 300_000)[0] is labels
    assert store.latest(JOBS, BEGAN + 900_001, 300_000) == ([], [])
    assert store.latest(JOBS, BEGAN + 601_234, 1000) == ([], [])
    assert store.latest((equal("__name__", "nothing"),), BEGAN, 300_000) == ([], [])


def test_a_series_that_ended_is_seen_no_more(store: Queryable) -> None:
    ended = (equal("__name__", "ended"),)
    assert store.latest(ended, BEGAN + 299_999, 300_000)[1] == [7.0]
    assert store.latest(ended, BEGAN + 300_000, 300_000)[1] == []
    (window,) = store.select(ended, BEGAN + 270_000, BEGAN + 330_000).windows
    assert list(window.value_slice()) == [7.0]
    if not isinstance(store, RemoteStore) or store._reads:
        (window,) = store.select(ended, BEGAN + 270_000, BEGAN + 330_000, markers=True).windows
        assert [is_stale(value) for value in window.value_slice()] == [False, True]


@pytest.mark.parametrize(
    "query", ["sum by (queue) (rate(jobs[2m]))", "jobs > 100", "avg_over_time(jobs[1m:15s])", "jobs offset 1m"]
)
def test_queries_give_the_same(query: str, store: Queryable) -> None:
    memory = MemoryStore()
    for labels, points in samples():
        for at, value in points:
            memory.append(at / 1000, [Sample(labels.metric_name, labels.without("__name__"), value)])
    moment, compiled = BEGAN / 1000 + 500, compile_query(query)
    assert compiled.instant(store, moment) == compiled.instant(memory, moment)
    assert compiled.range(store, moment - 60, moment, 7) == compiled.range(memory, moment - 60, moment, 7)


def test_what_goes_wrong_is_said_without_the_password(prometheus: Prometheus) -> None:
    for url, query, error, said in (
        (f"http://ann:s3cret@127.0.0.1:{prometheus.port}/nowhere", "jobs", PromQLError, "answers with status 404"),
        (f"http://ann:s3cret@127.0.0.1:{prometheus.port}", "rate(jobs)", PromQLError, "expected type range vector"),
        ("http://ann:s3cret@127.0.0.1:1", "jobs", ServerUnreachable, "nothing answers there"),
    ):
        with closing(MetricsServer(url)) as server, pytest.raises(error, match=said) as caught:
            server.query(query, BEGAN)
        assert "s3cret" not in str(caught.value)


def test_series_are_listed_without_their_samples(prometheus: Prometheus) -> None:
    with closing(RemoteStore(MetricsServer(f"http://127.0.0.1:{prometheus.port}/"))) as remote:
        assert remote.series(JOBS, BEGAN, BEGAN + 60_000) == sorted(LABELS[:2])


def test_everything_there_is_can_be_listed_from_the_beginning_of_time(prometheus: Prometheus) -> None:
    memory, everything = MemoryStore(), (Matcher("__name__", MatchOperator.REGEX, ".+"),)
    memory.append(BEGAN / 1000, [Sample("ended", Labels(near="1"), 1.0)])
    with closing(RemoteStore(MetricsServer(f"http://127.0.0.1:{prometheus.port}"))) as remote:
        found = Listed(memory, remote).labels_between(everything, -(2**63), 2**63 - 1)
    assert found == sorted([*LABELS[:2], Labels(__name__="ended", near="1")])


def test_an_answer_that_comes_drop_by_drop_is_not_waited_for() -> None:
    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(1000):
                handler.wfile.write(b" ")
                time.sleep(0.02)

    with serving() as target, closing(MetricsServer(f"http://{target.address}", timeout_seconds=0.3)) as server:
        target.answer = drip
        began = time.monotonic()
        with pytest.raises(ServerUnreachable, match="it gave no answer in time"):
            server.query("up", BEGAN)
        assert time.monotonic() - began < promised(5)
