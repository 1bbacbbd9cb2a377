"""A label set: what tells one series, or one alert, from another."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

METRIC_NAME: Final = "__name__"


class Labels(Mapping[str, str]):
    """An immutable, hashable label set. A label with an empty value is the same as no label, as in Prometheus.

    Iterates in the order of label names. Hash and order are computed once.
    """

    __slots__ = ("_hash", "_pairs", "_values")

    def __init__(self, labels: Mapping[str, str] | Iterable[tuple[str, str]] = (), /, **more: str) -> None:
        values = dict(labels, **more)
        self._pairs = tuple(sorted(pair for pair in values.items() if pair[1] != ""))
        self._values = dict(self._pairs)
        self._hash = hash(self._pairs)

    def __getitem__(self, name: str) -> str:
        return self._values[name]

    def get(self, name: str, default: str = "") -> str:  # type: ignore[override]  # an absent label is an empty one
        """The value of label *name*, or *default* (empty: what Prometheus' matchers see for an absent label)."""
        return self._values.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._pairs)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self._hash == other._hash and self._pairs == other._pairs

    def __lt__(self, other: "Labels") -> bool:
        return self._pairs < other._pairs

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """(name, value) pairs in the order of names."""
        return self._pairs

    @property
    def metric_name(self) -> str:
        """The value of `__name__`, or an empty string."""
        return self._values.get(METRIC_NAME, "")

    def with_(self, labels: Mapping[str, str]) -> "Labels":
        """These labels with *labels* put over them; an empty value removes the label."""
        return Labels({**self._values, **labels})

    def only(self, names: Iterable[str]) -> "Labels":
        """Of these labels, those in *names*."""
        keep = set(names)
        return Labels(pair for pair in self._pairs if pair[0] in keep)

    def without(self, *names: str) -> "Labels":
        """These labels, but not *names*."""
        return Labels(pair for pair in self._pairs if pair[0] not in names)

    def __str__(self) -> str:
        """Prometheus' notation: `name{label="value"}`."""
        inner = ", ".join(f'{name}="{escape(value)}"' for name, value in self._pairs if name != METRIC_NAME)
        return f"{self.metric_name}{{{inner}}}" if inner or not self.metric_name else self.metric_name

    def __repr__(self) -> str:
        return f"Labels({self})"


def escape(value: str) -> str:
    """*value* as it stands between the quotes of a label value."""
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
