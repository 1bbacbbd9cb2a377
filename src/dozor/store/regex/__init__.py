"""Regular expressions in RE2's syntax, matched in time linear in the text.

Python's `re` backtracks: one selector with `(a+)+b` would stop the monitor. These are compiled to a small automaton, and
matched whole (anchored at both ends, the dot matching newlines too), as Prometheus matches labels.
"""

from dozor.store.regex.pattern import Pattern, compile_anchored

__all__ = ["Pattern", "compile_anchored"]
