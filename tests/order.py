"""A pytest plug-in: what takes long begins first, and is dealt out to the processes that run the tests.

pytest-xdist's `worksteal` gives each process a stretch of the list, and lets one that is done take over from the end of another's.
Whatever long test stands at the end of the list would keep one process at work while the others have nothing to do.
"""

import os
from collections.abc import Sequence
from typing import Final, TypeVar

import pytest

T = TypeVar("T")

_CHAOS_SECONDS: Final = 12.0


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if count > 1:
        items[:] = dealt(items, [seconds(item) for item in items], count)


def seconds(item: pytest.Item) -> float:
    """How long *item* takes, roughly, if it says so by `@pytest.mark.long(SECONDS)` or is a long proof; else 0."""
    if (mark := item.get_closest_marker("long")) is not None:
        return float(mark.args[0])
    return _CHAOS_SECONDS if item.get_closest_marker("chaos") is not None else 0.0


def dealt(items: Sequence[T], weights: Sequence[float], count: int) -> list[T]:
    """*items* in *count* stretches of equal length, each beginning with its share of those that weigh something."""
    heavy = sorted((index for index, weight in enumerate(weights) if weight), key=lambda index: -weights[index])
    light = [item for item, weight in zip(items, weights, strict=True) if not weight]
    order: list[T] = []
    for turn in range(count):
        hand = [items[index] for index in heavy[turn::count]]
        stretch = (len(items) - len(order)) // (count - turn)
        more = max(0, stretch - len(hand))
        order += hand + light[:more]
        light = light[more:]
    return order
