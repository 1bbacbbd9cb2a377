"""The figures that Dozor reads itself are those of psutil, which knows them all."""

import sys
from pathlib import Path

import psutil
import pytest

from dozor.instruments import machine
from dozor.instruments.machine import Memory, OwnMemory, ProcessorTime

LINUX = sys.platform.startswith("linux")


def test_memory_is_what_psutil_says() -> None:
    told = psutil.virtual_memory()
    found = machine.memory()
    assert found.total == told.total
    assert found.available == pytest.approx(told.available, rel=0.2)
    own, process = machine.own_memory(), psutil.Process().memory_info()
    assert own.resident == pytest.approx(process.rss, rel=0.2)
    assert own.virtual == pytest.approx(process.vms, rel=0.2)


def test_processors_are_busy_for_as_long_as_psutil_says() -> None:
    before, told = machine.processor_time(), psutil.cpu_times()
    busy = (
        sum(told)
        - told.idle
        - getattr(told, "iowait", 0.0)
        - getattr(told, "guest", 0.0)
        - getattr(told, "guest_nice", 0.0)
    )
    assert before.busy / before.all == pytest.approx(busy / (busy + told.idle + getattr(told, "iowait", 0.0)), rel=0.05)
    after = machine.processor_time()
    assert after.busy >= before.busy
    assert after.all >= before.all


@pytest.mark.skipif(not LINUX, reason="its files are of another kernel")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cpu  10 2 3 70 5 1 1 8 9 1\ncpu0 1 2 3\n", ProcessorTime(25, 100)),
        ("cpu  10 2 3 70 5 1 1 8\n", ProcessorTime(25, 100)),
    ],
)
def test_the_time_of_guests_is_counted_once(
    text: str, expected: ProcessorTime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stat").write_text(text)
    beginning = machine._beginning
    monkeypatch.setattr(machine, "_beginning", lambda path: beginning(str(tmp_path / Path(path).name)))
    assert machine.processor_time() == expected


@pytest.mark.skipif(not LINUX, reason="its files are of another kernel")
@pytest.mark.parametrize(
    "text",
    [
        "MemTotal: 100 kB\nMemFree: 50 kB\nBuffers: 5 kB\n",  # Linux before 3.14
        "MemTotal: 100 kB\nMemFree: 50 kB\nMemAvailable: 500 kB\n",  # a container that is told the machine's
    ],
)
def test_where_the_file_does_not_say_psutil_works_it_out(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text(text)
    beginning = machine._beginning
    monkeypatch.setattr(machine, "_beginning", lambda path: beginning(str(tmp_path / Path(path).name)))
    assert machine.memory().total == psutil.virtual_memory().total


def test_elsewhere_psutil_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_IS_LINUX", False)
    assert isinstance(machine.memory(), Memory)
    assert isinstance(machine.own_memory(), OwnMemory)
    found = machine.processor_time()
    assert 0 < found.busy < found.all
