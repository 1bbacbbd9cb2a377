"""10,000 alerts that fire and resolve: how many transitions a second, and how long until people are told.

Beside the real Prometheus and Alertmanager in the same run. Both watch the same switch through the same rule file, every
second; the switch is thrown for one and then for the other, at random moments, in turn. Messages are grouped by rule; there
are so many rules that Dozor's own limit for a webhook (10 messages a second, 50 at once) is not what is measured.

python -m benchmarks.alerts [--quick]
"""

import json
import logging
import multiprocessing
import random
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import httpx2

from dozor import Dozor, Settings
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

PARTS: Final = 10
CONDITIONS: Final = ("== 1", "> 0")  # two of each series: Dozor's store takes no more than 10,000 of them
RULES: Final = PARTS * len(CONDITIONS)
ALERTS: Final = 10_000
LIMIT_SECONDS: Final = 120.0
DOZOR, PEER = "Dozor", "Prometheus + Alertmanager"
INSTALL: Final = "apt-get install -y prometheus prometheus-alertmanager"
_SPAWN = multiprocessing.get_context("spawn")


class Switch:
    """How many of the series are on, as a file that one process writes and others read."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def set(self, on: int) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(str(on))
        fresh.replace(self._path)

    @property
    def on(self) -> int:
        return int(self._path.read_text())


def rule_file() -> str:
    """The rules, each over one part of the series."""
    lines = ["groups:", "- name: bench", "  rules:"]
    for number in range(RULES):
        condition = CONDITIONS[number // PARTS]
        lines += [f"  - alert: Bench{number:02d}", f'    expr: bench_on{{part="{number % PARTS}"}} {condition}']
        lines += ["    labels: {severity: critical}", "    annotations: {summary: 'series {{ $labels.series }} is on'}"]
    return "\n".join(lines) + "\n"


# --- who is told --------------------------------------------------------------------------------------------------


@dataclass
class Arrivals:
    """What came to one receiver: when, and of how many changed alerts it told.

    Alertmanager repeats a group's alerts that have not changed (*repeats*); Dozor tells the changes, and of those that a
    message has no room for the number.
    """

    system: str
    repeats: bool
    came: list[tuple[float, int]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)
    firing: set[str] = field(default_factory=set)

    def take(self, body: Mapping[str, Any], at: float) -> None:
        """Count the alerts of *body* that are news."""
        with self.changed:
            news = self._news(body["alerts"]) if self.repeats else len(body["alerts"]) + int(body["truncatedAlerts"])
            self.came.append((at, news))
            self.changed.notify_all()

    def _news(self, alerts: list[dict[str, str]]) -> int:
        fire = {alert["fingerprint"] for alert in alerts if alert["status"] == "firing"}
        ended = {alert["fingerprint"] for alert in alerts} - fire
        news = len(fire - self.firing) + len(ended & self.firing)
        self.firing = (self.firing | fire) - ended
        return news

    def wait_for(self, count: int, began: float) -> list[tuple[float, int]]:
        """Seconds since *began* and alerts of each message, once it was *count* alerts in all."""
        with self.changed:
            told = self.changed.wait_for(lambda: sum(alerts for _, alerts in self.came) >= count, LIMIT_SECONDS)
            came, self.came = self.came, []
        if not told:
            heard = sum(alerts for _, alerts in came)
            raise SystemExit(f"{self.system} told only {heard} of {count} alerts in {LIMIT_SECONDS:.0f} s")
        return [(at - began, alerts) for at, alerts in came]


@contextmanager
def receiving() -> Iterator[tuple[str, Mapping[str, Arrivals]]]:
    """A server that both send their webhooks to."""
    arrivals = {DOZOR: Arrivals(DOZOR, repeats=False), PEER: Arrivals(PEER, repeats=True)}

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            at = time.perf_counter()
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            if all(alert["labels"]["alertname"].startswith("Bench") for alert in body["alerts"]):
                arrivals[DOZOR if self.path == "/dozor" else PEER].take(body, at)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", arrivals
    server.shutdown()


# --- who watches --------------------------------------------------------------------------------------------------


class SwitchCollector:
    """The switch, as one more thing that Dozor watches."""

    name = "bench"

    def __init__(self, switch: Switch, series: int) -> None:
        self._switch, self._on = switch, 0
        self._labels = [Labels(part=str(number % PARTS), series=str(number)) for number in range(series)]

    async def refresh(self) -> None:
        self._on = self._switch.on

    def families(self) -> Iterable[Family]:
        samples = (Sample("bench_on", labels, float(number < self._on)) for number, labels in enumerate(self._labels))
        return [Family("bench_on", MetricType.GAUGE, "Whether it is on.", "", tuple(samples))]


def run_dozor(folder: str, series: int, receiver: str) -> None:
    """A process: Dozor, with a collector that reads the switch."""
    logging.getLogger("dozor").addHandler(logging.NullHandler())  # what the channel `log` says is not to be seen here
    settings = Settings(
        store_url=f"sqlite:///{folder}/dozor.db", store_memory_bytes=512 * 2**20, webhook_url=f"{receiver}/dozor",
        group_interval_seconds=1, flapping_count=0,
    )  # fmt: skip
    dozor = Dozor(name="bench", rules=[f"{folder}/rules.yml"], settings=settings)
    assert dozor.monitor is not None
    with dozor:
        dozor.monitor._working().scraper.add(SwitchCollector(Switch(Path(folder, DOZOR)), series))
        signal.sigwait({signal.SIGTERM})


def run_exporter(folder: str, series: int, port: int) -> None:
    """A process: the switch, for Prometheus to scrape."""
    switch = Switch(Path(folder, PEER))
    names = [f'bench_on{{part="{number % PARTS}",series="{number}"}} ' for number in range(series)]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            on = switch.on
            body = "\n".join(name + ("1" if number < on else "0") for number, name in enumerate(names)) + "\n"
            self.send_response(200)
            self.send_header("content-type", "text/plain; version=0.0.4")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


@contextmanager
def processes(folder: Path, series: int, receiver: str) -> Iterator[None]:
    """Everything that runs beside this program."""
    exporter, prometheus, alertmanager = free_port(), free_port(), free_port()
    (folder / "rules.yml").write_text(rule_file())
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
        f"rule_files: [{folder}/rules.yml]\n"
        f"scrape_configs: [{{job_name: bench, static_configs: [{{targets: ['127.0.0.1:{exporter}']}}]}}]\n"
        f"alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}\n"
    )
    (folder / "alertmanager.yml").write_text(
        "route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 4h}\n"
        f"receivers: [{{name: hook, webhook_configs: [{{url: '{receiver}/peer'}}]}}]\n"
    )
    programs = [
        ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
         f"--web.listen-address=127.0.0.1:{prometheus}"],
        ["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
         f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="],
    ]  # fmt: skip
    with ExitStack() as stack:
        for work, arguments in (
            (run_dozor, (str(folder), series, receiver)), (run_exporter, (str(folder), series, exporter)),
        ):  # fmt: skip
            own = _SPAWN.Process(target=work, args=arguments, daemon=True)
            own.start()
            stack.callback(own.join, 10)
            stack.callback(own.terminate)
        for command in programs:
            log = stack.enter_context((folder / f"{command[0]}.log").open("wb"))
            process = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
            stack.callback(process.terminate)
        for port in (exporter, prometheus, alertmanager):
            wait_for_port(port)
        yield


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(httpx2.TransportError):
            httpx2.get(f"http://127.0.0.1:{port}/-/ready", timeout=5, trust_env=False)
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing answers at port {port} after 30 s")


# --- what is measured ---------------------------------------------------------------------------------------------


@dataclass
class Measured:
    """Of one system: seconds to each alert's webhook, of single ones and of all at once, and to the last of all."""

    single: list[float] = field(default_factory=list)
    storm: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)

    def rate(self, count: int) -> float:
        """Transitions a second, from the switch to the last that was told."""
        return count / statistics.median(self.whole)


def throw(switch: Switch, on: int, arrivals: Arrivals, changing: int) -> list[tuple[float, int]]:
    """Turn so many series on, at a random moment of the interval; when it was told."""
    time.sleep(1 + random.random())
    began = time.perf_counter()
    switch.set(on)
    return arrivals.wait_for(changing, began)


def measure(switch: Switch, arrivals: Arrivals, count: int, singles: int, into: Measured) -> None:
    """One round: some alerts alone, then all at once, firing and resolving."""
    for _ in range(singles):
        for on in (1, 0):
            into.single += [seconds for seconds, _ in throw(switch, on, arrivals, len(CONDITIONS))]
    for on in (count // len(CONDITIONS), 0):
        came = throw(switch, on, arrivals, count)
        into.storm += [seconds for seconds, alerts in came for _ in range(alerts)]
        into.whole.append(came[-1][0])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def p99(values: list[float]) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * 0.99))]


def main() -> None:
    """Print the figures."""
    quick = "--quick" in sys.argv[1:]
    missing = [name for name in ("prometheus", "prometheus-alertmanager") if shutil.which(name) is None]
    if missing:
        print(
            f"left out: {' and '.join(missing)} not installed, and beside whom to measure is the point; as root: {INSTALL}"
        )
        return
    rounds, singles, count = (1, 2, 1000) if quick else (5, 8, ALERTS)
    random.seed(1)
    found = {DOZOR: Measured(), PEER: Measured()}
    with tempfile.TemporaryDirectory() as name, receiving() as (receiver, arrivals):
        folder = Path(name)
        switches = {system: Switch(folder / system) for system in found}
        for switch in switches.values():
            switch.set(0)
        with processes(folder, count // len(CONDITIONS), receiver):
            time.sleep(5)
            for _ in range(rounds):
                for system, into in found.items():
                    measure(switches[system], arrivals[system], count, singles, into)
    report(found, count, rounds)


def report(found: Mapping[str, Measured], count: int, rounds: int) -> None:
    ours, theirs = found[DOZOR], found[PEER]
    print(f"{count} alerts of {RULES} rules, looked at every second; {rounds} rounds, in turn with {PEER}:")
    for what, each in ((DOZOR, ours), (PEER, theirs)):
        print(f" {what}")
        print_value(f"one alert to webhook, median of {len(each.single)}", statistics.median(each.single), "s")
        print_value("one alert to webhook, p99", p99(each.single), "s")
        print_value(f"{count} at once, each to webhook, median", statistics.median(each.storm), "s")
        print_value(f"{count} at once, each to webhook, p99", p99(each.storm), "s")
        print_value("transitions, switch to last webhook", each.rate(count), "/s")
    print(f" {PEER}, as a multiple of {DOZOR}")
    print_ratio("one alert to webhook, median", statistics.median(theirs.single) / statistics.median(ours.single))
    print_ratio("one alert to webhook, p99", p99(theirs.single) / p99(ours.single))
    print_ratio(f"{count} at once, median", statistics.median(theirs.storm) / statistics.median(ours.storm))
    print_ratio(f"{count} at once, p99", p99(theirs.storm) / p99(ours.storm))
    print_ratio("transitions a second", theirs.rate(count) / ours.rate(count))


def print_value(what: str, value: float, unit: str) -> None:
    print(f"  {what:<44} {value:9.3f} {unit}")


def print_ratio(what: str, ratio: float) -> None:
    print_value(what, ratio, "x")


if __name__ == "__main__":
    main()
