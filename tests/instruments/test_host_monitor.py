import asyncio
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from tests.patience import PATIENCE_SECONDS

from dozor.clock import Clock
from dozor.instruments import machine as machine_module
from dozor.instruments.cgroup import Cgroup
from dozor.instruments.host_monitor import HostMonitor, Partition, real_disks
from dozor.instruments.machine import Memory, ProcessorTime
from dozor.testing import FakeClock

pytestmark = pytest.mark.anyio

MIB = 2**20


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A machine whose figures a test sets."""
    state = SimpleNamespace(
        processors=ProcessorTime(0.0, 0.0),
        memory=Memory(total=1000 * MIB, available=400 * MIB),
        partitions=[],
        usage=lambda _: SimpleNamespace(percent=50.0),
    )

    monkeypatch.setattr(machine_module, "processor_time", lambda: state.processors)
    monkeypatch.setattr(machine_module, "memory", lambda: state.memory)
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_: state.partitions)
    monkeypatch.setattr(psutil, "disk_usage", lambda path: state.usage(path))  # noqa: PLW0108 - set later
    return state


@pytest.fixture
def unlimited(tmp_path: Path) -> Cgroup:
    return Cgroup(tmp_path / "none", tmp_path / "none")


def partition(mountpoint: str, device: str = "/dev/sda1", fstype: str = "ext4", opts: str = "rw,relatime") -> Partition:
    return Partition(device, mountpoint, fstype, opts)


def limited(folder: Path, **files: str) -> Cgroup:
    for name, text in files.items():
        (folder / name.replace("_", ".", 1)).write_text(text)
    return Cgroup(folder, folder / "membership")


class TestProcessor:
    async def test_the_first_reading_is_unknown_and_not_zero(
        self, machine: SimpleNamespace, unlimited: Cgroup, clock: FakeClock
    ) -> None:
        monitor = HostMonitor(clock, cgroup=unlimited)
        await monitor.refresh()
        assert "host_cpu_utilization" not in monitor.figures()
        machine.processors = ProcessorTime(6.0, 12.0)
        await monitor.refresh()
        assert monitor.figures()["host_cpu_utilization"] == 50.0

    async def test_in_a_container_it_is_of_the_quota(
        self, machine: SimpleNamespace, tmp_path: Path, clock: FakeClock
    ) -> None:
        cgroup = limited(tmp_path, cpu_max="50000 100000\n", cpu_stat="usage_usec 1000000\n")
        monitor = HostMonitor(clock, cgroup=cgroup)
        await monitor.refresh()
        clock.advance(10)
        (tmp_path / "cpu.stat").write_text("usage_usec 5000000\n")
        await monitor.refresh()
        assert monitor.figures()["host_cpu_utilization"] == 80.0

    async def test_a_quota_that_changes_starts_anew(
        self, machine: SimpleNamespace, tmp_path: Path, clock: FakeClock
    ) -> None:
        monitor = HostMonitor(clock, cgroup=limited(tmp_path, cpu_max="50000 100000", cpu_stat="usage_usec 1000000"))
        await monitor.refresh()
        clock.advance(10)  # it is looked for as seldom
        limited(tmp_path, cpu_max="100000 100000")
        await monitor.refresh()
        assert "host_cpu_utilization" not in monitor.figures()


class TestMemory:
    async def test_of_the_machine(self, machine: SimpleNamespace, unlimited: Cgroup, clock: FakeClock) -> None:
        monitor = HostMonitor(clock, cgroup=unlimited)
        await monitor.refresh()
        assert monitor.figures()["host_memory_utilization"] == 60.0

    async def test_in_a_container_it_is_of_the_limit(
        self, machine: SimpleNamespace, tmp_path: Path, clock: FakeClock
    ) -> None:
        cgroup = limited(
            tmp_path,
            memory_max=f"{100 * MIB}\n",
            memory_current=f"{95 * MIB}\n",
            memory_stat=f"inactive_file {85 * MIB}\n",
        )
        monitor = HostMonitor(clock, cgroup=cgroup)
        await monitor.refresh()
        assert monitor.figures()["host_memory_utilization"] == 10.0

    async def test_a_limit_above_the_machine_is_none(
        self, machine: SimpleNamespace, tmp_path: Path, clock: FakeClock
    ) -> None:
        monitor = HostMonitor(clock, cgroup=limited(tmp_path, memory_max=str(2**60), memory_current="1"))
        await monitor.refresh()
        assert monitor.figures()["host_memory_utilization"] == 60.0

    async def test_what_fails_is_left_out_and_the_rest_is_kept(
        self, machine: SimpleNamespace, unlimited: Cgroup, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fails() -> Any:
            raise PermissionError("/proc/stat")

        monkeypatch.setattr(machine_module, "processor_time", fails)
        monitor = HostMonitor(clock, cgroup=unlimited)
        with pytest.raises(PermissionError):
            await monitor.refresh()
        assert set(monitor.figures()) == {"host_memory_utilization"}


class TestDisks:
    @pytest.mark.parametrize(
        "fstype",
        ["tmpfs", "devtmpfs", "overlay", "squashfs", "nfs", "nfs4", "fuse.sshfs", "fuseblk", "cifs", "iso9660", "9p"],
    )
    def test_what_is_no_local_disk_is_left_out(self, fstype: str) -> None:
        assert real_disks([partition("/x", fstype=fstype)]) == []

    def test_read_only_file_systems_are_left_out(self) -> None:
        assert real_disks([partition("/x", opts="ro,relatime")]) == []
        assert real_disks([partition("/x", opts="rw,errors=remount-ro")]) == ["/x"]

    def test_a_device_mounted_twice_counts_once(self) -> None:
        bound = [partition("/srv/deep/inside"), partition("/"), partition("/home", "/dev/sdb1")]
        assert real_disks(bound) == ["/", "/home"]

    def test_single_files_bound_into_a_container_are_left_out(self) -> None:
        bound = ("/etc/hosts", "/etc/resolv.conf", "/dev/termination-log")
        assert real_disks(map(partition, bound)) == []

    async def test_each_is_a_series(self, machine: SimpleNamespace, unlimited: Cgroup, clock: FakeClock) -> None:
        machine.partitions = [partition("/"), partition("/var\udc80\n", "/dev/sdb1")]
        monitor = HostMonitor(clock, cgroup=unlimited)
        await monitor.refresh()
        (disks,) = (family for family in monitor.families() if family.name == "host_disk_utilization")
        assert [sample.labels["mountpoint"] for sample in disks.samples] == ["/", "/var\\udc80\\n"]
        assert monitor.disks() == {"/": 50.0, "/var\udc80\n": 50.0}

    async def test_one_that_hangs_is_unknown_and_holds_up_nothing(
        self, machine: SimpleNamespace, unlimited: Cgroup, clock: FakeClock
    ) -> None:
        release = threading.Event()
        machine.partitions = [partition("/"), partition("/hung", "/dev/sdb1")]
        machine.usage = lambda path: (release.wait() if path == "/hung" else None) or SimpleNamespace(percent=7.0)
        monitor = HostMonitor(clock, cgroup=unlimited)
        await monitor.refresh()
        for _ in range(3):
            clock.advance(10)
            await monitor.refresh()
        assert monitor.disks() == {"/": 7.0}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(reading := [thread for thread in threading.enumerate() if thread.name == "dozor-disk"]) > 1:
            assert time.monotonic() < deadline, reading
            await asyncio.sleep(0.001)
        release.set()

    async def test_between_two_looks_at_the_disks_a_collection_waits_for_nothing(
        self, machine: SimpleNamespace, unlimited: Cgroup, clock: FakeClock
    ) -> None:
        monitor = HostMonitor(clock, cgroup=unlimited)
        looks = 0
        for _ in range(60):
            if monitor.at_once:
                with pytest.raises(StopIteration):
                    monitor.refresh().send(None)
            else:
                await monitor.refresh()
                looks += 1
            clock.advance(0.5)
        assert 3 <= looks <= 6

    async def test_a_disk_that_is_gone_has_no_series(
        self, machine: SimpleNamespace, unlimited: Cgroup, clock: FakeClock
    ) -> None:
        machine.partitions = [partition("/"), partition("/mnt", "/dev/sdb1")]
        monitor = HostMonitor(clock, cgroup=unlimited)
        await monitor.refresh()
        machine.partitions = [partition("/")]
        clock.advance(10)
        await monitor.refresh()
        assert monitor.disks() == {"/": 50.0}


async def test_this_machine_has_figures() -> None:
    monitor = HostMonitor(Clock())
    await monitor.refresh()
    assert 0 < monitor.figures()["host_memory_utilization"] <= 100
    for family in monitor.families():
        assert all(0 <= sample.value <= 100 for sample in family.samples)
