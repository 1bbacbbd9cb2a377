"""What stands beside the figures: records that instruments keep, in the shape in which they are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

T_co = TypeVar("T_co", covariant=True)


class SlowQuery(Protocol):
    """A statement that took longer than the threshold. *at* is Unix seconds; *error* a class name."""

    @property
    def statement(self) -> str: ...
    @property
    def duration_seconds(self) -> float: ...
    @property
    def at(self) -> float: ...
    @property
    def pool(self) -> str: ...
    @property
    def operation(self) -> str: ...
    @property
    def caller(self) -> str | None: ...
    @property
    def failed(self) -> bool: ...
    @property
    def error(self) -> str | None: ...


class SlowCommand(Protocol):
    """An entry of a Redis server's SLOWLOG, its arguments redacted. *at* is Unix seconds."""

    @property
    def command(self) -> str: ...
    @property
    def duration_seconds(self) -> float: ...
    @property
    def at(self) -> float: ...
    @property
    def redis(self) -> str: ...
    @property
    def id(self) -> int: ...
    @property
    def client(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class RedisDetails:
    """What one Redis server says about itself: INFO by section, and what Dozor may ask it."""

    name: str
    info: Mapping[str, Mapping[str, str | int | float]]
    capabilities: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Recent(Generic[T_co]):
    """The newest of a bounded record, newest first, and how many there ever were."""

    entries: Sequence[T_co]
    total: int
