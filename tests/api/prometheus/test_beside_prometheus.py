"""The same requests to the real Prometheus and to Dozor, over the same samples: the same answers, byte for byte but for order."""

import json
import math
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient
from tests.api.fake_backend import FakeBackend
from tests.promql.expressions import T0
from tests.promql.real_prometheus import MISSING, Prometheus, installed, running

from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Sample

pytestmark = pytest.mark.skipif(not installed(), reason=MISSING)

_VALUES: Final[dict[Labels, Callable[[int], float]]] = {
    Labels(__name__="requests_total", route="/", method="GET"): lambda second: 7.0 * second,
    Labels(__name__="requests_total", route="/ü", method="POST"): lambda second: second % 50 / 3,
    Labels(__name__="odd", kind="nan"): lambda _: math.nan,
    Labels(__name__="odd", kind="inf"): lambda _: -math.inf,
    Labels(__name__="odd", kind="large"): lambda second: 1.2345678901234568e20 + second,
    Labels(__name__="odd", kind="larger"): lambda _: 1e21,
    Labels(__name__="odd", kind="small"): lambda _: 1e-5,
}
SERIES: Final = {
    labels: [(T0 * 1000 + second * 1000 + 250, value(second)) for second in range(120)]
    for labels, value in _VALUES.items()
}


@pytest.fixture(scope="module")
def prometheus() -> Iterator[Prometheus]:
    with running() as server:
        server.write(SERIES.items())
        yield server


@pytest.fixture(autouse=True)
def samples(backend: FakeBackend) -> None:
    for second in range(120):
        found = [
            Sample(labels.metric_name, labels.without(METRIC_NAME), points[second][1])
            for labels, points in SERIES.items()
        ]
        backend.store.append(T0 + second + 0.25, found)


AT = f"time={T0 + 100}"
RANGE = f"start={T0 + 10}&end={T0 + 100.5}&step=7.5"
WIDE = f"start={T0 - 10}&end={T0 + 300}"


@pytest.mark.parametrize(
    "request_line",
    [
        f"query?query=requests_total&{AT}",
        f"query?query=requests_total&{AT}.125",
        f"query?query=odd&{AT}",
        f"query?query=odd/1e25&{AT}",
        f"query?query=rate(requests_total[1m])&{AT}",
        f"query?query=sum%20by(route)(rate(requests_total[1m]))&{AT}",
        f"query?query=requests_total[3s]&{AT}",
        f"query?query=1e-7&{AT}",
        f"query?query=1e30&{AT}",
        f"query?query=-0&{AT}",
        f"query?query='text'&{AT}",
        "query?query=time()&time=-1.5",
        "query?query=time()&time=2026-01-01T00:00:00.5Z",
        f"query?query=nothing&{AT}",
        f"query?query=requests_total&time={T0 + 1000}",
        f"query?query=odd%2Bon()odd&{AT}",
        "query?query=up&time=x",
        "query?query=up&timeout=x",
        "query?query=up&timeout=-1",
        "query",
        f"query_range?query=requests_total&{RANGE}",
        f"query_range?query=odd&{RANGE}",
        f"query_range?query=42&{RANGE}",
        f"query_range?query=nothing&{RANGE}",
        f"query_range?query=requests_total[5m]&{RANGE}",
        f"query_range?query='text'&{RANGE}",
        "query_range?query=1&start=5&end=1&step=1",
        "query_range?query=1&start=1&end=5&step=0",
        "query_range?query=1&start=1&end=5000000&step=1s",
        "query_range?query=1&start=1&end=5",
        "query_range?query=1&end=5&step=1",
        f"series?match[]=requests_total&{WIDE}",
        f"series?match[]=requests_total&match[]=odd&match[]=odd&{WIDE}",
        f"series?match[]=requests_total&start={T0 + 500}&end={T0 + 600}",
        f"series?match[]=odd&start={T0 + 60}&end={T0}",
        "series?match[]=up{",
        'series?match[]={a=~".*"}',
        "series",
        f"labels?{WIDE}",
        f"labels?match[]=odd&{WIDE}",
        "labels?start=x",
        f"label/route/values?{WIDE}",
        f"label/route/values?match[]=odd&{WIDE}",
        f"label/__name__/values?{WIDE}",
        "format_query?query=sum(up)by(job)/on(a)group_left()b[5m:]",
        "format_query?query=sum(up)by(job)",
        "metadata?limit=x",
        "rules?type=bad",
        "query_exemplars?query=up&start=1&end=2",
    ],
)
def test_dozor_answers_as_prometheus_does(prometheus: Prometheus, api: TestClient, request_line: str) -> None:
    response = api.get(request_line)
    assert (response.status_code, _comparable(response.json())) == _asked(prometheus, request_line)


def _asked(prometheus: Prometheus, request_line: str) -> tuple[int, Any]:
    url = f"http://127.0.0.1:{prometheus.port}/api/v1/{request_line}"
    url = url.replace(" ", "%20").replace('"', "%22").replace("{", "%7B").replace("~", "%7E")
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, _comparable(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        return error.code, _comparable(json.loads(error.read()))


def _comparable(answer: dict[str, Any]) -> Any:
    """*answer*, its vector in an order; of errors the kind, since the words of the parsers differ."""
    if answer["status"] == "error":
        return answer["errorType"]
    data = answer["data"]
    if isinstance(data, dict) and data.get("resultType") in {"vector", "matrix"}:
        data["result"].sort(key=lambda found: sorted(found["metric"].items()))
    return answer
