"""Silences by matchers, messages that receivers let us change, labels that can be searched, dead letters tried again."""

from typing import Any, Final

import msgspec
import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_BATCH: Final = 500
_json = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade(op: Operations) -> None:
    """Make the new tables and columns; write the labels of the alerts that are there beside their records."""
    op.create_table(
        "dozor_silences",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("starts_at", sa.Double, nullable=False),
        sa.Column("ends_at", sa.Double),
        sa.Column("ended_at", sa.Double),
        sa.Column("updated_at", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False, comment="the whole silence, JSON"),
    )
    op.create_table(
        "dozor_messages",
        sa.Column("receiver", sa.Text, primary_key=True),
        sa.Column("alert_id", sa.String(64), primary_key=True),
        sa.Column("reference", sa.Text, nullable=False, comment="what the receiver calls the message"),
        sa.Column("position", sa.Integer, nullable=False, comment="of the alert in the message"),
        sa.Column("shown_at", sa.Double, nullable=False),
        sa.Column("record", sa.Text, nullable=False, comment="the alert as the message shows it, JSON"),
    )
    op.create_index("dozor_messages_reference", "dozor_messages", ["receiver", "reference"])
    op.add_column(
        "dozor_outbox",
        sa.Column("retried_at", sa.Double, comment="when a person had it tried again after it was given up"),
    )
    _add_labels(op)
    _fill_labels(op.get_bind())


def _add_labels(op: Operations) -> None:
    labels = sa.Column(
        "labels",
        _json,
        nullable=False,
        server_default=sa.text("'{}'"),
        comment="those of the record, beside it: to search a history must not mean to parse all its evidence",
    )
    # SQLite reads through all of a long record to get at what stands behind it, so there the table is made anew.
    in_front = op.get_bind().dialect.name == "sqlite"
    with op.batch_alter_table("dozor_alerts", recreate="always" if in_front else "never") as table:
        table.add_column(labels, insert_before="record" if in_front else None)


def _fill_labels(connection: sa.Connection) -> None:
    # Not by the databases' own JSON functions: one torn record, or a NUL in one, would make them refuse the whole upgrade.
    alerts = sa.table("dozor_alerts", sa.column("id"), sa.column("record"), sa.column("labels", _json))
    statement = alerts.update().where(alerts.c.id == sa.bindparam("alert")).values(labels=sa.bindparam("found"))
    last = ""
    while True:
        page = sa.select(alerts.c.id, alerts.c.record).where(alerts.c.id > last).order_by(alerts.c.id).limit(_BATCH)
        rows = connection.execute(page).all()
        if not rows:
            return
        last = rows[-1].id
        connection.execute(statement, [{"alert": row.id, "found": _labels(row.record)} for row in rows])


def _labels(record: str) -> dict[str, str]:
    try:
        plain: Any = msgspec.json.decode(record)
        labels = plain["labels"]
        return {name.replace("\0", "\ufffd"): value.replace("\0", "\ufffd") for name, value in labels.items()}
    except (msgspec.DecodeError, AttributeError, LookupError, TypeError):
        return {}
