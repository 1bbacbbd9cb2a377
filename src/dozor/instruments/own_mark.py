"""What tells Dozor's own statements from those of others."""

from typing import Final

MARK: Final = "/* dozor */"
"""Stands in each statement that Dozor sends to a watched server: whoever looks at the server's statistics, Dozor among them, sees whose
it is."""
