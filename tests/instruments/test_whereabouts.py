"""Where threads and tasks are, looked up from another thread."""

import asyncio
import threading
from typing import Any

import pytest
from anyio import to_thread
from tests.patience import PATIENCE_SECONDS

from dozor.instruments.whereabouts import Whereabouts
from dozor.instruments.work import Work, current_work

pytestmark = pytest.mark.anyio


def last_name(lines: tuple[str, ...]) -> str:
    return lines[0].rpartition(".")[2].rpartition(" ")[2] if lines else ""


async def test_a_thread_that_serves_another_request_by_now_is_not_who_took_the_connection() -> None:
    """Threads of anyio's pool are used again; the one that works for the request is found."""
    idents: dict[str, int] = {}
    arrived, go_on = threading.Barrier(3), threading.Event()

    def handle_mine() -> None:
        idents["mine"] = threading.get_ident()
        arrived.wait(PATIENCE_SECONDS)
        go_on.wait(PATIENCE_SECONDS)

    def handle_others() -> None:
        idents["others"] = threading.get_ident()
        arrived.wait(PATIENCE_SECONDS)
        go_on.wait(PATIENCE_SECONDS)

    async def serve(work: Work, handler: Any) -> None:
        current_work.set(work)
        await to_thread.run_sync(handler)

    mine, others = Work(), Work()
    tasks = [asyncio.create_task(serve(mine, handle_mine)), asyncio.create_task(serve(others, handle_others))]
    await asyncio.to_thread(arrived.wait, PATIENCE_SECONDS)
    seen = Whereabouts()
    assert last_name(seen.thread(idents["mine"], mine)) == "handle_mine"
    assert last_name(seen.thread(idents["others"], mine)) == "handle_mine"
    assert seen.thread(idents["others"], Work()) == ()
    assert last_name(seen.thread(idents["others"])) == "handle_others"
    del seen
    go_on.set()
    await asyncio.gather(*tasks)


async def test_a_task_that_runs_is_found_by_its_loop_and_one_that_has_ended_is_nowhere() -> None:
    found: list[tuple[str, ...]] = []

    async def blocks() -> None:
        task = asyncio.current_task()
        looker = threading.Thread(target=lambda: found.append(Whereabouts().task(task)))
        looker.start()
        looker.join(PATIENCE_SECONDS)

    task = asyncio.create_task(blocks())
    await task
    assert last_name(found[0]) == "blocks"
    assert Whereabouts().task(task) == Whereabouts().task(None) == ()


async def test_a_thread_that_has_ended_is_nowhere() -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    assert Whereabouts().thread(thread.ident or 0) == ()


@pytest.fixture
def without_gil(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys._is_gil_enabled", lambda: False, raising=False)


@pytest.mark.usefixtures("without_gil")
async def test_without_the_gil_frames_of_threads_are_left_alone() -> None:
    assert Whereabouts().thread(threading.get_ident()) == ()
