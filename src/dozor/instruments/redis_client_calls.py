"""Functions put around one redis-py client's, which time its commands and change nothing else.

Commands run through `execute_command`; a pipeline is an object of its own, which executes many at once. Publish/subscribe
goes its own way and is left alone: it waits for what others say.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from dozor.instruments.patching import Patch

PIPELINE: Final = "PIPELINE"
"""What a pipeline's commands are called together: they share one round trip."""

Done = Callable[[float, Any, int], None]
"""Told of each call that ended: when it began, what it was, how many commands it was."""


class ClientCalls:
    """Times the calls of *client*.

    Args:
        timer: monotonic seconds.
        done: told of each call, also of one that failed.
        failed: told of the error besides.
    """

    def __init__(
        self, client: Any, timer: Callable[[], float], done: Done, failed: Callable[[Exception], None]
    ) -> None:
        self._patch = Patch(client)
        self._timer, self._done, self._failed = timer, done, failed
        self._pipelines: dict[type, type] = {}
        self._asynchronous = inspect.iscoroutinefunction(type(client).execute_command)
        self._patch.put("execute_command", self._timed(client.execute_command))
        if callable(getattr(client, "pipeline", None)):
            self._patch.put("pipeline", self._pipeline(client.pipeline))

    def remove(self) -> None:
        """Leave the client as it was found. Pipelines that are under way are timed to their end."""
        self._patch.remove()

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        timer, done, failed = self._timer, self._done, self._failed

        @wraps(call)
        def execute_command(*args: Any, **options: Any) -> Any:
            began = timer()
            try:
                return call(*args, **options)
            except Exception as error:
                failed(error)
                raise
            finally:
                done(began, args[0] if args else None, 1)

        @wraps(call)
        async def execute_command_async(*args: Any, **options: Any) -> Any:
            began = timer()
            try:
                return await call(*args, **options)
            except Exception as error:
                failed(error)
                raise
            finally:
                done(began, args[0] if args else None, 1)

        return execute_command_async if self._asynchronous else execute_command

    def _pipeline(self, make: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(make)
        def pipeline(*args: Any, **options: Any) -> Any:
            made = make(*args, **options)
            kind = type(made)
            # By its class and not by its methods: a function that refers to the pipeline would keep it, and its connection,
            # until the garbage collector comes.
            try:
                made.__class__ = self._pipelines.get(kind) or self._timed_pipeline(kind)
            except TypeError:  # one of somebody's own making, with slots
                return made
            return made

        return pipeline

    def _timed_pipeline(self, kind: type[Any]) -> type:
        timer, done, failed = self._timer, self._done, self._failed

        def execute(pipe: Any, *args: Any, **options: Any) -> Any:
            commands = len(pipe)
            if not commands:
                return kind.execute(pipe, *args, **options)
            began = timer()
            try:
                return kind.execute(pipe, *args, **options)
            except Exception as error:
                failed(error)
                raise
            finally:
                done(began, PIPELINE, commands)

        async def execute_async(pipe: Any, *args: Any, **options: Any) -> Any:
            commands = len(pipe)
            if not commands:
                return await kind.execute(pipe, *args, **options)
            began = timer()
            try:
                return await kind.execute(pipe, *args, **options)
            except Exception as error:
                failed(error)
                raise
            finally:
                done(began, PIPELINE, commands)

        members = {
            "__slots__": (),
            "__doc__": kind.__doc__,
            "__module__": kind.__module__,
            "__qualname__": kind.__qualname__,
            "execute": wraps(kind.execute)(execute_async if self._asynchronous else execute),
        }
        made = self._pipelines[kind] = type(kind.__name__, (kind,), members)
        return made
