"""What is known now, in one record."""

from typing import Any

import pytest

from dozor.instruments.host_monitor import HostMonitor
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.picture import Circumstances, Picture
from dozor.targets import Targets
from dozor.testing import FakeClock


def test_the_host_s_figures_include_each_disk(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    host = HostMonitor(clock)
    disks: Any = {"/": 71.0, '/a "b"': 12.0}
    monkeypatch.setattr(host, "disks", lambda: disks)
    picture = Picture(Targets({}, {}, {}, {}), host, RuntimeMonitor(clock), interval_seconds=1.0)
    picture.look(clock.timestamp(), (), (), (), Circumstances())
    assert picture.known.host['host_disk_utilization{mountpoint="/"}'] == 71.0
    assert picture.known.host['host_disk_utilization{mountpoint="/a \\"b\\""}'] == 12.0
    assert picture.known.looked_at == clock.timestamp()
