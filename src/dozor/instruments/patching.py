"""Functions put around methods of one object, and taken off again without a trace."""

from collections.abc import Callable
from typing import Any

_ABSENT: Any = object()

Replacement = Callable[..., Any]


class Patch:
    """Replaces methods on an instance, never on its class, so that other instances are untouched.

    Several patches of one object may be removed in any order: one that lies below another when it is removed is marked,
    and skipped when the one above restores what it found.
    """

    def __init__(self, target: object) -> None:
        self._attributes: dict[str, Any] = vars(target)
        self._put: list[tuple[str, Replacement]] = []

    def put(self, name: str, replacement: Replacement) -> None:
        """Let *replacement* answer for method *name* of the target."""
        found = self._attributes.get(name, _ABSENT)
        replacement.dozor_found = found  # type: ignore[attr-defined]  # read by the patch above, once this one is gone
        self._attributes[name] = replacement
        self._put.append((name, replacement))

    def remove(self) -> None:
        """Put back what was there. A function that somebody else has wrapped meanwhile stays, and only passes calls on."""
        for _, replacement in self._put:
            replacement.dozor_removed = True  # type: ignore[attr-defined]
        for name, _ in self._put:
            found = before = self._attributes.get(name, _ABSENT)
            while getattr(found, "dozor_removed", False):
                found = found.dozor_found
            if found is _ABSENT:
                self._attributes.pop(name, None)
            elif found is not before:
                self._attributes[name] = found
        self._put.clear()


def accepts(function: Any, arguments: int) -> bool:
    """Whether *function* can be called with that many positional *arguments*."""
    import inspect  # noqa: PLC0415 - heavy, and asked for at attachment only

    try:
        inspect.signature(function).bind(*range(arguments))
    except (TypeError, ValueError):
        return False
    return True


def mentions(function: Any, name: str) -> bool:
    """Whether the Python code of *function* uses the attribute or global *name*."""
    code = getattr(function, "__code__", None)
    return code is not None and name in code.co_names
