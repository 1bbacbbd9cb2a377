"""Where the rules in force come from, so that they can be read again."""

from collections.abc import Callable, Iterable
from pathlib import Path

from dozor.rules.code import Rule
from dozor.rules.group import RuleSet

Load = Callable[[Iterable[Path | str | Rule]], RuleSet]
Fingerprint = tuple[tuple[int, int, int] | None, ...]


class RuleSource:
    """Rule files and rules in code. *load* makes the set of all rules from them; it is called at once, and by `read`.

    Attributes:
        rules: those last read without a mistake.

    Raises:
        RuleError, ConfigurationError: see `load_rules`.
    """

    def __init__(self, given: Iterable[Path | str | Rule], load: Load) -> None:
        self._given, self._load = tuple(given), load
        self.files = tuple(Path(one) for one in self._given if not isinstance(one, Rule))
        self.fingerprint = self.look()
        self.rules = load(self._given)

    def look(self) -> Fingerprint:
        """What changes whenever a file is written or replaced; of a file that is not there, None."""
        return tuple(_looks(file) for file in self.files)

    def read(self) -> RuleSet:
        """The rules as they are written now; they are in force once `rules` says so. Safe in any thread.

        Raises:
            RuleError, ConfigurationError: see `load_rules`.
        """
        return self._load(self._given)


def _looks(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
