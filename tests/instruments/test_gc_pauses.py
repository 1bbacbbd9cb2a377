"""What the garbage collector's pauses add up to."""

import gc

from dozor.instruments.gc_pauses import GcPauses
from dozor.model.labels import Labels


def test_collections_are_timed_by_generation_until_it_is_detached() -> None:
    ticks = iter(range(100))
    pauses = GcPauses(timer=lambda: float(next(ticks)))
    before = list(gc.callbacks)
    gc.disable()  # none but those asked for
    try:
        pauses.attach()
        pauses.attach()
        gc.collect(0)
        gc.collect(2)
        gc.collect(2)
        pauses.detach()
        gc.collect(0)
    finally:
        gc.enable()
    assert gc.callbacks == before
    assert pauses.seconds == (1.0, 0.0, 2.0)
    assert pauses.longest_seconds == (1.0, 0.0, 1.0)
    labels = [Labels(generation=str(number)) for number in range(3)]
    family = pauses.family(labels)
    assert family.name == "python_gc_pause_seconds_total"
    assert [sample.value for sample in family.samples] == [1.0, 0.0, 2.0]
