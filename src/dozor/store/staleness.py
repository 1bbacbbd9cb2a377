"""Staleness markers: the one NaN, told by its bits, that says "this series ended here"."""

import math
import struct
from typing import Final

_BITS: Final = struct.pack("<Q", 0x7FF0000000000002)

STALE_NAN: Final[float] = struct.unpack("<d", _BITS)[0]
"""Prometheus' marker. Compare with `is_stale`, never with `==` or `isnan`: an ordinary NaN is a value."""


def is_stale(value: float) -> bool:
    """Whether *value* is the staleness marker."""
    return math.isnan(value) and struct.pack("<d", value) == _BITS
