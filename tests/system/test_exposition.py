"""`/metrics` of the whole application, in Prometheus' own opinion."""

import re
import shutil
import subprocess
from collections.abc import Callable

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from tests.system.conftest import Process, eventually

from dozor.demo.servers import EmbeddedServer
from dozor.instruments.redis_fields import FIELDS
from dozor.instruments.redis_labelled import LABELLED
from dozor.model.sample import MetricType

# Fixed by name, though their endings belong to histograms.
FIXED = ("active_alerts_count", "total_alerts_count")
# So are those that have to be named as redis_exporter names them: microseconds, a gauge that ends in _total.
EXPORTED = tuple(f"{name} " for name in {*LABELLED, *(field.name for field in FIELDS.values())})


@pytest.fixture(scope="module")
def app(shared_shop: Callable[..., Process], valkey_server: EmbeddedServer, postgres_server: EmbeddedServer) -> Process:
    """The application after some work, so that all families have samples."""
    process = shared_shop(DATABASE_URL=postgres_server.async_url, REDIS_URL=valkey_server.url)
    for path in ("/sleep/1.1", "/cached/a", "/fail", "/nowhere"):
        process.http.get(path)
    eventually(lambda: process.get("/pool/slow-queries")["entries"], bool)
    eventually(lambda: process.get("/redis/status")["status"], lambda status: status == "HEALTHY")
    return process


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian's package prometheus) is not installed")
def test_promtool_finds_nothing_but_the_two_names_that_are_fixed(app: Process) -> None:
    exposed = app.http.get("/metrics").content
    found = subprocess.run(["promtool", "check", "metrics"], input=exposed, capture_output=True, check=False)
    complaints = found.stderr.decode().splitlines()
    assert found.stdout == b""
    assert [line for line in complaints if not line.startswith((*FIXED, *EXPORTED))] == []
    assert all('"_count" suffix' in line for line in complaints if line.startswith(FIXED)), complaints


def test_the_openmetrics_form_is_read_back_with_its_types_and_units(app: Process) -> None:
    response = app.http.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    families = list(parse_openmetrics(response.text))  # type: ignore[no-untyped-call]
    assert len(families) > 40
    untyped = [family.name for family in families if family.type == "unknown" or not family.documentation]
    exported = {each.name for each in FIELDS.values() if each.type is MetricType.COUNTER} | LABELLED.keys()
    assert {*untyped} - exported == {"total_alerts_count"}, "a counter that may not end in _total has no type there"
    assert [family.name for family in families if family.unit and not re.search(rf"_{family.unit}$", family.name)] == []


def test_help_names_the_unit(app: Process) -> None:
    said = {metric["name"]: (metric["unit"], metric["help"]) for metric in app.get("/metrics/all")["metrics"]}
    words = {"seconds": "second", "bytes": "byte", "percent": "percent"}
    assert [name for name, (unit, text) in said.items() if words.get(unit, "") not in text] == []
