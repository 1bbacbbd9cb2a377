"""A real `dozor serve`, asked by promtool, beside a real Prometheus with the same rules, and by too many at once."""

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx2
import pytest
from tests.cli.command import DOZOR, environment
from tests.patience import PATIENCE_SECONDS, promised
from tests.promql.real_prometheus import MISSING, installed, running
from tests.serving import free_port

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (apt: prometheus)"
)

RULES: Final = """
groups:
- name: shop
  interval: 1s
  limit: 5
  rules:
  - {alert: Now, expr: vector(96.5) > 90, labels: {severity: critical}, annotations: {summary: "at {{ $value }}"}}
  - {alert: Later, expr: vector(1) > 0, for: 1h, keep_firing_for: 5m, labels: {severity: warning}}
  - {alert: Never, expr: vector(1) > 2}
  - {record: "shop:one", expr: vector(1), labels: {team: checkout}}
"""
HEAVY: Final = 'sum(rate({__name__=~".+"}[5m:1ms]))'


@dataclass(frozen=True)
class Live:
    """A Dozor at work."""

    url: str
    client: httpx2.Client

    def get(self, path: str, **parameters: str) -> Any:
        """The `data` of its answer."""
        answer = self.client.get(f"{self.url}/api/v1/{path}", params=parameters).json()
        assert answer["status"] == "success", answer
        return answer["data"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    home = tmp_path_factory.mktemp("serve")
    Path(home, "rules.yml").write_text(RULES, encoding="utf-8")
    port = free_port()
    command = [DOZOR, "serve", "--port", str(port), "--rules", "rules.yml"]
    with (
        httpx2.Client(trust_env=False, timeout=PATIENCE_SECONDS) as client,
        subprocess.Popen(command, cwd=home, env=environment(home), stdout=subprocess.PIPE, text=True) as process,
    ):
        found = Live(f"http://127.0.0.1:{port}", client)
        try:
            _wait_until(lambda: _recorded(found))
            yield found
        finally:
            process.kill()


def _recorded(live: Live) -> bool:
    try:
        return len(live.get("query", query="shop:one[1m]")["result"][0]["values"]) >= 2
    except (httpx2.TransportError, IndexError):
        return False


def _wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@needs_promtool
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (
            ("instant", "{url}", "rate(dozor_collector_errors_total{{collector='host'}}[5m])"),
            '{collector="host"} => 0 @[',
        ),
        (("instant", "{url}/api/v1/monitoring/prometheus", "shop:one"), 'shop:one{team="checkout"} => 1 @['),
        (("range", "--step=1s", "{url}", "shop:one"), 'shop:one{team="checkout"} =>\n1 @['),
        (("series", "--match=shop:one", "{url}"), '{__name__="shop:one", team="checkout"}'),
        (("labels", "{url}", "team"), "checkout"),
    ],
)
def test_promtool_is_answered(live: Live, arguments: tuple[str, ...], expected: str) -> None:
    command = ["promtool", "query", *(argument.format(url=live.url) for argument in arguments)]
    asked = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    assert expected in asked.stdout, asked


@pytest.mark.skipif(not installed(), reason=MISSING)
def test_rules_and_alerts_are_shown_as_prometheus_shows_them(live: Live) -> None:
    configuration = "global: {evaluation_interval: 1s}\nrule_files: [rules.yml]\n"
    with running({"prometheus.yml": configuration, "rules.yml": RULES}) as prometheus:

        def groups() -> Any:
            return prometheus.get("rules")["groups"]

        _wait_until(lambda: all(rule["health"] == "ok" for group in groups() for rule in group["rules"]))
        (theirs,) = groups()
    (ours,) = live.get("rules", **{"rule_group[]": "shop"})["groups"]
    assert _timeless(ours) == _timeless(theirs)
    told = [alert for rule in theirs["rules"] for alert in rule.get("alerts", ())]
    mine = [alert for alert in live.get("alerts")["alerts"] if alert["labels"]["alertname"] in {"Now", "Later"}]
    assert sorted(_timeless(mine), key=str) == sorted(_timeless(told), key=str)


def _timeless(shown: Any) -> Any:
    """*shown* without what is another at each evaluation, and the folder of the rule file."""
    if isinstance(shown, dict):
        moving = {"evaluationTime", "lastEvaluation", "activeAt"}
        return {
            key: Path(value).name if key == "file" else _timeless(value)
            for key, value in shown.items()
            if key not in moving
        }
    return [_timeless(item) for item in shown] if isinstance(shown, list) else shown


def test_its_collectors_are_targets(live: Live) -> None:
    found = {target["scrapePool"]: target["health"] for target in live.get("targets")["activeTargets"]}
    assert found.items() >= {"dozor": "up", "host": "up"}.items()


def test_heavy_queries_delay_neither_the_probe_nor_the_cycle(live: Live) -> None:
    def ask() -> Any:
        wanted = {"query": HEAVY, "timeout": "600ms"}
        with httpx2.Client(trust_env=False) as client:
            return client.get(f"{live.url}/api/v1/query", params=wanted, timeout=60).json()

    began, waits = time.time(), list[float]()
    with ThreadPoolExecutor(5) as pool:
        asked = [pool.submit(ask) for _ in range(5)]
        while not all(query.done() for query in asked):
            at = time.monotonic()
            assert live.client.get(f"{live.url}/health").status_code == 200
            waits.append(time.monotonic() - at)
            time.sleep(0.01)
        assert {query.result()["errorType"] for query in asked} == {"timeout"}
    # One that had to wait for the queries would have taken three seconds; so would the cycle.
    assert max(waits) < promised(1)
    (recorded,) = live.get("query", query=f"shop:one[{time.time() - began:.0f}s]")["result"]
    assert len(recorded["values"]) >= 2 / promised(0.5)
