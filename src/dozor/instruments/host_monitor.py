"""The machine, or the container, in which the application runs: CPU, memory, disks."""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import psutil

from dozor.clock import Clock
from dozor.instruments import machine
from dozor.instruments.cgroup import Cgroup
from dozor.instruments.side_thread import SideThread, StillBusyError
from dozor.instruments.text import printable
from dozor.model.labels import Labels
from dozor.model.sample import Family, MetricType, Sample

_LOOK_EVERY_SECONDS: Final = 10.0
"""How often disks are read, and limits looked for."""
# Between the question whether it is time to look and the look itself there is less than:
_MARGIN_SECONDS: Final = 0.5
_DISK_SECONDS: Final = 0.25
# Not a disk that fills up, or one whose server may hang.
_NOT_DISKS: Final = frozenset(
    {"autofs", "devtmpfs", "erofs", "iso9660", "overlay", "ramfs", "squashfs", "tmpfs", "udf"}
    | {"9p", "afs", "ceph", "cifs", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "smbfs", "virtiofs"}
)
_HELP: Final[Mapping[str, str]] = {
    "host_cpu_utilization": "CPU time used, in percent of all cores or, in a container, of its quota.",
    "host_memory_utilization": "Memory that is not available, in percent; in a container its working set, of its limit.",
    "host_disk_utilization": "Space used, in percent of what unprivileged users may use; real local file systems only.",
}


class Partition(NamedTuple):
    """A mounted file system, as psutil names its parts."""

    device: str
    mountpoint: str
    fstype: str
    opts: str


class _CpuTime(NamedTuple):
    """*busy* seconds of *possible* ones; *source* tells the machine's from a quota's."""

    busy: float
    possible: float
    source: str


class HostMonitor:
    """CPU, memory and disks, of the container where there is one with limits. `refresh` belongs to one event loop."""

    name = "host"

    def __init__(self, clock: Clock, *, cgroup: Cgroup | None = None) -> None:
        self._clock, self._cgroup = clock, cgroup or Cgroup()
        self._cpu_before: _CpuTime | None = None
        self._disks: dict[str, _Disk] = {}
        self._looked_at: float | None = None
        self._figures: dict[str, float] = {}

    def figures(self) -> dict[str, float]:
        """`host_cpu_utilization` and `host_memory_utilization` in percent; what is unknown is absent."""
        return dict(self._figures)

    def disks(self) -> dict[str, float]:
        """Utilisation of each real file system in percent, by mount point."""
        return {name: disk.percent for name, disk in list(self._disks.items()) if disk.percent is not None}

    def families(self) -> tuple[Family, ...]:
        """The metrics as of the last collection."""
        families = [_family(name, (Sample(name, _NO_LABELS, value),)) for name, value in self.figures().items()]
        name = "host_disk_utilization"
        disks = [disk for disk in list(self._disks.values()) if disk.percent is not None]
        families.append(_family(name, tuple(Sample(name, disk.labels, disk.percent or 0.0) for disk in disks)))
        return tuple(families)

    @property
    def at_once(self) -> bool:
        """Whether the next `refresh` waits for no file system."""
        looked_at = self._looked_at
        return looked_at is not None and self._clock.monotonic() - looked_at < _LOOK_EVERY_SECONDS - _MARGIN_SECONDS

    async def refresh(self) -> None:
        """Collect once. What fails is left out, the rest is kept; then raises what failed."""
        at = self._clock.monotonic()
        look = self._looked_at is None or at - self._looked_at >= _LOOK_EVERY_SECONDS
        if look:
            self._looked_at = at
            self._cgroup.look()
        self._figures, failures = {}, []
        for name, read in (("host_cpu_utilization", self._cpu), ("host_memory_utilization", self._memory)):
            try:
                value = read()
            except (OSError, psutil.Error) as error:
                failures.append(error)
            else:
                self._figures |= {} if value is None else {name: value}
        if look:
            await self._read_disks()
        if failures:
            raise failures[0]

    def _cpu(self) -> float | None:
        # Not psutil.cpu_percent(): it says 0 at first, and measures since its last call by anybody in this process.
        quota = self._cgroup.cpu()
        if quota is not None:
            now = _CpuTime(quota.used_seconds, self._clock.monotonic() * quota.cores, f"quota of {quota.cores}")
        else:
            now = _CpuTime(*machine.processor_time(), "host")
        before, self._cpu_before = self._cpu_before, now
        if before is None or before.source != now.source or now.possible <= before.possible:
            return None
        return _percent(now.busy - before.busy, now.possible - before.possible)

    def _memory(self) -> float | None:
        whole = machine.memory()
        limited = self._cgroup.memory()
        if limited is not None and limited.limit < whole.total:
            return _percent(limited.used, limited.limit)
        return _percent(whole.total - whole.available, whole.total)

    async def _read_disks(self) -> None:
        found = psutil.disk_partitions(all=False)
        mounted = real_disks(Partition(each.device, each.mountpoint, each.fstype, each.opts) for each in found)
        # A disk that hangs is kept, so that its thread is known, and is not asked again before it has answered.
        kept = {name: disk for name, disk in self._disks.items() if name in mounted or disk.hangs}
        self._disks = kept | {name: _Disk(name) for name in mounted if name not in kept}
        await asyncio.gather(*(disk.read() for disk in self._disks.values()))


class _Disk:
    def __init__(self, mountpoint: str) -> None:
        self._mountpoint = mountpoint
        self._thread = SideThread("dozor-disk")
        self.labels = Labels(mountpoint=printable(mountpoint, 256))
        self.percent: float | None = None

    @property
    def hangs(self) -> bool:
        return self._thread.busy

    async def read(self) -> None:
        """Read `percent`; it is unknown when the file system does not answer, or is gone."""
        try:
            usage = await self._thread.run(lambda: psutil.disk_usage(self._mountpoint), _DISK_SECONDS)
        except (TimeoutError, StillBusyError, OSError):
            self.percent = None
        else:
            self.percent = float(usage.percent)  # of used and available: what is kept for root counts as neither


def real_disks(partitions: Iterable[Partition]) -> list[str]:
    """Of *partitions*, the mount points of local file systems that can be written to; each device once."""
    by_device: dict[str, str] = {}
    for partition in partitions:
        if not _is_real(partition):
            continue
        # A device mounted twice (a bind mount, a subvolume) is listed by the shorter path.
        known = by_device.get(partition.device)
        if known is None or len(partition.mountpoint) < len(known):
            by_device[partition.device] = partition.mountpoint
    return sorted(by_device.values())


def _is_real(partition: Partition) -> bool:
    kind = partition.fstype.lower()
    if kind in _NOT_DISKS or kind.startswith("fuse") or "ro" in partition.opts.split(","):
        return False
    # Containers have single files bound in (/etc/hosts, /dev/termination-log); those say nothing of a file system of theirs.
    return not partition.mountpoint.startswith(("/etc/", "/dev/"))


_NO_LABELS: Final = Labels()


def _percent(part: float, whole: float) -> float:
    return min(100.0, max(0.0, 100.0 * part / whole))


def _family(name: str, samples: tuple[Sample, ...]) -> Family:
    return Family(name, MetricType.GAUGE, _HELP[name], "percent", samples)
