"""What is left out where Dozor costs more than it may. Read in any thread, on hot paths; set by the owner of the budget."""

from typing import Final


class Detail:
    """Switches for what is dear and can be done without."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        self.lines = True
        """Whether to look up which line of code did something."""


DETAIL: Final = Detail()
"""Of this process: all Dozors in it share its CPU."""
