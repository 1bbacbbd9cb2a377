"""Series that a Prometheus, or whatever speaks its remote write protocol, sends on."""

from typing import Final

from dozor.model.sample import Family
from dozor.store.intake import Intake
from dozor.store.wire import WireReader, unpack

PACKED_LIMIT_BYTES: Final = 8 * 2**20
UNPACKED_LIMIT_BYTES: Final = 32 * 2**20

_SOURCE: Final = "remote_write"
_MOST_FAMILIES: Final = 10_000


class RemoteWrite:
    """Puts what is sent into *intake*. `take` belongs to one thread, `described` to any."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._reader = WireReader()
        self._described: dict[str, Family] = {}

    def take(self, body: bytes) -> None:
        """Read one request, packed as it came. What cannot be kept is counted, and no reason to send it again.

        Raises:
            WireError: it is none. Nothing of it is kept then.
        """
        request = self._reader.write_request(unpack(body, UNPACKED_LIMIT_BYTES))
        for time in sorted(request.samples):
            self._intake.take(_SOURCE, time / 1000, request.samples[time])
        self._intake.pass_over(_SOURCE, request.histograms)
        for family in request.families:
            if family.name in self._described or len(self._described) < _MOST_FAMILIES:
                self._described[family.name] = family

    def described(self) -> list[Family]:
        """Type, help and unit of the metrics that were sent, without samples."""
        return list(self._described.values())
