"""The tables, as the newest migration leaves them.

Every name begins with `dozor_`, so that a PostgreSQL database shared with the application has no clash. An alert is kept
whole as JSON; beside it stand, as columns, only what queries filter, order or average by. A field added to
`model.Alert` therefore needs no migration, as long as it has a default.
"""

from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine
from typing_extensions import override

REVISION: Final = "0003"
"""The newest migration. A store that stands at this revision is opened without importing Alembic."""

VERSION_TABLE: Final = "dozor_schema"


class CleanText(TypeDecorator[str]):
    """Text from strangers. NUL, which PostgreSQL refuses, and lone surrogates, which no encoding takes, become U+FFFD."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else clean(value)


class _Json(TypeDecorator[Any]):
    """JSON; PostgreSQL's dialect, 2 MiB, is loaded where there is a PostgreSQL."""

    impl = JSON
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name != "postgresql":
            return super().load_dialect_impl(dialect)
        from sqlalchemy.dialects.postgresql import JSONB  # noqa: PLC0415

        return dialect.type_descriptor(JSONB())


def clean(given: str) -> str:
    """*given* as every database can keep it."""
    return given.encode("utf-8", "surrogatepass").decode("utf-8", "replace").replace("\0", "\ufffd")


metadata = MetaData()

# SQLite counts rowids only in a column that is declared INTEGER.
_Identity = BigInteger().with_variant(Integer(), "sqlite")

alerts = Table(
    "dozor_alerts",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("rule", CleanText, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("component", CleanText, nullable=False),
    Column("state", String(16), nullable=False),
    Column("active_at", Double, nullable=False),
    Column("fired_at", Double),
    Column("acknowledged_at", Double, comment="the first acknowledgement; a later one takes over and does not move it"),
    Column("resolved_at", Double),
    Column(
        "labels",
        _Json,
        nullable=False,
        server_default=text("'{}'"),
        comment="those of the record, beside it: to search a history must not mean to parse all its evidence",
    ),
    Column("record", Text, nullable=False, comment="the whole alert, JSON"),
    Index("dozor_alerts_fired_at", "fired_at", "id"),
    Index("dozor_alerts_resolved_at", "resolved_at"),
    Index("dozor_alerts_rule", "rule", "fired_at"),
    Index("dozor_alerts_severity", "severity", "fired_at"),
    Index("dozor_alerts_component", "component", "fired_at"),
    Index("dozor_alerts_state", "state", "fired_at"),
)

audit = Table(
    "dozor_audit",
    metadata,
    Column("id", _Identity, primary_key=True, autoincrement=True),
    Column("digest", String(32), nullable=False, unique=True, comment="of the entry; a repeated commit adds it once"),
    # No foreign key: an entry about an alert that is gone is still worth keeping, and must never fail a commit.
    Column("alert_id", String(64), nullable=False),
    Column("at", Double, nullable=False),
    Column("event", CleanText, nullable=False),
    Column("by", CleanText),
    Column("comment", CleanText),
    Index("dozor_audit_alert_id", "alert_id", "id"),
    Index("dozor_audit_at", "at"),
)

outbox = Table(
    "dozor_outbox",
    metadata,
    Column("id", _Identity, primary_key=True, autoincrement=True),
    Column("notification_id", String(64), nullable=False),
    Column("receiver", CleanText, nullable=False),
    Column("group_key", CleanText, nullable=False),
    Column("payload", Text, nullable=False, comment="the notification, JSON"),
    Column("state", String(16), nullable=False, comment="pending, sent or dead"),
    Column("created_at", Double, nullable=False),
    Column("attempts", Integer, nullable=False, comment="claims so far; also tells one claim from the next"),
    Column("next_at", Double, nullable=False),
    Column("claimed_until", Double),
    Column("settled_at", Double),
    Column("last_error", CleanText),
    Column("retried_at", Double, comment="when a person had it tried again after it was given up"),
    Index("dozor_outbox_notification_receiver", "notification_id", "receiver", unique=True),
    Index("dozor_outbox_due", "state", "receiver", "group_key", "id"),
)

silences = Table(
    "dozor_silences",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("starts_at", Double, nullable=False),
    Column("ends_at", Double),
    Column("ended_at", Double),
    Column("updated_at", Double, nullable=False),
    Column("record", Text, nullable=False, comment="the whole silence, JSON"),
)

messages = Table(
    "dozor_messages",
    metadata,
    # One row for each alert that a message shows; the message that showed it last is the one to bring up to date.
    Column("receiver", CleanText, primary_key=True),
    Column("alert_id", String(64), primary_key=True),
    Column("reference", CleanText, nullable=False, comment="what the receiver calls the message"),
    Column("position", Integer, nullable=False, comment="of the alert in the message"),
    Column("shown_at", Double, nullable=False),
    Column("record", Text, nullable=False, comment="the alert as the message shows it, JSON"),
    Index("dozor_messages_reference", "receiver", "reference"),
)

annotations = Table(
    "dozor_annotations",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", Double, nullable=False),
    Column("text", CleanText, nullable=False),
    Column("tags", Text, nullable=False, comment="a JSON array"),
    Column("by", CleanText),
    Index("dozor_annotations_at", "at", "id"),
)

meta = Table(
    "dozor_meta",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("value", BigInteger, nullable=False),
)
