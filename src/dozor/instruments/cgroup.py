"""What control groups (version 2) allow this process: in a container the machine's own figures say nothing.

Reads the files of the kernel's cgroup file system; see "Control Group v2" in the kernel's documentation.
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

    def memory(self) -> MemoryUse | None:
        """The use of the group that is nearest to its limit; None where there is no limit."""
        limited = [use for group in self._groups() if (use := _memory(group)) is not None]
        return max(limited, key=lambda use: use.used / use.limit, default=None)

    def cpu(self) -> CpuUse | None:
        """The use of the group with the least quota; None where there is none."""
        limited = [use for group in self._groups() if (use := _cpu(group)) is not None]
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


def _memory(group: Path) -> MemoryUse | None:
    limit, current = _number(group / "memory.max"), _number(group / "memory.current")
    if not limit or current is None:
        return None
    cache = _statistics(group / "memory.stat").get("inactive_file", 0)
    return MemoryUse(max(0, current - cache), limit)


def _cpu(group: Path) -> CpuUse | None:
    quota, _, period = next(iter(_lines(group / "cpu.max")), "").partition(" ")
    used = _statistics(group / "cpu.stat").get("usage_usec")
    if not (quota.isdigit() and period.isdigit() and int(quota) and int(period)) or used is None:
        return None
    return CpuUse(used / 1e6, int(quota) / int(period))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # not Linux, no cgroup v2, or a controller that is not enabled
        return []


def _number(path: Path) -> int | None:
    text = next(iter(_lines(path)), "").strip()
    return int(text) if text.isdigit() else None  # "max": no limit


def _statistics(path: Path) -> dict[str, int]:
    pairs = (line.partition(" ") for line in _lines(path))
    return {name: int(value) for name, _, value in pairs if value.isdigit()}
