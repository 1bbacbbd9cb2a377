"""What the kernel says of the machine's processors and memory, and of this process' memory, in as few calls as can be.

Each file that is opened, read and closed lets the application's threads have the interpreter, and makes Dozor wait to have it back; and
psutil reads much that nobody asks for here. Where the kernel is another than Linux, psutil is asked.
"""

import os
import sys
from typing import Any, Final, NamedTuple

_IS_LINUX: Final = sys.platform.startswith("linux")
# The figures wanted are in the first lines.
_ENOUGH: Final = 512
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class ProcessorTime(NamedTuple):
    """Of all processors together since the machine's start: *busy* of *all*, in a unit of the kernel's."""

    busy: float
    all: float


class Memory(NamedTuple):
    """In bytes; *available* is what programs may have without anything being swapped out."""

    total: int
    available: int


class OwnMemory(NamedTuple):
    """Of this process, in bytes."""

    resident: int
    virtual: int


def processor_time() -> ProcessorTime:
    """Raises `OSError` or `psutil.Error` where it is not told."""
    if _IS_LINUX:
        # user, nice, system, idle, iowait, irq, softirq, steal; what guests have is in the first two already.
        times = [int(each) for each in _beginning("/proc/stat").split(maxsplit=9)[1:9]]
        total = sum(times)
        return ProcessorTime(total - times[3] - times[4], total)
    told: Any = _psutil().cpu_times()
    return ProcessorTime(sum(told) - told.idle, sum(told))


def memory() -> Memory:
    """Raises `OSError` or `psutil.Error` where it is not told."""
    if _IS_LINUX:
        lines = _beginning("/proc/meminfo").split(b"\n", 3)[:3]
        kibibytes = {name: int(value.split()[0]) for name, _, value in (line.partition(b":") for line in lines)}
        total, available = kibibytes.get(b"MemTotal"), kibibytes.get(b"MemAvailable")
        if total and available is not None and available <= total:
            return Memory(total * 1024, available * 1024)
    told = _psutil().virtual_memory()
    return Memory(told.total, told.available)


def own_memory() -> OwnMemory:
    """Raises `OSError` or `psutil.Error` where it is not told."""
    if _IS_LINUX:
        pages, resident = _beginning("/proc/self/statm").split(maxsplit=2)[:2]
        return OwnMemory(int(resident) * _PAGE_BYTES, int(pages) * _PAGE_BYTES)
    told = _psutil().Process().memory_info()
    return OwnMemory(told.rss, told.vms)


def _psutil() -> Any:
    import psutil  # noqa: PLC0415 - 10 ms, for those who need it

    return psutil


def _beginning(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _ENOUGH)
    finally:
        os.close(descriptor)
