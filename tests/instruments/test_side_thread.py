import threading

import pytest

from dozor.instruments.side_thread import SideThread, StillBusyError

pytestmark = pytest.mark.anyio


async def test_the_result_and_the_error_come_back() -> None:
    side = SideThread("test")
    assert await side.run(lambda: 42, 5) == 42
    with pytest.raises(ZeroDivisionError):
        await side.run(lambda: 1 // 0, 5)
    assert not side.busy


async def test_hung_calls_do_not_pile_up() -> None:
    side, release = SideThread("test"), threading.Event()
    with pytest.raises(TimeoutError):
        await side.run(release.wait, 0.01)
    threads = threading.active_count()
    for _ in range(5):
        with pytest.raises(StillBusyError):
            await side.run(release.wait, 5)
    assert threading.active_count() == threads
    release.set()
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(5)
    assert await side.run(lambda: "again", 5) == "again"
