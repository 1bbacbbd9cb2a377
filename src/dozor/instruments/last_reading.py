"""What every monitor of a server says of its last collection."""

from typing import Protocol

from dozor.model.sample import Family


class Failure(Protocol):
    """Why a collection failed: `str` of it is a sentence that says what to do."""

    @property
    def kind(self) -> str:
        """One word."""


class Reading(Protocol):
    """All that one collection found out; replaced as a whole, so that any thread reads a whole."""

    @property
    def failure(self) -> Failure | None:
        """Why it failed; None if it succeeded."""

    @property
    def at(self) -> float | None:
        """When it ended (`Clock.timestamp`); None before the first."""

    @property
    def families(self) -> tuple[Family, ...]:
        """The metrics."""


class LastReading:
    """A monitor that keeps its last reading. Any thread may ask."""

    _reading: Reading

    @property
    def failure(self) -> str | None:
        """The kind of the last collection's failure, None if it succeeded."""
        return self._reading.failure.kind if self._reading.failure else None

    @property
    def hint(self) -> str | None:
        """The last collection's failure as a sentence that says what to do, None if it succeeded."""
        return str(self._reading.failure) if self._reading.failure else None

    @property
    def checked_at(self) -> float | None:
        """When the last collection ended (`Clock.timestamp`), None before the first."""
        return self._reading.at

    def families(self) -> tuple[Family, ...]:
        """The metrics as of the last collection."""
        return self._reading.families
