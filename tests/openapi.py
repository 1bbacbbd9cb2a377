"""Writes the description of Dozor's API to a file, from which the page's types are made: `python -m tests.openapi FILE`."""

import json
import sys
from pathlib import Path

from tests.api.fake_backend import FakeBackend

from dozor.api import create_app
from dozor.testing import FakeClock

if __name__ == "__main__":
    document = create_app(FakeBackend(FakeClock())).openapi()
    Path(sys.argv[1]).write_text(json.dumps(document), encoding="utf-8")
