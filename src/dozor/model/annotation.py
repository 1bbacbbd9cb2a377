"""A mark in time that somebody, or the application itself, has set: a deploy, a migration, a load test."""

from typing import Final

from msgspec import Struct

DEPLOY: Final = "deploy"
"""The tag of what marks another version."""


VERSION: Final = "version"
"""The tag of what Dozor marks itself when the application's version is another."""


class Annotation(Struct, frozen=True):
    """What happened at *at* (Unix seconds), in words. *by*: who says so; None: Dozor itself, or somebody without a name."""

    id: str
    at: float
    text: str
    tags: tuple[str, ...] = ()
    by: str | None = None
