"""Timing statements by SQLAlchemy's engine events, where the dialect cannot be wrapped."""

from collections.abc import Callable
from typing import Any, Protocol

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext

from dozor.containment import contained


class Observer(Protocol):
    """Where a statement's time goes."""

    def __call__(
        self, statement: str, context: Any, seconds: float, error: BaseException | None, cursor: Any = None
    ) -> None:
        """Take in one statement; *error* is what it failed with. Never raises."""


class QueryEvents:
    """Listens on an engine. The start is kept on SQLAlchemy's execution context, of which each execution has its own.

    Args:
        engine: the engine.
        observe: told of each statement, also of failed ones, for which `after_cursor_execute` does not come.
        timer: monotonic seconds.
    """

    def __init__(self, engine: Engine, observe: Observer, timer: Callable[[], float]) -> None:
        self._engine, self._observe, self._timer = engine, observe, timer
        self._key = f"dozor_started_{id(self)}"
        self._listeners: dict[str, Callable[..., None]] = {
            "before_cursor_execute": self._before,
            "after_cursor_execute": self._after,
            "handle_error": self._failed,
        }

    def listen(self) -> None:
        """Time statements from now on."""
        for name, listener in self._listeners.items():
            event.listen(self._engine, name, listener)

    def remove(self) -> None:
        """Time statements no longer."""
        for name, listener in self._listeners.items():
            event.remove(self._engine, name, listener)
        for target in (self._engine, self._engine.dialect):
            _forget_events(target)

    def _before(
        self, _connection: Any, _cursor: Any, _statement: str, _parameters: Any, context: Any, _many: Any
    ) -> None:
        with contained("query.before"):
            vars(context)[self._key] = self._timer()

    def _after(self, _connection: Any, cursor: Any, statement: str, _parameters: Any, context: Any, _many: Any) -> None:
        with contained("query.after"):
            self._ended(statement, context, None, cursor)

    def _failed(self, failure: ExceptionContext) -> None:
        with contained("query.failed"):
            if failure.statement is not None and failure.execution_context is not None:
                self._ended(failure.statement, failure.execution_context, failure.original_exception)

    def _ended(self, statement: str, context: Any, error: BaseException | None, cursor: Any = None) -> None:
        started = vars(context).pop(self._key, None)
        if started is not None:
            self._observe(statement, context, self._timer() - started, error, cursor)


def _forget_events(target: Any) -> None:
    """Unset the mark "has listeners" on *target* once it has none: SQLAlchemy sets it for good, and it costs time."""
    with contained("query.events"):
        names = type(target).dispatch._event_names
        if not any(getattr(target.dispatch, name) for name in names):
            vars(target).pop("_has_events", None)
