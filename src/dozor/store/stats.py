"""What a store in memory holds, in figures."""

from msgspec import Struct

from dozor.model.sample import Family


class StoreStats(Struct, frozen=True):
    """What a store holds and what it had to leave out.

    Attributes:
        bytes: taken now, samples and series; max_bytes, max_series, retention_seconds: the budget.
        dropped_series: series refused since the start, because there were too many (at most *max_series* of them are told apart).
        dropped_samples: samples refused since the start, because they were not newer than their series' last.
        evicted_samples: samples thrown away before their time, because the budget was spent.
    """

    bytes: int
    max_bytes: int
    series: int
    max_series: int
    retention_seconds: float
    samples: int
    dropped_series: int
    dropped_samples: int
    evicted_samples: int

    def families(self) -> list[Family]:
        """As Dozor's metrics about itself."""
        return [
            Family.gauge("dozor_store_samples", "Samples in the time-series store.", "samples", self.samples),
            Family.gauge("dozor_store_series", "Series in the time-series store.", "series", self.series),
            Family.gauge("dozor_store_size_bytes", "Memory that the samples take, in bytes.", "bytes", self.bytes),
            Family.gauge(
                "dozor_store_limit_bytes",
                "Memory that the samples may take, in bytes; the oldest go first.",
                "bytes",
                self.max_bytes,
            ),
            Family.gauge(
                "dozor_store_retention_seconds",
                "How long samples are kept, in seconds.",
                "seconds",
                self.retention_seconds,
            ),
            Family.counter(
                "dozor_store_evicted_samples_total",
                "Samples thrown away before their time, because their memory was used up.",
                "samples",
                self.evicted_samples,
            ),
        ]
