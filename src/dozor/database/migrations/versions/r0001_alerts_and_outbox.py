"""Alerts, what happened to them, and the outbox of notifications."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0001"
down_revision = None

_identity = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade(op: Operations) -> None:
    """Make the first tables."""
    _alerts(op)
    _audit(op)
    _outbox(op)
    op.create_table(
        "dozor_meta",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )


def _alerts(op: Operations) -> None:
    op.create_table(
        "dozor_alerts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("component", sa.Text, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("active_at", sa.Double, nullable=False),
        sa.Column("fired_at", sa.Double),
        sa.Column(
            "acknowledged_at",
            sa.Double,
            comment="the first acknowledgement; a later one takes over and does not move it",
        ),
        sa.Column("resolved_at", sa.Double),
        sa.Column("record", sa.Text, nullable=False, comment="the whole alert, JSON"),
    )
    op.create_index("dozor_alerts_fired_at", "dozor_alerts", ["fired_at", "id"])
    op.create_index("dozor_alerts_resolved_at", "dozor_alerts", ["resolved_at"])
    for column in ("rule", "severity", "component", "state"):
        op.create_index(f"dozor_alerts_{column}", "dozor_alerts", [column, "fired_at"])


def _audit(op: Operations) -> None:
    op.create_table(
        "dozor_audit",
        sa.Column("id", _identity, primary_key=True, autoincrement=True),
        sa.Column(
            "digest",
            sa.String(32),
            nullable=False,
            unique=True,
            comment="of the entry; a repeated commit adds it once",
        ),
        sa.Column("alert_id", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("by", sa.Text),
        sa.Column("comment", sa.Text),
    )
    op.create_index("dozor_audit_alert_id", "dozor_audit", ["alert_id", "id"])
    op.create_index("dozor_audit_at", "dozor_audit", ["at"])


def _outbox(op: Operations) -> None:
    op.create_table(
        "dozor_outbox",
        sa.Column("id", _identity, primary_key=True, autoincrement=True),
        sa.Column("notification_id", sa.String(64), nullable=False),
        sa.Column("receiver", sa.Text, nullable=False),
        sa.Column("group_key", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False, comment="the notification, JSON"),
        sa.Column("state", sa.String(16), nullable=False, comment="pending, sent or dead"),
        sa.Column("created_at", sa.Double, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, comment="claims so far; also tells one claim from the next"),
        sa.Column("next_at", sa.Double, nullable=False),
        sa.Column("claimed_until", sa.Double),
        sa.Column("settled_at", sa.Double),
        sa.Column("last_error", sa.Text),
    )
    op.create_index("dozor_outbox_notification_receiver", "dozor_outbox", ["notification_id", "receiver"], unique=True)
    op.create_index("dozor_outbox_due", "dozor_outbox", ["state", "receiver", "group_key", "id"])
