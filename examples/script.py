"""A plain script: a nightly job, a queue worker. Dozor watches while the block runs, and serves its page at port 8002.

pip install dozor
python examples/script.py
curl http://127.0.0.1:8002/api/v1/monitoring/pool/status
"""

import sys
import time

from sqlalchemy import create_engine, text
from sqlalchemy.pool import QueuePool

from dozor import Dozor


def main(rows: int) -> None:
    engine = create_engine("sqlite://", poolclass=QueuePool)
    with Dozor(engine=engine, name="nightly-job", listen="127.0.0.1:8002"):
        for number in range(rows):
            with engine.connect() as connection:
                connection.execute(text("SELECT :number"), {"number": number})
            time.sleep(0.1)
    engine.dispose()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 600)
