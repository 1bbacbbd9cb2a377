from pathlib import Path

import pytest

from dozor.instruments.cgroup import Cgroup, CpuUse, MemoryUse


def tree(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def cgroup(folder: Path, membership: str = "0::/\n", **files: str) -> Cgroup:
    tree(folder, {"membership": membership, "fs/cgroup.controllers": "cpu memory\n"})
    tree(folder / "fs", {name.replace("__", "/").replace("_", ".", 1): text for name, text in files.items()})
    return looked(Cgroup(folder / "fs", folder / "membership"))


def looked(group: Cgroup) -> Cgroup:
    group.look()
    return group


def test_the_working_set_leaves_out_cache_that_can_be_dropped(tmp_path: Path) -> None:
    group = cgroup(
        tmp_path, memory_max="1000\n", memory_current="900\n", memory_stat="anon 300\ninactive_file 400\nfile 500\n"
    )
    assert group.memory() == MemoryUse(500, 1000)


def test_a_quota_is_worth_so_many_cores(tmp_path: Path) -> None:
    group = cgroup(tmp_path, cpu_max="150000 100000\n", cpu_stat="usage_usec 2500000\nuser_usec 1\n")
    assert group.cpu() == CpuUse(2.5, 1.5)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"memory_max": "max\n", "memory_current": "900\n", "cpu_max": "max 100000\n", "cpu_stat": "usage_usec 1\n"},
        {"memory_max": "", "memory_current": "", "cpu_max": "", "cpu_stat": ""},
        {"memory_max": "0\n", "memory_current": "1\n", "cpu_max": "0 100000\n", "cpu_stat": "usage_usec 1\n"},
        {"memory_max": "12\n", "cpu_max": "100000\n", "cpu_stat": "usage_usec x\n"},
    ],
)
def test_no_limit_is_none(tmp_path: Path, files: dict[str, str]) -> None:
    group = cgroup(tmp_path, **files)
    assert group.memory() is None
    assert group.cpu() is None


def test_the_group_above_may_set_the_limit_that_counts(tmp_path: Path) -> None:
    tree(
        tmp_path / "fs",
        {
            "app.slice/memory.max": "1000\n",
            "app.slice/memory.current": "950\n",
            "app.slice/web.service/memory.max": "800\n",
            "app.slice/web.service/memory.current": "80\n",
            "app.slice/web.service/cpu.max": "400000 100000\n",
            "app.slice/web.service/cpu.stat": "usage_usec 7000000\n",
            "app.slice/cpu.max": "200000 100000\n",
            "app.slice/cpu.stat": "usage_usec 9000000\n",
        },
    )
    group = cgroup(tmp_path, "12:pids:/x\n0::/app.slice/web.service\n")
    assert group.memory() == MemoryUse(950, 1000)
    assert group.cpu() == CpuUse(9.0, 2.0)


@pytest.mark.parametrize("membership", ["0::/docker/abc\n", "0::/../other\n", "1:name=systemd:/x\n", ""])
def test_a_group_that_is_not_visible_here_is_the_root(tmp_path: Path, membership: str) -> None:
    group = cgroup(tmp_path, membership, memory_max="1000\n", memory_current="10\n")
    assert group.memory() == MemoryUse(10, 1000)


def test_without_cgroups_there_is_no_limit(tmp_path: Path) -> None:
    group = looked(Cgroup(tmp_path / "none", tmp_path / "none either"))
    assert group.memory() is None
    assert group.cpu() is None


def test_a_limit_that_is_raised_counts_from_the_next_look_on(tmp_path: Path) -> None:
    group = cgroup(
        tmp_path, memory_max="1000\n", memory_current="10\n", cpu_max="100000 100000\n", cpu_stat="usage_usec 0\n"
    )
    (tmp_path / "fs/memory.max").write_text("2000\n")
    (tmp_path / "fs/cpu.max").write_text("max 100000\n")
    assert (group.memory(), group.cpu()) == (MemoryUse(10, 1000), CpuUse(0.0, 1.0))
    group.look()
    assert (group.memory(), group.cpu()) == (MemoryUse(10, 2000), None)
