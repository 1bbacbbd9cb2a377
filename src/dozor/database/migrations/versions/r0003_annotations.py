"""Annotations: marks in time."""

import sqlalchemy as sa
from alembic.operations import Operations

revision = "0003"
down_revision = "0002"


def upgrade(op: Operations) -> None:
    """Make the table."""
    op.create_table(
        "dozor_annotations",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False, comment="a JSON array"),
        sa.Column("by", sa.Text),
    )
    op.create_index("dozor_annotations_at", "dozor_annotations", ["at", "id"])
