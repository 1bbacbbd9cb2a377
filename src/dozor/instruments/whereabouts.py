"""Where a thread or a task is now, in the application's own code, looked up from another thread when somebody asks.

Nothing is noted beforehand. `sys._current_frames` gives what each thread runs; a task that waits is a chain of coroutines, each
of which awaits the next, and SQLAlchemy's greenlets hang in that chain. Threads go on meanwhile, so what is found may
be a mixture of two moments; it is never more than text.
"""

import asyncio
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any, Final

from dozor.instruments.query_caller import Place, own_lines
from dozor.instruments.work import Work, current_work

_MOST_FRAMES: Final = 400
_ANYIO_WORKER: Final = "WorkerThread.run"


class Whereabouts:
    """What all threads run at the moment at which this is made. Made and used within one function: it holds frames."""

    def __init__(self) -> None:
        # Without the GIL, frames of running threads may vanish while they are read.
        with_gil: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
        self._threads: dict[int, FrameType] = sys._current_frames() if with_gil else {}

    def thread(self, ident: int, work: Work | None = None) -> tuple[str, ...]:
        """The own lines that the thread runs, innermost first; empty where it has ended or nothing can be said.

        Threads of anyio's pool (an ordinary function as a handler) serve one request after the other: where *work* is given and
        the thread is busy with another one, the thread that works for it is looked for instead.
        """
        frame = self._threads.get(ident)
        if frame is not None and work is not None and _serves_other(frame, work):
            frame = next((one for one in self._threads.values() if _context_of(one, work)), None)
        return () if frame is None else own_lines(_outwards(frame))

    def task(self, task: "asyncio.Task[Any] | None") -> tuple[str, ...]:
        """The own lines at which *task* waits or runs, innermost first; empty where it has ended or nothing can be said."""
        if task is None or task.done():
            return ()
        try:
            waiting = list(_awaited(task.get_coro()))
            if (running := self._runs(task)) is not None:
                waiting = list(_outwards(running))
        except Exception:  # noqa: BLE001 - it went on while it was looked at
            return ()
        return own_lines(waiting)

    def _runs(self, task: "asyncio.Task[Any]") -> FrameType | None:
        """What the thread of the task's loop runs, if the task is what runs there."""
        loop = task.get_loop()
        if asyncio.current_task(loop) is not task:
            return None
        return self._threads.get(getattr(loop, "_thread_id", None) or 0)


def _outwards(frame: FrameType | None) -> Iterator[Place]:
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return
        yield frame.f_code, frame.f_lineno
        frame = frame.f_back


def _awaited(awaitable: Any) -> Iterator[Place]:
    """The places at which a chain of awaits stands, innermost first."""
    for frame in awaited_frames(awaitable):
        yield frame.f_code, frame.f_lineno


def awaited_frames(awaitable: Any) -> list[FrameType]:
    """The frames of a chain of awaits, innermost first."""
    frames: list[FrameType] = []
    for _ in range(_MOST_FRAMES):
        frame = next((found for name in _FRAMES if (found := getattr(awaitable, name, None)) is not None), None)
        if frame is None:
            break
        frames.append(frame)
        following = next((found for name in _AWAITS if (found := getattr(awaitable, name, None)) is not None), None)
        if frame.f_code.co_name == "greenlet_spawn":
            # What runs in the greenlet: code of the application's in `run_sync`, and else SQLAlchemy's.
            inner = getattr(local(frame, "context"), "gr_frame", None)
            frames.extend(reversed(list(frames_outwards(inner))))
        awaitable = following
    frames.reverse()
    return frames


_FRAMES: Final = ("cr_frame", "gi_frame", "ag_frame")
_AWAITS: Final = ("cr_await", "gi_yieldfrom", "ag_await")


def frames_outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """*frame*, and those that called it."""
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return
        yield frame
        frame = frame.f_back


def _serves_other(frame: FrameType, work: Work) -> bool:
    """Whether the thread at *frame* is one of anyio's, and not busy with *work*."""
    worker = _anyio_worker(frame)
    return worker is not None and not _context_of(frame, work)


def _context_of(frame: FrameType, work: Work) -> bool:
    """Whether the thread at *frame* is one of anyio's that is busy with *work*."""
    worker = _anyio_worker(frame)
    if worker is None:
        return False
    context = local(worker, "context")
    try:
        return context is not None and context.get(current_work) is work
    except (AttributeError, TypeError):
        return False


def _anyio_worker(frame: FrameType) -> FrameType | None:
    return next((one for one in frames_outwards(frame) if one.f_code.co_qualname == _ANYIO_WORKER), None)


def local(frame: FrameType, name: str) -> Any:
    """The local variable *name*; what else the look at them has copied is dropped, for it would live as long as the frame."""
    found = frame.f_locals
    value = found.get(name)
    if isinstance(found, dict):  # before Python 3.13 a copy, kept by the frame
        found.clear()
    return value
