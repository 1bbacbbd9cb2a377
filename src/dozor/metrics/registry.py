"""All that can be collected, in one list."""

import threading
from collections.abc import Iterable
from typing import Protocol

from dozor.containment import contained
from dozor.model.sample import Family


class FamilySource(Protocol):
    """Something with metrics."""

    def families(self) -> Iterable[Family]:
        """What is known now, from memory: quick, safe in any thread, what is unknown left out."""


class Registry:
    """The sources of metrics, in the order in which they were added. Safe in any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sources: list[FamilySource] = []

    def add(self, source: FamilySource) -> None:
        """Collect from *source* from now on."""
        with self._lock:
            self._sources.append(source)

    def remove(self, source: FamilySource) -> None:
        """Collect from *source* no longer."""
        with self._lock:
            self._sources.remove(source)

    def collect(self) -> list[Family]:
        """All families by name; those of one name from several sources (two pools, say) become one.

        A source that raises is reported and left out; the others are collected.
        """
        with self._lock:
            sources = list(self._sources)
        families: list[Family] = []
        for source in sources:
            with contained(f"collect.{type(source).__name__}"):
                families.extend(source.families())
        return merge(families)


def merge(families: Iterable[Family]) -> list[Family]:
    """*families* with those of one name made into one, ordered by name. The first one's type, help and unit count."""
    merged: dict[str, Family] = {}
    for family in families:
        seen = merged.get(family.name)
        merged[family.name] = (
            family
            if seen is None
            else Family(seen.name, seen.type, seen.help, seen.unit, seen.samples + family.samples)
        )
    return [merged[name] for name in sorted(merged)]
