"""What control groups (version 2) allow this process: in a container the machine's own figures say nothing.

Reads the files of the kernel's cgroup file system; see "Control Group v2" in the kernel's documentation. Each file that is opened lets
the application's threads have the interpreter, and makes Dozor wait to have it back: so limits, of which there mostly are none, are
looked for seldom.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

_ROOT: Final = Path("/sys/fs/cgroup")
_MEMBERSHIP: Final = Path("/proc/self/cgroup")


class MemoryUse(NamedTuple):
    """*used* of *limit* bytes; used is the working set, which the kernel cannot drop at will."""

    used: int
    limit: int


class CpuUse(NamedTuple):
    """CPU time used so far, in seconds, and how many *cores* the quota is worth."""

    used_seconds: float
    cores: float


class Cgroup:
    """The control group of this process and those above it; any of them may set the limit that counts.

    Args:
        root: where the cgroup file system is mounted.
        membership: the file that names the group of this process below *root*.
    """

    def __init__(self, root: Path = _ROOT, membership: Path = _MEMBERSHIP) -> None:
        self._root, self._membership = root, membership
        self._memory_limits: list[tuple[Path, int]] = []
        self._quotas: list[tuple[Path, float]] = []

    def look(self) -> None:
        """Find out what limits there are: those that `memory` and `cpu` go by until this is called again."""
        groups = list(self._groups())
        self._memory_limits = [(group, limit) for group in groups if (limit := _number(group / "memory.max"))]
        self._quotas = [(group, cores) for group in groups if (cores := _quota(group))]

    def memory(self) -> MemoryUse | None:
        """The use of the group that is nearest to its limit; None where there is no limit."""
        limited = [use for group, limit in self._memory_limits if (use := _memory(group, limit)) is not None]
        return max(limited, key=lambda use: use.used / use.limit, default=None)

    def cpu(self) -> CpuUse | None:
        """The use of the group with the least quota; None where there is none."""
        limited = [use for group, cores in self._quotas if (use := _cpu(group, cores)) is not None]
        return min(limited, key=lambda use: use.cores, default=None)

    def _groups(self) -> Iterator[Path]:
        """This process' group and all above it. In a container its own is the root."""
        path = self._path()
        # Without a cgroup namespace the file names a path of the host's, which is not visible here.
        group = self._root / path if (self._root / path).is_dir() else self._root
        yield group
        while group != self._root:
            group = group.parent
            yield group

    def _path(self) -> str:
        for line in _lines(self._membership):
            if line.startswith("0::/"):
                # ".." is how a group outside of the namespace is written.
                return "" if ".." in line else line[4:]
        return ""


def _memory(group: Path, limit: int) -> MemoryUse | None:
    current = _number(group / "memory.current")
    if current is None:
        return None
    return MemoryUse(max(0, current - (_statistic(group / "memory.stat", "inactive_file") or 0)), limit)


def _cpu(group: Path, cores: float) -> CpuUse | None:
    used = _statistic(group / "cpu.stat", "usage_usec")
    return None if used is None else CpuUse(used / 1e6, cores)


def _quota(group: Path) -> float | None:
    """How many cores the quota of *group* is worth; None where it has none."""
    quota, _, period = next(iter(_lines(group / "cpu.max")), "").partition(" ")
    if not (quota.isdigit() and period.isdigit() and int(quota) and int(period)):
        return None
    return int(quota) / int(period)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux, no cgroup v2, or a controller that is not enabled
        return []


def _number(path: Path) -> int | None:
    text = next(iter(_lines(path)), "").strip()
    return int(text) if text.isdigit() else None  # "max": no limit


def _statistic(path: Path, name: str) -> int | None:
    beginning = f"{name} "
    value = next((line[len(beginning) :] for line in _lines(path) if line.startswith(beginning)), "")
    return int(value) if value.isdigit() else None
