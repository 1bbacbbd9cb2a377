"""What requests, and threads, are at just now: looked up from another thread, which costs nothing until somebody asks."""

import asyncio
import sys
from collections.abc import Iterable, Iterator
from contextvars import Context
from types import CodeType, FrameType
from typing import Any, Final, NamedTuple

from dozor.instruments.query_caller import own_lines, shown_place
from dozor.instruments.whereabouts import awaited_frames, frames_outwards, local
from dozor.instruments.work import Work, current_work

_MOST_TASKS: Final = 5000
_POOL_QUEUE: Final = "sqlalchemy/util/queue.py"
DEBUGGED: Final = "in a debugger"
# What the innermost frame of a kind says of what is done; path, names of functions (none: any), in the order of looking.
_SIGNS: Final[tuple[tuple[str, frozenset[str], str], ...]] = (
    *((path, frozenset[str](), DEBUGGED) for path in ("/bdb.py", "/pdb.py", "/pydevd.py", "/debugpy/")),
    (_POOL_QUEUE, frozenset({"get", "get_nowait"}), "waiting for a connection"),
    ("sqlalchemy/pool/base.py", frozenset({"__connect", "_ConnectionRecord__connect"}), "connecting"),
    ("sqlalchemy/engine/cursor.py", frozenset(), "fetching rows"),
    (
        "sqlalchemy/engine/base.py",
        frozenset({"_execute_context", "_exec_single_context", "_exec_insertmany_context"}),
        "in a statement",
    ),
    ("sqlalchemy/engine/base.py", frozenset({"_commit_impl", "_rollback_impl"}), "ending a transaction"),
    ("/redis/", frozenset(), "in Redis"),
)


class Moment(NamedTuple):
    """What something is at. *place* is the innermost line of the application's own code, *stack* all frames, innermost first."""

    doing: str | None
    place: str | None
    stack: tuple[str, ...]


def of_frames(frames: Iterable[FrameType], *, most: int = 30) -> Moment:
    """What *frames*, innermost first, say; the stack of at most *most* of them."""
    frames = list(frames)
    places = [(frame.f_code, frame.f_lineno) for frame in frames]
    own = own_lines(places, 1)
    return Moment(_doing(frames), own[0] if own else None, tuple(shown_place(*one) for one in places[:most]))


def thread_frames(ident: int) -> list[FrameType]:
    """What the thread *ident* runs, innermost first; nothing where it has ended."""
    return list(frames_outwards(sys._current_frames().get(ident)))


def find(
    works: Iterable[Work], loops: Iterable[asyncio.AbstractEventLoop], marks: CodeType, name: str
) -> dict[Work, Moment]:
    """Where those of *works* are that can be found, in the tasks of *loops* and in threads.

    *marks* is the code of the coroutine function that has the work, in its variable *name*, for as long as it runs.
    """
    wanted = set(works)
    if not wanted:
        return {}
    found: dict[Work, list[FrameType]] = {}
    for frames in _task_stacks(loops):
        work = next((local(frame, name) for frame in frames if frame.f_code is marks), None)
        if work in wanted:
            found[work] = frames
    # A handler that is an ordinary function runs in a thread, with the context of the task that waits for it; a task that runs
    # just now has its frames on the loop's thread.
    for frames in [list(frames_outwards(frame)) for frame in sys._current_frames().values()]:
        work = _work_of_thread(frames, marks, name)
        if work in wanted:
            found[work] = [*frames, *found.get(work, ())]
    return {work: of_frames(frames) for work, frames in found.items()}


def _task_stacks(loops: Iterable[asyncio.AbstractEventLoop]) -> Iterator[list[FrameType]]:
    for loop in loops:
        try:
            tasks = list(asyncio.all_tasks(loop))[:_MOST_TASKS]
        except RuntimeError:  # they change all the time, and this is another thread
            continue
        for task in tasks:
            yield awaited_frames(task.get_coro())


def _work_of_thread(frames: list[FrameType], marks: CodeType, name: str) -> Any:
    for frame in frames:
        code = frame.f_code
        if code is marks:
            return local(frame, name)
        context: Any = None
        if code.co_name == "run" and "anyio" in code.co_filename:
            context = local(frame, "context")
        elif code.co_name == "run" and code.co_filename.endswith("concurrent/futures/thread.py"):
            # asyncio.to_thread hands the executor a partial of Context.run.
            call = getattr(local(frame, "self"), "fn", None)
            context = getattr(getattr(call, "func", None), "__self__", None)
        if isinstance(context, Context):
            return context.get(current_work)
    return None


def _doing(frames: list[FrameType]) -> str | None:
    for frame in frames:
        file, function = frame.f_code.co_filename, frame.f_code.co_name
        for path, names, words in _SIGNS:
            if path in file and (not names or function in names):
                return words
    return None
