"""Rules are read again: when somebody asks, and when a file has changed. All of them come into force, or none."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from dozor.clock import Clock
from dozor.errors import ConfigurationError
from dozor.model.rule import RuleChanges
from dozor.model.sample import Family
from dozor.rules import RuleSet, RuleSource

logger = logging.getLogger("dozor")

WATCH_SECONDS: Final = 2.0
"""How often the files are looked at. A change counts when they look the same twice: editors write in several steps."""


class Reloader:
    """Reads the rules of *source* again, and has *put_in_force* take them. Belongs to Dozor's loop.

    Rule files are parsed in another thread: with thousands of rules that takes seconds. Where there is a mistake, the rules
    in force stay, and `complaints` says so until it is mended.
    """

    def __init__(self, source: RuleSource, put_in_force: Callable[[RuleSet], RuleChanges], clock: Clock) -> None:
        self._source, self._put_in_force, self._clock = source, put_in_force, clock
        self._seen = source.fingerprint
        self._reading = asyncio.Lock()
        self._failure: str | None = None
        self._succeeded_at = clock.timestamp()

    @property
    def watches(self) -> bool:
        """Whether there is any file that may change."""
        return bool(self._source.files)

    async def reload(self) -> RuleChanges:
        """Read all rules again and put them in force; what that has changed.

        Raises:
            ConfigurationError: something in them is wrong (mostly a `RuleError`); nothing has changed then.
        """
        async with self._reading:
            return await self._reload()

    async def watch(self) -> None:
        """Read the rules again if a file has changed and is no longer being written to."""
        if self._reading.locked():
            return
        looks = await asyncio.to_thread(self._source.look)
        settled, self._seen = looks == self._seen, looks
        if settled and looks != self._source.fingerprint:
            try:
                await self.reload()
            except ConfigurationError:
                """It is in the log, and among the complaints."""

    def complaints(self) -> list[str]:
        """What is wrong, each one sentence."""
        if self._failure is None:
            return []
        return [f"The rules were not read again, and those from before are in force: {self._failure}."]

    def families(self) -> list[Family]:
        """Whether the last attempt succeeded, and when one last did."""
        return [
            Family.gauge("dozor_rules_reload_success", "Whether the rules were last read without a mistake (1) or not (0).", "",
                   float(self._failure is None)),
            Family.gauge("dozor_rules_reload_timestamp_seconds", "When the rules were last read without a mistake, in Unix seconds.",
                   "seconds", self._succeeded_at),
        ]  # fmt: skip

    async def _reload(self) -> RuleChanges:
        source = self._source
        # Taken first: a file that changes while it is read is read again. A mistake is not looked at twice.
        source.fingerprint = self._seen = await asyncio.to_thread(source.look)
        try:
            rules = await asyncio.to_thread(source.read)
        except ConfigurationError as error:
            if str(error) != self._failure:
                logger.error("the rules were not read again, and those from before are in force: %s", error)  # noqa: TRY400 - the message says all; no traceback for users
            self._failure = str(error)
            raise
        changes = self._put_in_force(rules)
        source.rules = rules
        self._failure, self._succeeded_at = None, self._clock.timestamp()
        logger.info("the rules were read again: %s", in_words(changes))
        return changes


def in_words(changes: RuleChanges) -> str:
    """What *changes* says, for a log and a shell."""
    named = (("new", changes.added), ("changed", changes.changed), ("gone", changes.removed))
    parts = [f"{word}: {', '.join(names)}" for word, names in named if names]
    return f"{changes.rules} rules in force; {'; '.join(parts) or 'nothing has changed'}"
