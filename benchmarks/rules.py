"""1,000 alert rules over 1,500 series with an hour at a sample a second, beside the real Prometheus in the same run.

python -m benchmarks.rules [--quick]
"""

import random
import re
import statistics
import sys
import time
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import yaml
from benchmarks.common import ROUNDS, print_figure
from tests.promql.real_prometheus import MISSING, Prometheus, installed, running

from dozor.model.labels import METRIC_NAME, Labels
from dozor.model.sample import Sample
from dozor.promql import Query, compile_query
from dozor.store import MemoryStore

SERVICES: Final = 50
SECONDS: Final = 3600
AHEAD_SECONDS: Final = 600
"""Samples are stored ahead of time, so that Prometheus, which evaluates at the present only, always finds fresh ones."""
INTERVAL_SECONDS: Final = 5

# In the proportions of public rule files: nearly a third sums, a quarter takes rates, a tenth increases.
TEMPLATES: Final = (
    'sum(rate(http_requests_total{{service="{s}",code="500"}}[5m])) / sum(rate(http_requests_total{{service="{s}"}}[5m])) > 0.{n:02d}',
    'sum by (route) (rate(http_requests_total{{service="{s}"}}[1m])) > 1{n}',
    'histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{{service="{s}"}}[5m]))) > {n}',
    'rate(http_requests_total{{service="{s}",code="500"}}[2m]) > {n}',
    'increase(restarts_total{{service="{s}"}}[10m]) > {n}',
    'increase(http_requests_total{{service="{s}",code="500"}}[5m]) > 100{n}',
    'pool_checked_out{{service="{s}"}} / pool_capacity{{service="{s}"}} > 0.9{n}',
    'max by (service) (pool_checked_out{{service="{s}"}}) > 1{n}',
    'sum(pool_waiting{{service="{s}"}}) > 2{n}',
    'avg_over_time(pool_checked_out{{service="{s}"}}[5m]) > 1{n}',
    'max_over_time(pool_waiting{{service="{s}"}}[5m]) > 2{n}',
    'min_over_time(up{{service="{s}"}}[2m]) == 0 and up{{service="{s}"}} < {n}',
    'up{{service="{s}"}} == 0 or up{{service="{s}"}} > {n}',
    'absent(up{{service="{s}"}}) > {n}',
    'count(up{{service="{s}"}} == 0) > {n}',
    'predict_linear(disk_free_bytes{{service="{s}"}}[30m], 14400) < -{n}',
    'disk_free_bytes{{service="{s}"}} / disk_size_bytes{{service="{s}"}} < 0.0{n}',
    'time() - last_success_seconds{{service="{s}"}} > 86400 + {n}',
    'changes(leader{{service="{s}"}}[15m]) > 1{n}',
    'delta(queue_length{{service="{s}"}}[5m]) > 1000{n}',
)
BOUNDS: Final = ("0.01", "0.05", "0.1", "0.5", "1", "5", "+Inf")


def rules() -> list[str]:
    """1,000 expressions, no two alike."""
    return [template.format(s=f"service-{place}", n=place) for place in range(SERVICES) for template in TEMPLATES]


def series() -> list[tuple[str, Labels]]:
    """Names and labels: 30 of each service, 1,500 in all."""
    made = []
    for place in range(SERVICES):
        service = {"service": f"service-{place}"}
        targets = [(route, code) for route in ("/", "/items", "/items/{item}") for code in ("200", "404", "500")]
        made += [("http_requests_total", Labels(service, route=route, code=code)) for route, code in targets]
        made += [("http_request_duration_seconds_bucket", Labels(service, le=bound)) for bound in BOUNDS]
        made += [("up", Labels(service, instance=instance)) for instance in ("a", "b")]
        made += [(name, Labels(service)) for name in (
            "restarts_total", "pool_checked_out", "pool_capacity", "pool_waiting", "disk_free_bytes", "disk_size_bytes",
            "last_success_seconds", "leader", "queue_length", "workers", "threads", "memory_bytes",
        )]  # fmt: skip
    return made


def values(draw: random.Random, name: str, length: int) -> Iterator[float]:
    """What a series of this metric holds, one second after the other."""
    value = float(draw.randrange(1000))
    for _ in range(length):
        if name.endswith(("_total", "_bucket")):
            value += draw.choice((0, 0, 1, 2, 5))
        elif name in ("up", "pool_capacity", "disk_size_bytes", "leader", "workers"):
            value = 1.0 if name in ("up", "leader") else 2.0**40 if name == "disk_size_bytes" else 20.0
        elif name == "disk_free_bytes":
            value = 2.0**39 + draw.randrange(2**20)
        else:
            value = float(draw.randrange(15))
        yield value


class Load:
    """The samples, second by second: those of the past hour in both, those to come in Prometheus already."""

    def __init__(self, seconds: int) -> None:
        self.series = series()
        self.seconds = seconds
        draw = random.Random(1)
        self._columns = [array("d", values(draw, name, seconds + AHEAD_SECONDS)) for name, _ in self.series]
        # A little into the time to come: Prometheus takes nothing that is an hour old by the time it is written.
        self.begin = int(time.time()) - seconds + AHEAD_SECONDS // 3
        self.store = MemoryStore(max_bytes=2**30)
        self.at = self.begin - 1
        self.advance(seconds)

    def advance(self, seconds: int) -> None:
        """Append so many more seconds to Dozor's store."""
        for _ in range(seconds):
            self.at += 1
            place = self.at - self.begin
            self.store.append(
                self.at,
                [
                    Sample(name, labels, column[place])
                    for (name, labels), column in zip(self.series, self._columns, strict=True)
                ],
            )

    def write(self, prometheus: Prometheus) -> None:
        """Store all of it in Prometheus, a quarter of an hour at a time: it takes nothing that is older than its head by an hour."""
        named = [labels.with_({METRIC_NAME: name}) for name, labels in self.series]
        total = self.seconds + AHEAD_SECONDS
        for first in range(0, total, 900):
            times = [(self.begin + place) * 1000 for place in range(first, min(first + 900, total))]
            prometheus.write(
                (one, list(zip(times, column[first : first + 900], strict=True)))
                for one, column in zip(named, self._columns, strict=True)
            )


def rule_file() -> str:
    """All rules in one group, each an alert of its own."""
    listed = [{"alert": f"Rule{place}", "expr": expr, "for": "1m"} for place, expr in enumerate(rules())]
    return yaml.safe_dump({"groups": [{"name": "all", "interval": f"{INTERVAL_SECONDS}s", "rules": listed}]})


def evaluate_here(load: Load, queries: list[Query]) -> tuple[float, float]:
    """Seconds that one evaluation of all rules takes Dozor, and those of processor time among them."""
    load.advance(INTERVAL_SECONDS)
    began, began_working = time.perf_counter(), time.thread_time()
    for query in queries:
        query.instant(load.store, load.at)
    return time.perf_counter() - began, time.thread_time() - began_working


def evaluate_there(prometheus: Prometheus, last: str) -> tuple[float, str]:
    """Seconds that Prometheus' next evaluation after *last* took by its own account, and when it was."""
    while True:
        (group,) = prometheus.get("rules")["groups"]
        if group["lastEvaluation"] != last and all(rule["health"] == "ok" for rule in group["rules"]):
            return float(group["evaluationTime"]), str(group["lastEvaluation"])
        time.sleep(0.05)


QUERIES: Final = (
    'up{service="service-7"}',
    "sum by (service) (rate(http_requests_total[5m]))",
    "histogram_quantile(0.99, sum by (le, service) (rate(http_request_duration_seconds_bucket[5m])))",
    "max_over_time(pool_waiting[10m])",
)


def compare_queries(load: Load, prometheus: Prometheus, rounds: int) -> None:
    """Instant and range queries: Dozor's evaluation beside Prometheus' answer by HTTP."""
    at = load.at
    print("\nOne query, milliseconds (Dozor: evaluation alone; Prometheus: by its HTTP API)")
    for expr in QUERIES:
        query = compile_query(expr)
        variants: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
            "instant": (
                partial(query.instant, load.store, at),
                partial(prometheus.get, "query", query=expr, time=at),
            ),
            "range, 60 steps": (
                partial(query.range, load.store, at - 900, at, 15),
                partial(prometheus.get, "query_range", query=expr, start=at - 900, end=at, step=15),
            ),
        }
        for name, (ours, theirs) in variants.items():
            times = [(timed(ours), timed(theirs)) for _ in range(rounds)]
            here, there = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
            print(f"  {name:<16} Dozor {here:8.2f}   Prometheus {there:8.2f}   {expr}")


def timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def main() -> None:
    """Print the figures."""
    if not installed():
        print(MISSING)
        return
    rounds = 5 if "--quick" in sys.argv else ROUNDS
    load = Load(SECONDS)
    queries = [compile_query(expr) for expr in rules()]
    configuration = f"global:\n  evaluation_interval: {INTERVAL_SECONDS}s\nrule_files: [rules.yml]\n"
    with running({"prometheus.yml": configuration, "rules.yml": rule_file()}) as prometheus:
        load.write(prometheus)
        here, working, there, last = [], [], [], ""
        for _ in range(3):  # nothing is remembered yet
            evaluate_here(load, queries)
            _, last = evaluate_there(prometheus, last)
        for _ in range(rounds):
            taken, last = evaluate_there(prometheus, last)
            there.append(taken)
            taken_here, worked = evaluate_here(load, queries)
            here.append(taken_here)
            working.append(worked)
        ours, theirs = statistics.median(here), statistics.median(there)
        version = re.search(r'prometheus_build_info\{.*?\bversion="([^"]*)"', prometheus.metrics())
        print(f"\n{len(queries)} rules over {len(load.series)} series, {SECONDS} s at a sample a second")
        print_figure("Dozor, one evaluation", ours * 1e3, "ms", "<= 40 ms")
        print_figure("Dozor, processor time of one evaluation", statistics.median(working) * 1e3, "ms", "")
        print_figure(f"Prometheus {version[1] if version else ''}, one evaluation", theirs * 1e3, "ms", "")
        print_figure("Dozor's part of Prometheus' time", ours / theirs, "", "<= 0.5")
        stats = load.store.stats
        print_figure("Dozor's store, a sample", stats.bytes / stats.samples, "bytes", "")
        compare_queries(load, prometheus, rounds)


if __name__ == "__main__":
    main()
