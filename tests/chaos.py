"""A pytest plug-in: long proofs. `make test` runs the same small sample of them for everybody, `make chaos` all of it.

`DOZOR_TEST_CHAOS=SEED` asks for all of it, with everything that is left to chance drawn from that seed. A test that names
how many examples it wants does so by `examples`, one that draws its own chances draws them from `SEED`.
"""

import os
from typing import Final

from hypothesis import settings

_GIVEN: Final = os.environ.get("DOZOR_TEST_CHAOS", "")
CHAOS: Final = bool(_GIVEN)
SEED: Final = int(_GIVEN) if CHAOS else 20_261_122

_TIMES: Final = 20 if CHAOS else 1
# The run on another SQLAlchemy asks whether that does the same, not once more whether Dozor is right.
_SHARE: Final = 5 if "DOZOR_TEST_SQLALCHEMY_20" in os.environ else 1
settings.register_profile("sample", derandomize=True, deadline=None, max_examples=100 // _SHARE)
settings.register_profile("chaos", max_examples=100 * _TIMES, deadline=None, print_blob=True)
settings.load_profile("chaos" if CHAOS else "sample")


def examples(few: int) -> int:
    """How many examples Hypothesis tries where a sample needs only *few*, or needs more than its usual 100."""
    return max(1, few * _TIMES // _SHARE)


def pytest_report_header() -> str | None:
    return f"chaos: seed {SEED}; make chaos SEED={SEED} draws the same again" if CHAOS else None
