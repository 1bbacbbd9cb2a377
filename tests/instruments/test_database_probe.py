"""Why a database cannot be reached, as people read it."""

import pytest
from sqlalchemy.engine import make_url

from dozor.instruments.database_probe import reason


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("postgresql+psycopg://u:s3cr3t@db:5432/shop", "PostgreSQL at db:5432 "),
        ("postgresql:///shop", "PostgreSQL at shop "),
        ("sqlite:////srv/shop.db", "SQLite at /srv/shop.db "),
        ("mysql+pymysql://u:s3cr3t@db/shop", "MySQL at db "),
        ("cockroachdb://u:s3cr3t@db/shop", "cockroachdb at db "),
    ],
)
def test_a_database_is_called_by_its_name(url: str, where: str) -> None:
    kind, said = reason(ConnectionRefusedError(), make_url(url))
    assert kind == "refused"
    assert said.startswith(where)
