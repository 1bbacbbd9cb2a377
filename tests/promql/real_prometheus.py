"""The real Prometheus, as a process of a test's or a benchmark's own: samples in by remote write, answers out by its API."""

import contextlib
import json
import shutil
import struct
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.patience import PATIENCE_SECONDS
from tests.serving import free_port

from dozor.model.labels import Labels

MISSING: Final = "prometheus is not installed; on Debian and Ubuntu: apt-get install -y prometheus"
_LITERAL_BYTES: Final = 65_536

Samples = Sequence[tuple[int, float]]
"""(Unix milliseconds, value), rising."""


def installed() -> bool:
    """Whether there is a Prometheus to ask."""
    return shutil.which("prometheus") is not None


class PrometheusError(Exception):
    """Prometheus refused a query; the message is its own."""


class Prometheus:
    """A running server. One thread at a time."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = HTTPConnection("127.0.0.1", port, timeout=60)

    def write(self, series: Iterable[tuple[Labels, Samples]]) -> None:
        """Store *series*. Their samples must lie within an hour of each other."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/api/v1/write",
            data=_snappy(_write_request(series)),
            headers={
                "Content-Encoding": "snappy",
                "Content-Type": "application/x-protobuf",
                "X-Prometheus-Remote-Write-Version": "0.1.0",
            },
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            response.read()

    def get(self, path: str, **parameters: object) -> Any:
        """The `data` of what the API answers. Raises PrometheusError with its error."""
        self._connection.request("GET", f"/api/v1/{path}?{urlencode(parameters)}")
        answer = json.loads(self._connection.getresponse().read())
        if answer["status"] != "success":
            raise PrometheusError(answer["error"])
        return answer["data"]

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def metrics(self) -> str:
        """Its own metrics."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=60) as response:
            return str(response.read().decode())


@contextlib.contextmanager
def running(files: Mapping[str, str] | None = None) -> Iterator[Prometheus]:
    """A Prometheus that scrapes nothing. *files* are put beside its configuration, `prometheus.yml` may be among them."""
    with tempfile.TemporaryDirectory(prefix="prometheus-") as folder:
        for name, text in {"prometheus.yml": "global: {}\n", **(files or {})}.items():
            Path(folder, name).write_text(text, encoding="utf-8")
        port = free_port()
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={folder}/prometheus.yml",
                    f"--storage.tsdb.path={folder}/tsdb",
                    "--storage.tsdb.retention.time=100y",
                    f"--web.listen-address=127.0.0.1:{port}",
                    "--web.enable-remote-write-receiver",
                    "--log.level=warn",
                ],
                stdout=log,
                stderr=log,
            )
        try:
            _wait_until_ready(process, port, Path(folder, "log"))
            with contextlib.closing(Prometheus(port)) as prometheus:
                yield prometheus
        finally:
            process.kill()
            process.wait()


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=5) as response,
        ):
            if response.status == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"prometheus did not start:\n{log.read_text(errors='replace')}")


def _write_request(series: Iterable[tuple[Labels, Samples]]) -> bytes:
    """prometheus.WriteRequest { repeated TimeSeries timeseries = 1; }"""
    return b"".join(_field(1, _time_series(labels, samples)) for labels, samples in series)


def _time_series(labels: Labels, samples: Samples) -> bytes:
    named = b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in labels.pairs)
    return named + b"".join(
        _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(at)) for at, value in samples
    )


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _snappy(content: bytes) -> bytes:
    """*content* in Snappy's block format, made of literals only: nothing is saved, and no library needed."""
    parts = [_varint(len(content))]
    for begin in range(0, len(content), _LITERAL_BYTES):
        literal = content[begin : begin + _LITERAL_BYTES]
        parts += [b"\xf4", struct.pack("<H", len(literal) - 1), literal]
    return b"".join(parts)
