"""What is known now, in one record."""

from typing import Any

import pytest
from tests.database.records import make_alert

from dozor.instruments.host_monitor import HostMonitor
from dozor.instruments.runtime_monitor import RuntimeMonitor
from dozor.model.labels import Labels
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


def test_what_blocked_the_loop_just_before_explains_an_alert_about_requests(clock: FakeClock) -> None:
    process = RuntimeMonitor(clock)
    now = clock.timestamp()
    process.stalls.came(1, 2.0, now - 600)
    process.stalls.came(1, 3.0, now - 10)
    picture = Picture(Targets({}, {}, {}, {}), HostMonitor(clock), process, interval_seconds=1.0)
    about_requests = make_alert(labels=Labels(alertname="HttpRequestsSlow"), component="business", active_at=now)
    found: Any = picture.evidence(about_requests)["stalls"]
    assert [one["seconds"] for one in found] == [3.0]
    about_redis = make_alert(labels=Labels(alertname="RedisDown"), component="redis", active_at=now)
    assert "stalls" not in picture.evidence(about_redis)
