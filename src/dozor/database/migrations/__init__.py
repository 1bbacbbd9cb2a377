"""Alembic revisions, one module each in `versions/`.

They are applied by `dozor.database.migrate`, and differ from usual ones in one way: `upgrade` is handed its operations
(`def upgrade(op: Operations) -> None`) instead of importing `alembic.op`. That is a global of the process, and the
application may be running migrations of its own, in another thread, at the very moment at which Dozor starts.
"""
